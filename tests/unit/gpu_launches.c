// SPDX-License-Identifier: Apache-2.0
/* Launches and their work: what waits, and what is given up for whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gpu/launches.h"

#define MAX 16

static int open_launches(void **state)
{
	*state = launches_new(MAX);
	return *state ? 0 : -1;
}

static int close_launches(void **state)
{
	launches_free(*state);
	return 0;
}

static void call(struct launches *l, uint32_t tgid, uint32_t correlation)
{
	struct launch pair;

	launches_call(l, tgid, correlation, 100, 1000, &pair);
}

static bool work(struct launches *l, uint32_t tgid, uint32_t correlation)
{
	struct launch pair;

	return launches_work(l, tgid, correlation, 0, 200, 1000, &pair);
}

static struct launches_stats stats(const struct launches *l)
{
	struct launches_stats s;

	launches_get_stats(l, &s);
	return s;
}

/* One that makes up launches loses its own. */
static void test_quota(void **state)
{
	struct launches *l = *state;

	call(l, 1, 1);
	for (uint32_t i = 0; i < 100; i++)
		call(l, 2, i);
	assert_int_equal(stats(l).waiting, 1 + MAX / 4);
	assert_int_equal(stats(l).unmatched_calls, 100 - MAX / 4);
	assert_true(work(l, 1, 1));
	assert_true(work(l, 2, 99)); /* the newest */
	assert_true(work(l, 2, 96));
	assert_false(work(l, 2, 95));
}

static void test_full(void **state)
{
	struct launches *l = *state;

	for (uint32_t i = 0; i < MAX + 1; i++)
		call(l, 1 + i, 7);
	assert_int_equal(stats(l).waiting, MAX);
	assert_int_equal(stats(l).unmatched_calls, 1);
	assert_true(work(l, 2, 7));
	assert_true(work(l, MAX + 1, 7));
	assert_false(work(l, 1, 7)); /* the oldest was given up */
}

static void test_process_gone(void **state)
{
	struct launches *l = *state;

	call(l, 1, 1);
	call(l, 2, 1);
	call(l, 2, 2);
	launches_process_gone(l, 2);
	launches_process_gone(l, 3);
	assert_int_equal(stats(l).waiting, 1);
	assert_int_equal(stats(l).unmatched_calls, 2);
	assert_true(work(l, 1, 1));
	launches_expire(l, 2000);
	assert_int_equal(stats(l).waiting, 0);
	assert_int_equal(stats(l).unmatched_calls, 2);
}

#define with_launches(test) cmocka_unit_test_setup_teardown(test, open_launches, close_launches)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_launches(test_quota),
		with_launches(test_full),
		with_launches(test_process_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
