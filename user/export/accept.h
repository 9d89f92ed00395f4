/* SPDX-License-Identifier: Apache-2.0 */
/* Reading Accept and Accept-Encoding (RFC 9110, 12.5): a list of choices, each with parameters and a quality. */
#ifndef EXPORT_ACCEPT_H
#define EXPORT_ACCEPT_H

#include <stdbool.h>
#include <stddef.h>

#define ACCEPT_Q_ONE 1000 /* q=1; qualities are thousandths */

struct accept_item {
	const char *name; /* "text/plain", "gzip", "*": points into the header; not terminated */
	size_t name_len;
	const char *parameters; /* from the first ';' on; accept_parameter_in() reads them */
	size_t parameters_len;
	int q; /* 0..ACCEPT_Q_ONE; a quality that cannot be read is 0 */
};

/* Reads the next item at *cursor and moves it on; false at the end. */
bool accept_next(const char **cursor, struct accept_item *item);
/* Case-insensitive. */
bool accept_is(const struct accept_item *item, const char *name);
/* Whether the parameter has one of these values (NULL-terminated), or is not given. Case-insensitive. */
bool accept_parameter_in(const struct accept_item *item, const char *name,
			 const char *const *values);

/* Whether an Accept-Encoding header (NULL: none sent) lets the answer be gzip. */
bool accept_gzip(const char *accept_encoding);

#endif
