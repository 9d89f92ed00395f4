// SPDX-License-Identifier: Apache-2.0
/* Histogram boundaries that the configuration adds: how they are written, and what they do to a family. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "metric/registry.h"

#define VALUES(...) ((const char *const[METRIC_LABELS_MAX]){ __VA_ARGS__ })

static void test_parse(void **state)
{
	struct extra_boundary b;
	char error[BOUNDARY_ERROR_MAX] = "";

	(void)state;
	assert_int_equal(
		extra_boundary_parse("gen_ai_server_time_to_first_token_seconds=0.3", &b, error),
		0);
	assert_int_equal(b.id, M_TIME_TO_FIRST_TOKEN);
	assert_true(b.le == 0.3);
	assert_int_equal(extra_boundary_parse("tokscope.engine.batch.size=3", &b, error), 0);
	assert_int_equal(b.id, M_ENGINE_BATCH_SIZE);
	assert_true(b.le == 3);
	assert_string_equal(error, "");
}

static void refused(const char *text, const char *why)
{
	struct extra_boundary b;
	char error[BOUNDARY_ERROR_MAX] = "";

	assert_int_equal(extra_boundary_parse(text, &b, error), -EINVAL);
	assert_string_equal(error, why);
}

static void test_parse_errors(void **state)
{
	(void)state;
	refused("0.3", "'0.3': expected METRIC=BOUNDARY");
	refused("=0.3", "'=0.3': expected METRIC=BOUNDARY");
	refused("tokscope_net_rtt_second=1",
		"no metric is named 'tokscope_net_rtt_second'; did you mean 'tokscope_net_rtt_seconds'?");
	refused("tokscope.net.rt=1",
		"no metric is named 'tokscope.net.rt'; did you mean 'tokscope.net.rtt'?");
	refused("elephants=1", "no metric is named 'elephants'");
	refused("tokscope_requests_total=1",
		"tokscope_requests_total is no histogram: only those have boundaries");
	refused("tokscope.net.rtt=",
		"tokscope.net.rtt: a boundary is a number above 0 in the metric's unit, not ''");
	refused("tokscope.net.rtt=1s",
		"tokscope.net.rtt: a boundary is a number above 0 in the metric's unit, not '1s'");
	refused("tokscope.net.rtt=0",
		"tokscope.net.rtt: a boundary is a number above 0 in the metric's unit, not '0'");
	refused("tokscope.net.rtt=inf",
		"tokscope.net.rtt: a boundary is a number above 0 in the metric's unit, not 'inf'");
}

static struct registry *widened(void)
{
	/* One below all of the catalogue's, one between two, one twice, one that is there already. */
	static const struct extra_boundary extra[] = {
		{ M_TIME_TO_FIRST_TOKEN, 0.3 },	   { M_TIME_TO_FIRST_TOKEN, 0.0001 },
		{ M_TIME_TO_FIRST_TOKEN, 0.3 },	   { M_TIME_TO_FIRST_TOKEN, 0.5 },
		{ M_INTER_TOKEN_LATENCY, 0.0125 },
	};
	struct registry *r = registry_new(&(struct registry_config){
		.extra = extra, .extra_count = sizeof(extra) / sizeof(extra[0]) });

	assert_non_null(r);
	return r;
}

static void test_bounds(void **state)
{
	const struct hist_bounds *base = metric_family(M_TIME_TO_FIRST_TOKEN)->bounds, *wide;
	struct registry *r = widened();

	(void)state;
	wide = registry_bounds(r, M_TIME_TO_FIRST_TOKEN);
	assert_int_equal(wide->count, base->count + 2);
	assert_true(wide->le[0] == 0.0001 && wide->le[1] == base->le[0]);
	for (size_t i = 1; i < wide->count; i++)
		assert_true(wide->le[i - 1] < wide->le[i]);
	assert_true(wide->le[9] == 0.25 && wide->le[10] == 0.3 && wide->le[11] == 0.5);
	assert_ptr_equal(registry_bounds(r, M_NET_RTT), metric_family(M_NET_RTT)->bounds);
	assert_null(registry_bounds(r, M_REQUESTS));
	registry_free(r);
}

/* The snapshot needs no registry: an exporter may keep it as its base. */
static void test_snapshot(void **state)
{
	struct registry *r = widened();
	const struct snapshot_family *f;
	struct snapshot *s;

	(void)state;
	registry_observe(r, M_TIME_TO_FIRST_TOKEN, 1, VALUES("a"), 0.29);
	registry_observe(r, M_TIME_TO_FIRST_TOKEN, 1, VALUES("a"), 0.31);
	s = registry_snapshot(r);
	registry_free(r);
	assert_non_null(s);
	f = &s->families[M_TIME_TO_FIRST_TOKEN];
	assert_int_equal(f->count, 1);
	assert_string_equal(f->family->prom_name, "gen_ai_server_time_to_first_token_seconds");
	assert_ptr_equal(f->family->bounds, f->series[0].hist.bounds);
	assert_true(f->family->bounds->le[10] == 0.3);
	assert_int_equal(f->series[0].hist.classic[10], 1);
	assert_int_equal(f->series[0].hist.classic[11], 1);
	assert_ptr_equal(s->families[M_NET_RTT].family, metric_family(M_NET_RTT));
	snapshot_free(s);
}

/* What is merged has to have the registry's boundaries; the catalogue's are not enough any more. */
static void test_merge(void **state)
{
	struct registry *r = widened();
	struct snapshot *s;
	struct hist h, narrow;

	(void)state;
	assert_int_equal(hist_init(&h, registry_bounds(r, M_INTER_TOKEN_LATENCY)), 0);
	assert_int_equal(hist_init(&narrow, metric_family(M_INTER_TOKEN_LATENCY)->bounds), 0);
	hist_observe(&h, 0.011, 4);
	hist_observe(&narrow, 0.011, 3);
	registry_merge(r, M_INTER_TOKEN_LATENCY, 1, VALUES("a"), &h);
	registry_merge(r, M_INTER_TOKEN_LATENCY, 1, VALUES("a"), &narrow);
	s = registry_snapshot(r);
	assert_non_null(s);
	assert_int_equal(s->families[M_INTER_TOKEN_LATENCY].series[0].hist.count, 4);
	assert_int_equal(s->families[M_SERIES_DROPPED].count, 1);
	assert_true(s->families[M_SERIES_DROPPED].series[0].value == 3);
	snapshot_free(s);
	registry_free(r);
	hist_free(&h);
	hist_free(&narrow);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),  cmocka_unit_test(test_parse_errors),
		cmocka_unit_test(test_bounds), cmocka_unit_test(test_snapshot),
		cmocka_unit_test(test_merge),
	};

	return cmocka_run_group_tests_name("metric_boundaries", tests, NULL, NULL);
}
