// SPDX-License-Identifier: Apache-2.0
#include "export/base64.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_decode(uint8_t *out, size_t cap, const char *text, size_t len)
{
	uint32_t bits = 0;
	size_t n = 0;
	int have = 0;

	while (len && text[len - 1] == '=')
		len--;
	for (size_t i = 0; i < len; i++) {
		const char *at = text[i] ? strchr(alphabet, text[i]) : NULL;

		if (!at)
			return 0;
		bits = bits << 6 | (uint32_t)(at - alphabet);
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		if (n == cap)
			return 0;
		out[n++] = bits >> have;
	}
	return n;
}
