// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

static void test_grows_and_terminates(void **state)
{
	struct buf b = BUF_INIT;
	size_t want = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		buf_printf(&b, "%d,", i);
		want += 2 + (i > 9) + (i > 99);
	}
	assert_int_equal(b.err, 0);
	assert_int_equal(b.len, want);
	assert_int_equal(strlen(b.data), want);
	assert_memory_equal(b.data, "0,1,2,3,", 8);
	buf_free(&b);
	assert_null(b.data);
}

static void test_error_is_sticky(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_puts(&b, "kept");
	b.err = -ENOMEM;
	buf_puts(&b, "dropped");
	buf_printf(&b, "%s", "dropped");
	assert_string_equal(b.data, "kept");
	buf_reset(&b);
	assert_int_equal(b.err, 0);
	buf_append(&b, "a\0b", 3);
	assert_int_equal(b.len, 3);
	buf_free(&b);
}

static void test_log_levels(void **state)
{
	(void)state;
	assert_int_equal(log_level_parse("error"), LOG_LEVEL_ERROR);
	assert_int_equal(log_level_parse("debug"), LOG_LEVEL_DEBUG);
	assert_int_equal(log_level_parse("loud"), -EINVAL);
	errno = EPIPE;
	log_debug("not shown");
	assert_int_equal(errno, EPIPE);
}

static void test_clocks(void **state)
{
	uint64_t a = clock_monotonic_ns(), wall = clock_wall_ns(a);

	(void)state;
	assert_true(clock_monotonic_ns() >= a);
	assert_true(wall > 1600000000ULL * NSEC_PER_SEC);
	assert_in_range(clock_tick_ns(), NSEC_PER_SEC / 1024, NSEC_PER_SEC / 100); /* CONFIG_HZ */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grows_and_terminates),
		cmocka_unit_test(test_error_is_sticky),
		cmocka_unit_test(test_log_levels),
		cmocka_unit_test(test_clocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
