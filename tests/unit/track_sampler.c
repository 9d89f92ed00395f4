// SPDX-License-Identifier: Apache-2.0
/* Which requests become spans. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <ctype.h>
#include <string.h>

#include "base/clock.h"
#include "track/sampler.h"

#define PARENT "0af7651916cd43dd8448eb211c80319c"

static struct request_record request(enum outcome outcome, int trace_flags)
{
	struct request_record r = { .outcome = outcome,
				    .leg = LEG_SERVER,
				    .trace_flags = trace_flags };

	r.ttft_s = r.itl_max_s = NAN;
	if (trace_flags >= 0)
		strcpy(r.trace_id, PARENT);
	return r;
}

static bool decide(const struct sampler_config *c, struct request_record r)
{
	struct sampler *s = sampler_new(c);

	assert_non_null(s);
	sampler_decide(s, &r, NSEC_PER_SEC);
	sampler_free(s);
	return r.sampled;
}

static void test_the_callers_decision(void **state)
{
	const struct sampler_config none = { .ratio = 0 }, all = { .ratio = 1 };

	(void)state;
	assert_true(decide(&none, request(OUTCOME_OK, 1)));
	assert_false(decide(&all, request(OUTCOME_OK, 0)));
	assert_true(decide(&none, request(OUTCOME_ERROR, 0)));
	assert_true(decide(&none, request(OUTCOME_ABORTED, 0)));
	assert_false(decide(&none, request(OUTCOME_UNKNOWN, 0)));
	/* Bit 0 alone decides: bit 1 says that the id is random. */
	assert_false(decide(&none, request(OUTCOME_OK, 2)));
	assert_true(decide(&none, request(OUTCOME_OK, 3)));
}

static void test_what_is_slow(void **state)
{
	const struct sampler_config c = { .slow_ttft_s = 0.5, .slow_itl_s = 0.1 };
	struct request_record r = request(OUTCOME_OK, 0);

	(void)state;
	assert_false(decide(&c, r));
	r.ttft_s = 0.5;
	assert_true(decide(&c, r));
	r.ttft_s = 0.49;
	assert_false(decide(&c, r));
	r.itl_max_s = 0.11;
	assert_true(decide(&c, r));
	assert_false(decide(&(struct sampler_config){ 0 }, r));
}

static bool is_hex(const char *s, size_t len)
{
	size_t n = 0;

	while (isxdigit((unsigned char)s[n]) && !isupper((unsigned char)s[n]))
		n++;
	return n == len && !s[n];
}

static void test_ids(void **state)
{
	struct sampler *s = sampler_new(&(struct sampler_config){ .ratio = 0 });
	struct request_record a = request(OUTCOME_OK, -1), b = a, child = request(OUTCOME_OK, 1);
	struct request_record internal = a;

	(void)state;
	sampler_decide(s, &a, 1);
	sampler_decide(s, &b, 1);
	assert_true(is_hex(a.trace_id, 32) && is_hex(a.span_id, 16));
	assert_string_not_equal(a.trace_id, b.trace_id);
	assert_string_not_equal(a.span_id, b.span_id);
	sampler_decide(s, &child, 1);
	assert_string_equal(child.trace_id, PARENT);
	assert_true(is_hex(child.span_id, 16));
	internal.leg = LEG_INTERNAL;
	sampler_decide(s, &internal, 1);
	assert_string_equal(internal.trace_id, "");
	assert_string_equal(internal.span_id, "");
	sampler_free(s);
}

static void test_ratio(void **state)
{
	struct sampler *s = sampler_new(&(struct sampler_config){ .ratio = 0.25 });
	struct sampler_stats stats;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		struct request_record r = request(OUTCOME_OK, -1);

		sampler_decide(s, &r, 1);
	}
	sampler_get_stats(s, &stats);
	assert_int_equal(stats.sampled + stats.not_sampled, 10000);
	/* 2500 expected, standard deviation 43: ten of them are never seen. */
	assert_in_range(stats.sampled, 2070, 2930);
	sampler_free(s);
}

static void test_rate(void **state)
{
	struct sampler *s = sampler_new(&(struct sampler_config){ .ratio = 1, .rate = 2 });
	struct sampler_stats stats;
	uint64_t now = NSEC_PER_SEC;

	(void)state;
	for (int i = 0; i < 30; i++) {
		struct request_record r = request(OUTCOME_ERROR, -1);

		sampler_decide(s, &r, now);
		assert_int_equal(r.sampled, i < 20);
		assert_true(*r.span_id);
	}
	for (int i = 0; i < 3; i++) {
		struct request_record r = request(OUTCOME_OK, 1);

		sampler_decide(s, &r, now + NSEC_PER_SEC);
		assert_int_equal(r.sampled, i < 2);
	}
	sampler_get_stats(s, &stats);
	assert_int_equal(stats.sampled, 22);
	assert_int_equal(stats.limited, 11);
	assert_int_equal(stats.not_sampled, 0);
	sampler_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_callers_decision),
		cmocka_unit_test(test_what_is_slow),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_ratio),
		cmocka_unit_test(test_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
