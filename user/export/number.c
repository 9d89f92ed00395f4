// SPDX-License-Identifier: Apache-2.0
#include "export/number.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Above this a double does not hold every integer. */
#define EXACT_MAX 0x1p53

void number_write_u64(struct buf *out, uint64_t v)
{
	char digits[20]; /* of 2^64 - 1 */
	size_t i = sizeof(digits);

	do {
		digits[--i] = '0' + v % 10;
		v /= 10;
	} while (v);
	buf_append(out, digits + i, sizeof(digits) - i);
}

static bool write_special(struct buf *out, double v)
{
	if (isfinite(v))
		return false;
	buf_puts(out, isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
	return true;
}

/* %g drops trailing zeros, so the first of 15, 16, 17 digits that reads back is the shortest. */
static void shortest(char *text, size_t size, double v)
{
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, size, "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			return;
	}
}

void number_write(struct buf *out, double v)
{
	char text[32];

	if (write_special(out, v))
		return;
	if (fabs(v) < EXACT_MAX && v == trunc(v)) {
		if (v < 0)
			buf_append(out, "-", 1);
		number_write_u64(out, fabs(v));
		return;
	}
	shortest(text, sizeof(text), v);
	buf_puts(out, text);
}

/* "1e+06" for 1000000: %e with as few digits as read back. */
static void shortest_exponent(char *text, size_t size, double v)
{
	for (int digits = 0; digits <= 16; digits++) {
		snprintf(text, size, "%.*e", digits, v);
		if (strtod(text, NULL) == v)
			return;
	}
}

void number_write_le(struct buf *out, double v)
{
	double magnitude = fabs(v);
	char text[32];

	if (write_special(out, v))
		return;
	/* Go switches to the exponent below 1e-4 and from 1e6 on (strconv/ftoa.go, eprec). */
	if (magnitude >= 1e6 || (magnitude < 1e-4 && magnitude > 0))
		shortest_exponent(text, sizeof(text), v);
	else
		shortest(text, sizeof(text), v);
	buf_puts(out, text);
	if (!strpbrk(text, ".e"))
		buf_puts(out, ".0");
}
