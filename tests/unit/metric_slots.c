// SPDX-License-Identifier: Apache-2.0
/* include/tks_hist.h against long double maths: every boundary of both units, its neighbours, and the ends. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tks_hist.h"

#define NS 1000000000.0L

/* Smallest slot whose boundary unit * 2^(slot/8) is not below v, searched, not computed. */
static int reference(uint64_t v, long double unit)
{
	int slot = -400;

	while (unit * exp2l(slot / 8.0L) < v)
		slot++;
	return slot;
}

static void check(uint64_t v, const struct tks_hist_scale *scale, long double unit)
{
	uint32_t cell = tks_hist_cell(v, scale);

	assert_in_range(cell, 0, TKS_HIST_CELLS - 1);
	assert_int_equal(tks_hist_slot(cell, scale), reference(v, unit));
}

/* Up to 2^60: beyond it a long double has no digits left to tell v from v + 1 at an irrational boundary. */
static int check_unit(const struct tks_hist_scale *scale, long double unit)
{
	int checked = 0;

	for (int slot = -240; slot <= 480; slot++) {
		long double boundary = floorl(unit * exp2l(slot / 8.0L));

		if (boundary < 2 || boundary > 0x1p60L)
			continue;
		for (int step = -1; step <= 1; step++, checked++)
			check((uint64_t)boundary + step, scale, unit);
	}
	return checked;
}

static void test_plain_boundaries(void **state)
{
	(void)state;
	/* Boundaries 2^(8/8) .. 2^(480/8), three values each. */
	assert_int_equal(check_unit(&tks_hist_plain, 1), (480 - 8 + 1) * 3);
}

static void test_ns_boundaries(void **state)
{
	(void)state;
	/* From 10^9 * 2^(-231/8) = 2.03 ns to 10^9 * 2^(240/8) = 1.07e18 ns. */
	assert_int_equal(check_unit(&tks_hist_ns, NS), (240 + 231 + 1) * 3);
}

static void test_small_values(void **state)
{
	(void)state;
	for (uint64_t v = 1; v <= 100000; v += v < 5000 ? 1 : 97) {
		check(v, &tks_hist_plain, 1);
		check(v, &tks_hist_ns, NS);
	}
}

/* The irrational boundaries at the top of the range, as accurate as a long double is. */
static void test_tables(void **state)
{
	(void)state;
	for (int k = 0; k < TKS_HIST_PER_OCTAVE; k++) {
		long double plain = exp2l(63 + k / 8.0L);
		long double ns = ldexpl(NS * exp2l((k + 1) / 8.0L), 33);

		assert_true(fabsl(plain - (long double)tks_hist_plain.boundary[k]) <= 1);
		assert_true(fabsl(ns - (long double)tks_hist_ns.boundary[k]) <= 2);
	}
}

static void test_exact_powers(void **state)
{
	(void)state;
	for (int e = 0; e < 64; e++) {
		uint64_t v = 1ULL << e;

		assert_int_equal(tks_hist_slot(tks_hist_cell(v, &tks_hist_plain), &tks_hist_plain),
				 8 * e);
		/* From 16 on the next integer is less than a ninth away: one slot. */
		if (e >= 4)
			assert_int_equal(tks_hist_cell(v + 1, &tks_hist_plain), 8 * e + 1);
	}
	/* 2^q seconds are exact in nanoseconds for q >= 0 and down to -9. */
	for (int q = -9; q <= 34; q++) {
		uint64_t v = q < 0 ? 1000000000ULL >> -q : 1000000000ULL << q;

		assert_int_equal(tks_hist_slot(tks_hist_cell(v, &tks_hist_ns), &tks_hist_ns),
				 8 * q);
		assert_int_equal(tks_hist_slot(tks_hist_cell(v + 1, &tks_hist_ns), &tks_hist_ns),
				 8 * q + 1);
	}
}

static void test_ends(void **state)
{
	(void)state;
	assert_int_equal(tks_hist_cell(0, &tks_hist_plain), 0);
	assert_int_equal(tks_hist_cell(0, &tks_hist_ns), 0);
	assert_int_equal(tks_hist_cell(1, &tks_hist_plain), 0);
	assert_int_equal(tks_hist_slot(tks_hist_cell(1, &tks_hist_ns), &tks_hist_ns), -239);
	assert_int_equal(tks_hist_cell(UINT64_MAX, &tks_hist_plain), TKS_HIST_CELLS - 1);
	assert_int_equal(tks_hist_cell(UINT64_MAX, &tks_hist_ns), TKS_HIST_CELLS - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_boundaries), cmocka_unit_test(test_ns_boundaries),
		cmocka_unit_test(test_small_values),	 cmocka_unit_test(test_tables),
		cmocka_unit_test(test_exact_powers),	 cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
