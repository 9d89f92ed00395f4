// SPDX-License-Identifier: Apache-2.0
/* Delta temporality: what each point says against the snapshot that was delivered last. */
#include "export_otlp_metrics.h"

static void test_delta_of_counters_and_gauges(void **state)
{
	struct registry *r = new_registry(0);
	struct snapshot *base, *now;
	struct decoded d;

	(void)state;
	registry_add(r, M_REQUESTS, 1, VALUES(REQUEST, "ok", "200"), 3);
	registry_add(r, M_STREAM_EVENTS, 1, VALUES(SERVER, "content"), 5);
	registry_set(r, M_IN_FLIGHT, 1, VALUES(SERVER), 2);
	base = snapshot_at(r, BASE_NS);
	registry_add(r, M_REQUESTS, 1, VALUES(REQUEST, "ok", "200"), 4);
	now = snapshot_at(r, NOW_NS);
	d = encode(&delta, now, base);
	assert_int_equal(d.points, 2);
	assert_int_equal(only_sum(&d, "chat", "tokscope.requests")->as_int, 4);
	assert_int_equal(only_sum(&d, "chat", "tokscope.requests")->start_time_unix_nano, BASE_NS);
	assert_int_equal(find_metric(&d, "chat", "tokscope.requests")->sum->aggregation_temporality,
			 TEMPORALITY(DELTA));
	/* What did not grow is left out; a gauge is what it is. */
	assert_null(find_metric(&d, "chat", "tokscope.stream.events"));
	assert_int_equal(find_metric(&d, "chat", "tokscope.requests.in_flight")
				 ->gauge->data_points[0]
				 ->as_int,
			 2);
	decoded_free(&d);
	/* Nothing was delivered before: all of it, from the beginning. */
	d = encode(&delta, now, NULL);
	assert_int_equal(only_sum(&d, "chat", "tokscope.requests")->as_int, 7);
	assert_int_equal(only_sum(&d, "chat", "tokscope.requests")->start_time_unix_nano, START_NS);
	decoded_free(&d);
	snapshot_free(base);
	snapshot_free(now);
	registry_free(r);
}

static void test_delta_finds_each_series(void **state)
{
	static const char *const kinds[] = { "b", "d", "a", "c", "e" };
	struct registry *r = new_registry(0);
	struct snapshot *base, *now;
	const otlp_metric *m;
	struct decoded d;

	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++)
		registry_add(r, M_STREAM_EVENTS, 1, VALUES(SERVER, kinds[i]), 100 * (i + 1));
	base = snapshot_at(r, BASE_NS);
	for (size_t i = 0; i < COUNT(kinds); i++)
		registry_add(r, M_STREAM_EVENTS, 1, VALUES(SERVER, kinds[i]), i + 1);
	now = snapshot_at(r, NOW_NS);
	d = encode(&delta, now, base);
	m = find_metric(&d, "chat", "tokscope.stream.events");
	assert_int_equal(m->sum->n_data_points, COUNT(kinds));
	for (size_t i = 0; i < COUNT(kinds); i++) {
		assert_text(m->sum->data_points[i], "kind", kinds[i]);
		assert_int_equal(m->sum->data_points[i]->as_int, i + 1);
	}
	decoded_free(&d);
	snapshot_free(base);
	snapshot_free(now);
	registry_free(r);
}

/* Whatever makes the base no past of the series: all of it, from the series' own start. */
static void test_delta_of_a_series_made_anew(void **state)
{
	struct registry *r = new_registry(0);
	struct snapshot *base, *now;
	struct decoded d;

	(void)state;
	registry_add(r, M_REQUESTS, 1, VALUES(REQUEST, "ok", "200"), 3);
	base = snapshot_at(r, BASE_NS);
	registry_add(r, M_REQUESTS, 1, VALUES(REQUEST, "ok", "200"), 4);
	now = snapshot_at(r, NOW_NS);
	now->families[M_REQUESTS].series[0].start_ns = BASE_NS + 5;
	d = encode(&delta, now, base);
	assert_int_equal(only_sum(&d, "chat", "tokscope.requests")->as_int, 7);
	assert_int_equal(only_sum(&d, "chat", "tokscope.requests")->start_time_unix_nano,
			 BASE_NS + 5);
	decoded_free(&d);
	now->families[M_REQUESTS].series[0].start_ns = START_NS;
	now->families[M_REQUESTS].series[0].value = 2;
	d = encode(&delta, now, base);
	assert_int_equal(only_sum(&d, "chat", "tokscope.requests")->as_int, 2);
	assert_int_equal(only_sum(&d, "chat", "tokscope.requests")->start_time_unix_nano, START_NS);
	decoded_free(&d);
	snapshot_free(base);
	snapshot_free(now);
	registry_free(r);
}

static void test_delta_of_a_relabelled_series(void **state)
{
	struct registry *r = new_registry(0);
	struct snapshot *base, *now;
	const otlp_metric *m;
	struct decoded d;

	(void)state;
	registry_add(r, M_STREAM_EVENTS, 1, VALUES(SERVER, "content"), 5);
	registry_add(r, M_STREAM_EVENTS, 1, VALUES(SERVER, "other"), 50);
	base = snapshot_at(r, BASE_NS);
	registry_relabel(r, 1, VALUES("chat", "ns.pod.c"), 2);
	registry_add(
		r, M_STREAM_EVENTS, 1,
		VALUES("chat", "ns.pod.c", "llama.cpp", "127.0.0.1", "8080", NULL, NULL, "content"),
		2);
	now = snapshot_at(r, NOW_NS);
	d = encode(&delta, now, base);
	m = find_metric(&d, "chat", "tokscope.stream.events");
	assert_int_equal(m->sum->n_data_points, 1);
	assert_int_equal(m->sum->data_points[0]->as_int, 2);
	assert_int_equal(m->sum->data_points[0]->start_time_unix_nano, BASE_NS);
	decoded_free(&d);
	snapshot_free(base);
	snapshot_free(now);
	registry_free(r);
}

static void test_delta_of_histograms(void **state)
{
	struct registry *r = observed();
	struct snapshot *base = snapshot_at(r, BASE_NS), *now;
	const otlp_exponential_point *e;
	const otlp_histogram_point *p;
	struct decoded d;

	(void)state;
	d = encode(&delta, base, base);
	assert_int_equal(d.points, 0);
	decoded_free(&d);
	/* One in an old slot, one in a slot that the base has not. */
	registry_observe(r, M_TIME_TO_FIRST_TOKEN, 1, VALUES(REQUEST), 0.5);
	registry_observe(r, M_TIME_TO_FIRST_TOKEN, 1, VALUES(REQUEST), 8);
	now = snapshot_at(r, NOW_NS);
	d = encode(&delta, now, base);
	p = only_histogram(&d, TTFT);
	assert_int_equal(p->count, 2);
	assert_true(HAS_SUM(p) && p->sum == 8.5);
	assert_false(HAS_MIN(p) || HAS_MAX(p));
	assert_int_equal(p->start_time_unix_nano, BASE_NS);
	for (size_t i = 0; i < p->n_bucket_counts; i++)
		assert_int_equal(p->bucket_counts[i],
				 i < p->n_explicit_bounds && (p->explicit_bounds[i] == 0.5 ||
							      p->explicit_bounds[i] == 10));
	decoded_free(&d);
	d = encode(&delta_exponential, now, base);
	e = only_exponential(&d, TTFT);
	assert_int_equal(e->count, 2);
	assert_int_equal(e->zero_count, 0);
	assert_int_equal(e->positive->offset, -9);
	assert_int_equal(e->positive->n_bucket_counts, 33);
	for (size_t i = 0; i < 33; i++)
		assert_int_equal(e->positive->bucket_counts[i], i == 0 || i == 32);
	decoded_free(&d);
	snapshot_free(base);
	snapshot_free(now);
	registry_free(r);
}

/* The scale is chosen for what is told, not for what the series has ever held. */
static void test_delta_is_subtracted_before_it_is_downscaled(void **state)
{
	struct registry *r = new_registry(0);
	struct snapshot *base, *now;
	const otlp_exponential_point *e;
	struct decoded d;

	(void)state;
	registry_observe(r, M_TIME_TO_FIRST_TOKEN, 1, VALUES(REQUEST), 0x1p-20);
	registry_observe(r, M_TIME_TO_FIRST_TOKEN, 1, VALUES(REQUEST), 0x1p20);
	base = snapshot_at(r, BASE_NS);
	registry_observe(r, M_TIME_TO_FIRST_TOKEN, 1, VALUES(REQUEST), 1);
	now = snapshot_at(r, NOW_NS);
	d = encode(&delta_exponential, now, base);
	e = only_exponential(&d, TTFT);
	assert_int_equal(e->scale, 3);
	assert_int_equal(e->positive->offset, -1);
	assert_int_equal(e->positive->n_bucket_counts, 1);
	assert_int_equal(e->positive->bucket_counts[0], 1);
	decoded_free(&d);
	d = encode(&delta_exponential, now, NULL);
	assert_int_equal(only_exponential(&d, TTFT)->scale, 1);
	assert_false(HAS_MIN(only_exponential(&d, TTFT)));
	decoded_free(&d);
	snapshot_free(base);
	snapshot_free(now);
	registry_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delta_of_counters_and_gauges),
		cmocka_unit_test(test_delta_finds_each_series),
		cmocka_unit_test(test_delta_of_a_series_made_anew),
		cmocka_unit_test(test_delta_of_a_relabelled_series),
		cmocka_unit_test(test_delta_of_histograms),
		cmocka_unit_test(test_delta_is_subtracted_before_it_is_downscaled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
