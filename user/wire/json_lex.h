/* SPDX-License-Identifier: Apache-2.0 */
/* The lexical parts of json_scan.c that need no scanner: numbers byte by byte, strings by leaps. */
#ifndef WIRE_JSON_LEX_H
#define WIRE_JSON_LEX_H

#include <stdbool.h>
#include <stdint.h>

/* Where in the number grammar of RFC 8259 section 6. */
enum number_state {
	NUMBER_MINUS,
	NUMBER_ZERO,
	NUMBER_INT,
	NUMBER_POINT,
	NUMBER_FRACTION,
	NUMBER_E,
	NUMBER_SIGN,
	NUMBER_EXPONENT,
	NUMBER_END, /* the byte does not belong to the number */
};

/* The state after the first byte of a number, which is a digit or a minus sign. */
enum number_state json_number_first(uint8_t c);
enum number_state json_number_next(enum number_state st, uint8_t c);
/* What has been read is a number, if nothing more comes. */
bool json_number_whole(enum number_state st);

/* The first quote, backslash or control character in [p, end), else end. */
const uint8_t *json_string_stop(const uint8_t *p, const uint8_t *end);

#endif
