/* SPDX-License-Identifier: Apache-2.0 */
/* The values of settings as text, and back. Parsers return 0 or -EINVAL and leave *out alone on failure. */
#ifndef CLI_CONFIG_TEXT_H
#define CLI_CONFIG_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

int text_unsigned(const char *text, uint64_t max, uint64_t *out);
int text_bytes(const char *text, uint64_t *out); /* "4096", "512k", "4m" */
int text_decimal(const char *text, double *out); /* 0 and above */
int text_seconds(const char *text, double *out); /* "1.5", "500ms", "5s", "2m", "1h" */
int text_truth(const char *text, bool *out);	 /* "true", "false" */
int text_url(const char *text);			 /* without a space, and not empty */
int text_plain(const char *text);		 /* UTF-8 without control characters */
int text_pairs(const char *text);		 /* "key=value,key=value", values percent-encoded */

/* The other way. New references; NULL: out of memory. */
json_t *text_of_bytes(uint64_t bytes);
json_t *text_of_seconds(double seconds);
json_t *text_of_milliseconds(uint64_t ms);
/* As an object. hide: every value is <hidden>. */
json_t *text_of_pairs(const char *text, bool hide);
/* What may identify somebody, user:password@ and the query, is <hidden>. */
json_t *text_of_url(const char *text);

#endif
