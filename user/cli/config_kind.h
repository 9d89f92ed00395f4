/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of settings: what each is as text, in struct config, and as JSON. For config_value.c. */
#ifndef CLI_CONFIG_KIND_H
#define CLI_CONFIG_KIND_H

#include <stdbool.h>

#include <jansson.h>

#include "cli/config.h"

#define KIND_WORDS_MAX 6

struct value_kind;

/* A value that is to be read. */
struct given {
	struct config *config;
	const struct value_kind *kind;
	const char *text; /* NULL: a flag without a value */
	enum config_source source;
};

/* A value that is to be shown; hide: without secrets. */
struct shown {
	const struct value_kind *kind;
	const void *field;
	bool hide;
};

struct value_kind {
	size_t size; /* of the field */
	bool list;   /* the field is a number_list or a string_list */
	bool text;   /* the field is a text of the configuration's own */
	const char *expected;
	/* 0, -EINVAL or -ENOMEM; the field changes on success only. */
	int (*parse)(const struct given *g, void *field);
	/* A new reference, json_null() where nothing is set; NULL: out of memory. */
	json_t *(*value)(const struct shown *s);
	/* of a choice */
	int (*word)(const char *text);
	const char *words[KIND_WORDS_MAX];
};

extern const struct value_kind value_kinds[OPTION_KINDS];

#endif
