// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "metric/bounds.h"
#include "metric/hist.h"

static const double le[] = { 1, 2, 4 };
static const struct hist_bounds bounds = { le, 3 };

static uint64_t slot(const struct hist *h, int32_t index)
{
	if (index < h->exp_first || index >= h->exp_first + (int32_t)h->exp_len)
		return 0;
	return h->exp[index - h->exp_first];
}

static uint64_t exp_total(const struct hist *h)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < h->exp_len; i++)
		n += h->exp[i];
	return n;
}

/* By search, in long double: 11 bits finer than double, so no double lies within its rounding of a boundary. */
static int32_t reference(double v)
{
	int32_t i = HIST_INDEX_MIN;

	while (i < HIST_INDEX_MAX && exp2l(i / 8.0L) < (long double)v)
		i++;
	return i;
}

static void test_index_at_every_boundary(void **state)
{
	(void)state;
	for (int32_t i = HIST_INDEX_MIN + 1; i < HIST_INDEX_MAX; i++) {
		double upper = hist_upper(i);

		assert_true(fabsl(upper - exp2l(i / 8.0L)) <= nextafter(upper, INFINITY) - upper);
		assert_int_equal(hist_index(upper), i);
		assert_int_equal(hist_index(nextafter(upper, 0)), i);
		assert_int_equal(hist_index(nextafter(upper, INFINITY)), i + 1);
		assert_int_equal(hist_index(upper), reference(upper));
		assert_int_equal(hist_index(nextafter(upper, INFINITY)),
				 reference(nextafter(upper, INFINITY)));
	}
}

static void test_index_ends(void **state)
{
	(void)state;
	assert_int_equal(hist_index(1), 0);
	assert_int_equal(hist_index(2), 8);
	assert_int_equal(hist_index(0.5), -8);
	assert_int_equal(hist_index(5e-324), HIST_INDEX_MIN);
	assert_int_equal(hist_index(0x1p-40), HIST_INDEX_MIN);
	assert_int_equal(hist_index(nextafter(0x1p-40, 1)), HIST_INDEX_MIN + 1);
	assert_int_equal(hist_index(0x1p40), HIST_INDEX_MAX);
	assert_int_equal(hist_index(0x1p41), HIST_INDEX_MAX);
	assert_int_equal(hist_index(INFINITY), HIST_INDEX_MAX);
	assert_true(hist_upper(0) == 1.0);
	assert_true(hist_upper(-16) == 0.25);
	assert_true(hist_upper(320) == 0x1p40);
}

static void test_observe(void **state)
{
	struct hist h;

	(void)state;
	assert_int_equal(hist_init(&h, &bounds), 0);
	assert_true(isnan(h.min) && isnan(h.max));
	assert_int_equal(hist_observe(&h, 1, 1), 0); /* upper-inclusive */
	assert_int_equal(hist_observe(&h, nextafter(1, 2), 2), 0);
	assert_int_equal(hist_observe(&h, 4, 1), 0);
	assert_int_equal(hist_observe(&h, 5, 1), 0);
	assert_int_equal(hist_observe(&h, NAN, 7), 0);
	assert_int_equal(hist_observe(&h, 3, 0), 0);
	assert_int_equal(h.count, 5);
	assert_int_equal(h.classic[0], 1);
	assert_int_equal(h.classic[1], 2);
	assert_int_equal(h.classic[2], 1);
	assert_int_equal(h.classic[3], 1);
	assert_true(h.sum == 1 + 2 * nextafter(1, 2) + 4 + 5);
	assert_true(h.min == 1 && h.max == 5);
	assert_int_equal(slot(&h, 0), 1);
	assert_int_equal(slot(&h, 1), 2);
	assert_int_equal(slot(&h, 16), 1);
	assert_int_equal(slot(&h, 19), 1); /* 2^(18/8) = 4.76 < 5 <= 2^(19/8) */
	assert_int_equal(exp_total(&h), 5);
	hist_free(&h);
}

static void test_zero_and_negative(void **state)
{
	struct hist h;

	(void)state;
	assert_int_equal(hist_init(&h, &bounds), 0);
	hist_observe(&h, 0, 2);
	hist_observe(&h, -3, 1);
	assert_int_equal(h.zero, 3);
	assert_int_equal(h.classic[0], 3);
	assert_int_equal(h.exp_len, 0);
	assert_true(h.min == -3 && h.max == 0 && h.sum == -3);
	assert_true(hist_quantile(&h, 0.5) == 0);
	hist_free(&h);
}

static void test_window_grows_both_ways(void **state)
{
	struct hist h;

	(void)state;
	assert_int_equal(hist_init(&h, &bounds), 0);
	hist_observe(&h, 1, 1);
	assert_int_equal(h.exp_len, 8);
	hist_observe(&h, 1e-300, 1);
	hist_observe(&h, 1e300, 1);
	assert_int_equal(h.exp_first, HIST_INDEX_MIN);
	assert_int_equal(slot(&h, HIST_INDEX_MIN), 1);
	assert_int_equal(slot(&h, 0), 1);
	assert_int_equal(slot(&h, HIST_INDEX_MAX), 1);
	assert_int_equal(exp_total(&h), 3);
	hist_free(&h);
}

static void test_merge_copy_reset(void **state)
{
	struct hist a, b, c, other;

	(void)state;
	hist_init(&a, &bounds);
	hist_init(&b, &bounds);
	hist_init(&other, &bounds_ttft);
	hist_observe(&a, 1, 3);
	hist_observe(&a, 0, 1);
	hist_observe(&b, 100, 2);
	assert_int_equal(hist_merge(&a, &b), 0);
	assert_int_equal(a.count, 6);
	assert_true(a.sum == 203 && a.min == 0 && a.max == 100);
	assert_int_equal(a.classic[0], 4);
	assert_int_equal(a.classic[3], 2);
	assert_int_equal(slot(&a, 0), 3);
	assert_int_equal(slot(&a, hist_index(100)), 2);
	hist_observe(&other, 1, 1);
	assert_int_equal(hist_merge(&a, &other), -EINVAL);
	assert_int_equal(a.count, 6);
	assert_int_equal(hist_copy(&c, &a), 0);
	hist_reset(&a);
	assert_int_equal(a.count, 0);
	assert_int_equal(exp_total(&a), 0);
	assert_true(isnan(a.max) && isnan(hist_quantile(&a, 0.5)));
	assert_int_equal(c.count, 6);
	assert_int_equal(c.zero, 1);
	assert_int_equal(exp_total(&c), 5);
	assert_ptr_not_equal(c.exp, a.exp);
	assert_int_equal(hist_merge(&c, &a), 0); /* an empty one changes nothing */
	assert_true(c.min == 0 && c.max == 100);
	hist_free(&a);
	hist_free(&b);
	hist_free(&c);
	hist_free(&other);
}

static void test_quantile(void **state)
{
	struct hist h;

	(void)state;
	hist_init(&h, &bounds);
	hist_observe(&h, 1.5, 1);
	assert_true(hist_quantile(&h, 0) == 1.5);
	assert_true(hist_quantile(&h, 0.5) == 1.5);
	assert_true(hist_quantile(&h, 1) == 1.5);
	hist_reset(&h);
	for (int i = 1; i <= 1000; i++)
		hist_observe(&h, i / 1000.0, 1);
	/* A slot is 2^(1/8) = 9 % wide; inside it the interpolation is good to a few per mille here. */
	assert_true(fabs(hist_quantile(&h, 0.5) - 0.5) < 0.005);
	assert_true(fabs(hist_quantile(&h, 0.99) - 0.99) < 0.01);
	assert_true(hist_quantile(&h, 1) == 1);
	assert_true(hist_quantile(&h, 0) == 0.001);
	hist_reset(&h);
	hist_observe(&h, 2,
		     4); /* rank 2 of 4 in (2^(7/8), 2]: halfway by logarithm, then cut to min */
	assert_true(hist_quantile(&h, 0.5) == 2);
	hist_observe(&h, hist_upper(7), 4);
	assert_true(fabs(hist_quantile(&h, 0.75) - exp2(7.5 / 8)) < 1e-12);
	hist_free(&h);
}

static void check_bounds(const struct hist_bounds *b, size_t count, double first, double last)
{
	assert_int_equal(b->count, count);
	assert_true(b->le[0] == first && b->le[count - 1] == last);
	for (size_t i = 1; i < count; i++)
		assert_true(b->le[i] > b->le[i - 1]);
}

static void test_bounds(void **state)
{
	(void)state;
	check_bounds(&bounds_duration, 14, 0.01, 81.92);
	check_bounds(&bounds_ttft, 16, 0.001, 10);
	check_bounds(&bounds_tpot, 19, 0.0005, 2.5);
	check_bounds(&bounds_call, 22, 0.000001, 10);
	check_bounds(&bounds_tokens, 14, 1, 67108864);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_index_at_every_boundary),
		cmocka_unit_test(test_index_ends),
		cmocka_unit_test(test_observe),
		cmocka_unit_test(test_zero_and_negative),
		cmocka_unit_test(test_window_grows_both_ways),
		cmocka_unit_test(test_merge_copy_reset),
		cmocka_unit_test(test_quantile),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
