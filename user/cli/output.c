// SPDX-License-Identifier: Apache-2.0
#include "cli/output.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void output_json(const struct config *c, json_t *value)
{
	json_dumpf(value, stdout,
		   JSON_PRESERVE_ORDER | JSON_ENCODE_ANY | JSON_REAL_PRECISION(DBL_DIG) |
			   (c->pretty ? JSON_INDENT(2) : JSON_COMPACT));
	putchar('\n');
	json_decref(value);
}

char *output_duration(char *buf, double seconds)
{
	if (isnan(seconds))
		strcpy(buf, "-");
	else if (seconds < 1e-3)
		snprintf(buf, 16, "%.0f us", seconds * 1e6);
	else if (seconds < 1)
		snprintf(buf, 16, "%.1f ms", seconds * 1e3);
	else
		snprintf(buf, 16, "%.2f s", seconds);
	return buf;
}

char *output_address(char *buf, size_t len, const char *address, unsigned int port)
{
	if (!port)
		snprintf(buf, len, "%s", address);
	else
		snprintf(buf, len, strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, port);
	return buf;
}
