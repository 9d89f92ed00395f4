// SPDX-License-Identifier: Apache-2.0
/* What is new in counts that only grow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "metric/fold.h"

static bool growth_of(struct fold *f, uint64_t key, uint64_t count, uint64_t sum,
		      struct fold_counts *growth)
{
	return fold_growth(f, key, &(const struct fold_counts){ { count, sum } }, growth);
}

static void test_growth_by_key(void **state)
{
	struct fold *f = fold_new();
	struct fold_counts g;

	(void)state;
	assert_true(growth_of(f, 1, 3, 30, &g));
	assert_int_equal(g.value[0], 3);
	assert_int_equal(g.value[1], 30);
	assert_true(growth_of(f, 2, 1, 7, &g));
	assert_int_equal(g.value[1], 7);
	assert_true(growth_of(f, 1, 5, 31, &g));
	assert_int_equal(g.value[0], 2);
	assert_int_equal(g.value[1], 1);
	assert_false(growth_of(f, 1, 5, 31, &g));
	fold_free(f);
}

/* The kernel side counts first and adds after: a look in between must not lose the sum. */
static void test_sum_that_comes_late(void **state)
{
	struct fold *f = fold_new();
	struct fold_counts g;

	(void)state;
	assert_true(growth_of(f, 1, 1, 0, &g));
	assert_false(growth_of(f, 1, 1, 50, &g));
	assert_true(growth_of(f, 1, 2, 80, &g));
	assert_int_equal(g.value[0], 1);
	assert_int_equal(g.value[1], 80);
	fold_free(f);
}

static bool is_odd(uint64_t key, uint32_t arg)
{
	return key % 2 == arg;
}

static void test_forgotten_counts_begin_anew(void **state)
{
	struct fold *f = fold_new();
	struct fold_counts g;

	(void)state;
	growth_of(f, 1, 4, 4, &g);
	growth_of(f, 2, 4, 4, &g);
	fold_forget(f, is_odd, 1);
	assert_true(growth_of(f, 1, 5, 5, &g));
	assert_int_equal(g.value[0], 5);
	assert_true(growth_of(f, 2, 5, 5, &g));
	assert_int_equal(g.value[0], 1);
	fold_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_growth_by_key),
		cmocka_unit_test(test_sum_that_comes_late),
		cmocka_unit_test(test_forgotten_counts_begin_anew),
	};

	return cmocka_run_group_tests_name("metric_fold", tests, NULL, NULL);
}
