// SPDX-License-Identifier: Apache-2.0
/* Each limit of the watchdog, at it and above it. */
#include "watchdog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ROUND_NS 500000000ull
#define START_NS 1000000000ull
#define ROUNDS	 20 /* a window */

/* What is added to a reading at each round of a window. */
static enum tks_cupti_reason after_a_window(struct watchdog *w, struct watchdog_reading *at,
					    struct watchdog_reading step)
{
	enum tks_cupti_reason reason = TKS_CUPTI_REASON_NONE;

	for (int i = 0; i < ROUNDS && !reason; i++) {
		at->time_ns += ROUND_NS;
		at->records += step.records;
		at->invalid += step.invalid;
		at->refused += step.refused;
		at->cpu_ns += step.cpu_ns;
		at->failed_flushes += step.failed_flushes;
		at->spare_bytes = step.spare_bytes;
		reason = watchdog_check(w, at);
	}
	return reason;
}

static void each_limit(void **state)
{
	static const struct {
		struct watchdog_reading step;
		enum tks_cupti_reason reason;
	} rows[] = {
		{ { .records = 1000000 }, TKS_CUPTI_REASON_NONE },
		/* 1 % of records, and fewer than 1000 */
		{ { .records = 9900, .invalid = 100 }, TKS_CUPTI_REASON_NONE },
		{ { .records = 8900, .invalid = 100 }, TKS_CUPTI_REASON_TIMESTAMPS },
		{ { .invalid = 49 }, TKS_CUPTI_REASON_NONE },
		{ { .invalid = 50 }, TKS_CUPTI_REASON_TIMESTAMPS },
		{ { .spare_bytes = 64 << 20 }, TKS_CUPTI_REASON_NONE },
		{ { .spare_bytes = (64 << 20) + 1 }, TKS_CUPTI_REASON_MEMORY },
		{ { .refused = 1 }, TKS_CUPTI_REASON_BUFFERS },
		{ { .cpu_ns = ROUND_NS / 20 }, TKS_CUPTI_REASON_NONE },
		{ { .cpu_ns = ROUND_NS / 19 }, TKS_CUPTI_REASON_CPU },
		{ { .failed_flushes = 1 }, TKS_CUPTI_REASON_ERROR },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct watchdog_reading at = { .time_ns = START_NS };
		struct watchdog w = { 0 };

		assert_int_equal(watchdog_check(&w, &at), TKS_CUPTI_REASON_NONE);
		assert_int_equal(after_a_window(&w, &at, rows[i].step), rows[i].reason);
	}
}

static void what_happened_once_is_no_reason(void **state)
{
	struct watchdog_reading at = { .time_ns = START_NS };
	struct watchdog w = { 0 };

	(void)state;
	watchdog_check(&w, &at);
	at.refused = 1000000;
	at.failed_flushes = 8;
	assert_int_equal(after_a_window(&w, &at, (struct watchdog_reading){ 0 }), 0);
	/* and windows do not add up */
	for (int i = 0; i < 10; i++) {
		at.invalid += 900;
		assert_int_equal(after_a_window(&w, &at, (struct watchdog_reading){ 0 }), 0);
	}
}

/* The process was stopped, or no records were made for long, and then one buffer was refused. */
static void a_gap_is_not_time_of_refusing(void **state)
{
	struct watchdog_reading at = { .time_ns = START_NS };
	struct watchdog w = { 0 };

	(void)state;
	watchdog_check(&w, &at);
	at.time_ns += 60 * START_NS;
	at.refused = 1;
	assert_int_equal(watchdog_check(&w, &at), TKS_CUPTI_REASON_NONE);
}

static void memory_is_judged_at_once(void **state)
{
	struct watchdog_reading at = { .time_ns = START_NS, .spare_bytes = 65 << 20 };
	struct watchdog w = { 0 };

	(void)state;
	assert_int_equal(watchdog_check(&w, &at), TKS_CUPTI_REASON_MEMORY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_limit),
		cmocka_unit_test(what_happened_once_is_no_reason),
		cmocka_unit_test(a_gap_is_not_time_of_refusing),
		cmocka_unit_test(memory_is_judged_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
