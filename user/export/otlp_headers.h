/* SPDX-License-Identifier: Apache-2.0 */
/* Headers that are added to each OTLP request. Their values are secrets: no message holds one. */
#ifndef EXPORT_OTLP_HEADERS_H
#define EXPORT_OTLP_HEADERS_H

#include <stdbool.h>
#include <stddef.h>

struct otlp_header {
	char *name;
	char *value;
};

struct otlp_headers {
	struct otlp_header *items; /* names differ, whatever their case */
	size_t count;
};

/*
 * Each adds to h, a name that is there already gets the new value. `setting` is what messages call the source. 0, or -EINVAL
 * or -ENOMEM or the file's errno after logging what is wrong; h is to be freed then too.
 */

/* "key=value,key=value", values percent-encoded (W3C Baggage, as the specification asks). */
int otlp_headers_add_list(struct otlp_headers *h, const char *list, const char *setting);
/* Lines of "key: value"; empty lines and those that begin with # are skipped. */
int otlp_headers_add_file(struct otlp_headers *h, const char *path, const char *setting);
void otlp_headers_free(struct otlp_headers *h);
/* Whether a text shows a value, or the beginning of a longer word of one (a text may be cut). */
bool otlp_headers_shown_in(const struct otlp_headers *h, const char *text);

#endif
