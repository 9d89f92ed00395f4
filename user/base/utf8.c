// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

size_t utf8_sequence(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t len;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90))
		return 0; /* overlong */
	if ((s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0; /* surrogate; above U+10FFFF */
	return len;
}

bool utf8_valid(const char *s)
{
	while (*s) {
		size_t len = utf8_sequence(s);

		if (!len)
			return false;
		s += len;
	}
	return true;
}

void utf8_repair(char *s)
{
	while (*s) {
		size_t len = utf8_sequence(s);

		if (!len)
			*s = '?';
		s += len ? len : 1;
	}
}
