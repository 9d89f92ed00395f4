/* SPDX-License-Identifier: Apache-2.0 */
/* The value of one setting, whatever its kind: given as text, shown as JSON, copied. */
#ifndef CLI_CONFIG_VALUE_H
#define CLI_CONFIG_VALUE_H

#include <stdbool.h>

#include <jansson.h>

#include "cli/config.h"

/*
 * text NULL: a flag without a value. Times without a unit are seconds; in the environment they are milliseconds and have no unit.
 * A list grows while `from` stays the same, and begins anew for another source. Returns 0, -EINVAL or -ENOMEM; a value that
 * is refused leaves the setting as it was.
 */
int config_assign(struct config *c, const struct option_spec *o, const char *text,
		  struct config_origin from);
/* An empty list. */
void config_assign_none(struct config *c, const struct option_spec *o, struct config_origin from);
/* The value and where it came from. Returns 0 or -ENOMEM. */
int config_copy(struct config *to, const struct config *from, const struct option_spec *o);

bool option_is_list(const struct option_spec *o);
/* The words that the setting may be, NULL: other things. */
const char *const *option_words(const struct option_spec *o, size_t *count);
/* "a size such as 4m" */
const char *option_expected(const struct option_spec *o);
/* Whether a wrong value may be repeated in a message. */
bool option_is_private(const struct option_spec *o);

/* A new reference, json_null() where nothing is set. hide: without secrets. NULL: out of memory. */
json_t *config_value(const struct config *c, const struct option_spec *o, bool hide);

/* Where a setting came from: "default", "FILE:LINE", the variable, or the flag. Points into buf or lives longer. */
const char *config_where(const struct config *c, const struct option_spec *o, char *buf,
			 size_t len);

#endif
