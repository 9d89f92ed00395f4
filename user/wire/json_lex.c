// SPDX-License-Identifier: Apache-2.0
#include "wire/json_lex.h"

#include <string.h>

enum number_state json_number_first(uint8_t c)
{
	return c == '-' ? NUMBER_MINUS : c == '0' ? NUMBER_ZERO : NUMBER_INT;
}

static enum number_state number_digit(enum number_state st)
{
	switch (st) {
	case NUMBER_MINUS:
	case NUMBER_INT:
		return NUMBER_INT;
	case NUMBER_POINT:
	case NUMBER_FRACTION:
		return NUMBER_FRACTION;
	case NUMBER_E:
	case NUMBER_SIGN:
	case NUMBER_EXPONENT:
		return NUMBER_EXPONENT;
	default:
		return NUMBER_END; /* a digit after a leading zero */
	}
}

enum number_state json_number_next(enum number_state st, uint8_t c)
{
	if (c >= '0' && c <= '9')
		return st == NUMBER_MINUS && c == '0' ? NUMBER_ZERO : number_digit(st);
	if (c == '.' && (st == NUMBER_ZERO || st == NUMBER_INT))
		return NUMBER_POINT;
	if ((c | 0x20) == 'e' && (st == NUMBER_ZERO || st == NUMBER_INT || st == NUMBER_FRACTION))
		return NUMBER_E;
	if ((c == '+' || c == '-') && st == NUMBER_E)
		return NUMBER_SIGN;
	return NUMBER_END;
}

bool json_number_whole(enum number_state st)
{
	return st == NUMBER_ZERO || st == NUMBER_INT || st == NUMBER_FRACTION ||
	       st == NUMBER_EXPONENT;
}

#define BYTES(c) (0x0101010101010101ull * (c))

/* Eight bytes at a time, with "haszero" of Bit Twiddling Hacks. */
const uint8_t *json_string_stop(const uint8_t *p, const uint8_t *end)
{
	for (; end - p >= 8; p += 8) {
		uint64_t w, quote, backslash;

		memcpy(&w, p, 8);
		quote = w ^ BYTES('"');
		backslash = w ^ BYTES('\\');
		if ((((quote - BYTES(1)) & ~quote) | ((backslash - BYTES(1)) & ~backslash) |
		     ((w - BYTES(0x20)) & ~w)) &
		    BYTES(0x80))
			break;
	}
	while (p < end && *p != '"' && *p != '\\' && *p >= 0x20)
		p++;
	return p;
}
