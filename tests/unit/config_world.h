/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration file, and what the agent makes of it. */
#ifndef TESTS_CONFIG_WORLD_H
#define TESTS_CONFIG_WORLD_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "cli/command.h"
#include "cli/config_value.h"

#define CONFIG_PATH_MAX 64
#define WORDS_MAX	16

struct world {
	char path[CONFIG_PATH_MAX];
	char *words[WORDS_MAX + 1]; /* of the command line */
	int count;
	struct config config;
};

static inline void world_write(struct world *w, const char *yaml)
{
	FILE *f = fopen(w->path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(yaml, 1, strlen(yaml), f), strlen(yaml));
	assert_int_equal(fclose(f), 0);
}

static inline void world_word(struct world *w, const char *word)
{
	assert_true(w->count < WORDS_MAX);
	w->words[w->count] = strdup(word);
	assert_non_null(w->words[w->count++]);
}

/* `tokscope agent --config.file FILE`; more words may follow. */
static inline void world_begin(struct world *w, const char *yaml)
{
	*w = (struct world){ .path = "/tmp/tokscope-config-XXXXXX" };
	assert_true(close(mkstemp(w->path)) == 0);
	world_write(w, yaml);
	world_word(w, "agent");
	world_word(w, "--config.file");
	world_word(w, w->path);
}

static inline int world_load(struct world *w)
{
	int used;

	return config_load(command_find(1, w->words, &used), w->count, w->words, &w->config);
}

static inline void world_end(struct world *w)
{
	config_free(&w->config);
	for (int i = 0; i < w->count; i++)
		free(w->words[i]);
	assert_int_equal(unlink(w->path), 0);
}

/* The value as JSON, "-" for none, with the place it comes from; FILE stands for the file's name. */
static inline void assert_setting(const struct world *w, const char *key, const char *want)
{
	const struct option_spec *o = option_by_key(key);
	char where[256], got[512];
	const char *place;
	json_t *value;
	char *text;

	assert_non_null(o);
	value = config_value(&w->config, o, false);
	text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
	place = config_where(&w->config, o, where, sizeof(where));
	if (!strncmp(place, w->path, strlen(w->path)))
		snprintf(got, sizeof(got), "%s FILE%s", text, place + strlen(w->path));
	else
		snprintf(got, sizeof(got), "%s %s", text, place);
	free(text);
	json_decref(value);
	assert_string_equal(got, want);
}

#endif
