/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounded push scanner for one JSON document: any cut of the bytes gives the same calls.
 *
 * It checks the grammar of RFC 8259 (and takes the NaN and Infinity that Python's json writes), follows the paths of a
 * table of fields, and reports values at those paths. Nothing is kept but the text of the string that is being read,
 * where a field wants it, at most JSON_TEXT_MAX bytes; it is zeroed when the string has been used. Bytes that are no
 * JSON, and nesting beyond JSON_DEPTH_MAX, put the scanner out of sync: it then ignores everything until json_reset().
 */
#ifndef WIRE_JSON_SCAN_H
#define WIRE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MAX	64 /* bits of json_scan.objects */
#define JSON_PATH_MAX	6
#define JSON_TEXT_MAX	128
#define JSON_FIELDS_MAX 32 /* bits of a set of fields */

enum json_type {
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,  /* reported at its first element: never for [] */
	JSON_OBJECT, /* reported at its first key: never for {} */
	JSON_CLOSE,  /* end of the array or object at this path, empty ones too */
};

/* A place in the document: keys from the root on, "[]" for any element of an array, then NULL. */
struct json_field {
	const char *path[JSON_PATH_MAX + 1];
	uint8_t role; /* the owner's */
	bool text;    /* the owner reads json_value.text of strings */
};

struct json_value {
	enum json_type type;
	int64_t number; /* JSON_NUMBER: a whole number >= 0 that fits; else -1 */
	uint64_t len;	/* JSON_STRING: bytes between the quotes, as written */
	const char *
		text; /* JSON_STRING: unescaped, NUL-terminated, non-ASCII escapes and \u0000 as 0xff; NULL where it
			     is longer than JSON_TEXT_MAX or no field wants it. Valid during the call only. */
};

struct json_events {
	void (*value)(void *ctx, const struct json_field *field, const struct json_value *value);
};

struct json_scan {
	const struct json_field *const *fields;
	const struct json_events *events;
	void *ctx;
	const char *literal; /* what is still to come of "true", ... */
	uint64_t objects;    /* bit d - 1: the container at depth d is an object */
	uint64_t string_len; /* bytes of the current string so far */
	int64_t number;	     /* the current number so far, -1: not a whole number */
	uint32_t all;	     /* set of all fields */
	uint32_t below
		[JSON_PATH_MAX +
		 1]; /* [d - 1]: fields whose path leads to or through the container at depth d */
	uint32_t value; /* fields whose path leads to or through the current value */
	uint32_t hex;	/* of a \u escape so far */
	uint8_t state;	/* private to json_scan.c, as are the next four */
	uint8_t allow;
	uint8_t number_state;
	uint8_t literal_type;
	uint8_t hex_left;
	uint8_t depth; /* open containers */
	bool is_key;
	bool keep_text;
	bool text_cut;
	uint8_t text_len;
	char text[JSON_TEXT_MAX + 1];
};

/* fields: count (<= JSON_FIELDS_MAX) pointers that outlive s. */
void json_init(struct json_scan *s, const struct json_field *const *fields, size_t count,
	       const struct json_events *events, void *ctx);
/* Expect a new document. */
void json_reset(struct json_scan *s);

void json_feed(struct json_scan *s, const uint8_t *data, size_t len);
/* End of the bytes: finishes a number at the root. True when exactly one whole document was read. */
bool json_end(struct json_scan *s);

/* Nothing but white space so far. */
bool json_blank(const struct json_scan *s);
/* False once the bytes were not JSON. */
bool json_in_sync(const struct json_scan *s);

#endif
