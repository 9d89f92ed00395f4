// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/arena.h"

/* Small ones, and such as need a block of their own. */
static void test_pieces_are_zero_aligned_and_apart(void **state)
{
	static const size_t sizes[] = { 1, 7, 100, 70000, 3, 200000, 0, 5 };
	uint8_t *pieces[8];
	struct arena a = { 0 };

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		pieces[i] = arena_alloc(&a, sizes[i]);
		assert_non_null(pieces[i]);
		assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
		for (size_t k = 0; k < sizes[i]; k++)
			assert_int_equal(pieces[i][k], 0);
		memset(pieces[i], (int)i + 1, sizes[i]);
	}
	for (size_t i = 0; i < 8; i++)
		for (size_t k = 0; k < sizes[i]; k++)
			assert_int_equal(pieces[i][k], i + 1);
	arena_free(&a);
}

static void test_limit(void **state)
{
	struct arena a = { .limit = 100 };

	(void)state;
	assert_non_null(arena_alloc(&a, 60));
	assert_null(arena_alloc(&a, 41));
	assert_int_equal(a.err, -ENOMEM);
	assert_non_null(arena_alloc(&a, 40));
	assert_int_equal(a.err, -ENOMEM);
	arena_free(&a);
	assert_int_equal(a.err, 0);
	assert_non_null(arena_alloc(&a, 100));
	arena_free(&a);
}

static void test_sizes_that_cannot_be(void **state)
{
	struct arena a = { 0 };

	(void)state;
	assert_null(arena_array(&a, SIZE_MAX / 2, 4));
	assert_int_equal(a.err, -ENOMEM);
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_string_equal(arena_strdup(&a, "text"), "text");
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces_are_zero_aligned_and_apart),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_sizes_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
