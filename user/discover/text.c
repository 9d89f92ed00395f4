// SPDX-License-Identifier: Apache-2.0
#include "discover/text.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

/* Bytes of the character at s, 0 where there is none, or a control character. */
static size_t character(const char *s)
{
	const uint8_t *u = (const uint8_t *)s;
	size_t len = utf8_sequence(s);

	if (len == 1)
		return u[0] >= 0x20 && u[0] != 0x7f;
	/* U+0080 to U+009F are controls too */
	return len == 2 && u[0] == 0xc2 && u[1] < 0xa0 ? 0 : len;
}

void text_copy(char *dst, size_t size, const char *src)
{
	size_t n = 0;

	while (*src) {
		size_t len = character(src);
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
