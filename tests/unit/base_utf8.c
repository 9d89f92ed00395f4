// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/utf8.h"

static void test_repair(void **state)
{
	/* Each is valid exactly when it stays as it is. */
	static const char *const cases[][2] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf" },
		{ "\xff", "?" },
		{ "a\x80z", "a?z" },
		{ "\xc3", "?" },      /* cut */
		{ "\xe2\x82", "??" }, /* cut */
		{ "\xe2\x82z", "??z" },
		{ "\xc0\xaf", "??" },		/* overlong */
		{ "\xe0\x9f\xbf", "???" },	/* overlong */
		{ "\xed\xa0\x80", "???" },	/* surrogate */
		{ "\xf4\x90\x80\x80", "????" }, /* above U+10FFFF */
		{ "\xc3(\xc3\xa9", "?(\xc3\xa9" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[16];

		strcpy(text, cases[i][0]);
		assert_int_equal(utf8_valid(text), !strcmp(cases[i][0], cases[i][1]));
		utf8_repair(text);
		assert_string_equal(text, cases[i][1]);
		assert_true(utf8_valid(text));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_repair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
