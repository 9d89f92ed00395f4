// SPDX-License-Identifier: Apache-2.0
#include "discover/text.h"

#include <stdint.h>
#include <string.h>

/* Bytes of the UTF-8 character at s, 0 where there is none (RFC 3629: no surrogates, no overlong forms). */
static size_t character(const uint8_t *s)
{
	static const struct {
		uint8_t first, last; /* leading byte */
		uint8_t second_min, second_max;
		size_t len;
	} forms[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	if (s[0] < 0x80)
		return s[0] >= 0x20 && s[0] != 0x7f;
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		if (s[0] < forms[i].first || s[0] > forms[i].last)
			continue;
		if (s[1] < forms[i].second_min || s[1] > forms[i].second_max)
			return 0;
		for (size_t k = 2; k < forms[i].len; k++)
			if ((s[k] & 0xc0) != 0x80)
				return 0;
		/* U+0080 to U+009F are controls too */
		return s[0] == 0xc2 && s[1] < 0xa0 ? 0 : forms[i].len;
	}
	return 0;
}

void text_copy(char *dst, size_t size, const char *src)
{
	size_t n = 0;

	while (*src) {
		size_t len = character((const uint8_t *)src);
		size_t take = len ? len : 1;

		if (n + take >= size)
			break;
		if (len)
			memcpy(dst + n, src, len);
		else
			dst[n] = '?';
		n += take;
		src += take;
	}
	dst[n] = '\0';
}

const char *text_basename(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}
