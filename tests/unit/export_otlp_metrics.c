// SPDX-License-Identifier: Apache-2.0
/* ExportMetricsServiceRequest: what is encoded is decoded again, and compared value by value. */
#include "export_otlp_metrics.h"

static void test_counter_of_a_server(void **state)
{
	struct registry *r = new_registry(0);
	const otlp_number_point *p;
	const otlp_metric *m;
	struct decoded d;

	(void)state;
	registry_add(r, M_REQUESTS, 1, VALUES(REQUEST, "ok", "200"), 3);
	d = encode_registry(&cumulative, r);
	m = find_metric(&d, "chat", "tokscope.requests");
	p = only_sum(&d, "chat", "tokscope.requests");
	assert_string_equal(m->unit, "{request}");
	assert_string_equal(m->description, metric_family(M_REQUESTS)->help);
	assert_int_equal(m->sum->aggregation_temporality, TEMPORALITY(CUMULATIVE));
	assert_int_equal(p->start_time_unix_nano, START_NS);
	assert_int_equal(p->time_unix_nano, NOW_NS);
	assert_int_equal(p->value_case, AS_INT);
	assert_int_equal(p->as_int, 3);
	/* What the Resource says is not said again. */
	assert_int_equal(p->n_attributes, 8);
	assert_text(p, "server.address", "127.0.0.1");
	assert_integer(p, "server.port", 8080);
	assert_text(p, "gen_ai.operation.name", "chat");
	assert_text(p, "gen_ai.response.model", "m");
	assert_text(p, "outcome", "ok");
	assert_integer(p, "http.response.status_code", 200);
	decoded_free(&d);
}

static void test_resources(void **state)
{
	struct registry *r = new_registry(0);
	const otlp_resource *agent, *server;
	struct decoded d;

	(void)state;
	registry_set(r, M_IN_FLIGHT, 1, VALUES(SERVER), 2);
	registry_set(r, M_PROCESS_RSS, 0, VALUES(NULL), 4096);
	d = encode_registry(&cumulative, r);
	assert_int_equal(d.request->n_resource_metrics, 2);
	agent = d.request->resource_metrics[0]->resource;
	server = d.request->resource_metrics[1]->resource;
	assert_int_equal(agent->n_attributes, 2);
	assert_text(agent, "service.name", "tokscope");
	assert_text(agent, "service.version", TOKSCOPE_VERSION);
	assert_int_equal(server->n_attributes, 4);
	assert_text(server, "service.instance.id", "node:42:1000");
	assert_integer(server, "process.pid", 42);
	assert_non_null(find_metric(&d, "tokscope", "process.memory.usage"));
	assert_null(find_metric(&d, "chat", "process.memory.usage"));
	decoded_free(&d);
}

static void test_described_agent(void **state)
{
	static const struct attribute own[] = { { "service.name", "my-agent", 0 } };
	struct resource *resource = resource_new(own, COUNT(own));
	struct registry *r = new_registry(0);
	struct decoded d;

	(void)state;
	registry_describe(r, 0, resource);
	resource_put(resource);
	registry_set(r, M_PROCESS_RSS, 0, VALUES(NULL), 4096);
	d = encode_registry(&cumulative, r);
	assert_non_null(find_metric(&d, "my-agent", "process.memory.usage"));
	assert_null(find_metric(&d, "tokscope", "process.memory.usage"));
	decoded_free(&d);
}

static void test_series_of_nobody_says_whose_it_is(void **state)
{
	struct registry *r = new_registry(0);
	const otlp_metric *m;
	struct decoded d;

	(void)state;
	registry_set(r, M_IN_FLIGHT, 9, VALUES(SERVER), 2);
	registry_set(r, M_SERVERS, 0, VALUES("vllm"), 1);
	d = encode_registry(&cumulative, r);
	m = find_metric(&d, "tokscope", "tokscope.requests.in_flight");
	assert_non_null(m);
	assert_text(m->gauge->data_points[0], "service.name", "chat");
	assert_text(m->gauge->data_points[0], "service.instance.id", "node:42:1000");
	m = find_metric(&d, "tokscope", "tokscope.servers");
	assert_text(m->gauge->data_points[0], "tokscope.server", "vllm");
	decoded_free(&d);
}

static void test_types_of_numbers(void **state)
{
	static const struct {
		enum metric_id id;
		const char *name;
		bool whole;
	} cases[] = {
		{ M_PROCESS_RSS, "process.memory.usage", true },
		{ M_CONNECTIONS, "tokscope.connections", true },
		{ M_PROCESS_START_TIME, "process.start_time", false },
	};
	struct registry *r = new_registry(0);
	struct decoded d;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		registry_set(r, cases[i].id, 0, VALUES(NULL), 4096);
	registry_add(r, M_PROCESS_CPU, 0, VALUES(NULL), 2);
	d = encode_registry(&cumulative, r);
	for (size_t i = 0; i < COUNT(cases); i++) {
		const otlp_metric *m = find_metric(&d, "tokscope", cases[i].name);

		assert_int_equal(m->data_case,
				 OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_GAUGE);
		assert_int_equal(m->gauge->data_points[0]->value_case,
				 cases[i].whole ? AS_INT : AS_DOUBLE);
		if (cases[i].whole)
			assert_int_equal(m->gauge->data_points[0]->as_int, 4096);
		else
			assert_true(m->gauge->data_points[0]->as_double == 4096);
	}
	assert_int_equal(only_sum(&d, "tokscope", "process.cpu.time")->value_case, AS_DOUBLE);
	assert_true(only_sum(&d, "tokscope", "process.cpu.time")->as_double == 2);
	decoded_free(&d);
}

static void test_overflow(void **state)
{
	struct registry *r = new_registry(2);
	const otlp_metric *m;
	struct decoded d;

	(void)state;
	registry_add(r, M_STREAM_EVENTS, 1, VALUES(SERVER, "content"), 1);
	registry_add(r, M_STREAM_EVENTS, 1, VALUES(SERVER, "other"), 2);
	d = encode_registry(&cumulative, r);
	m = find_metric(&d, "tokscope", "tokscope.stream.events");
	assert_non_null(m);
	assert_int_equal(m->sum->n_data_points, 1);
	assert_int_equal(m->sum->data_points[0]->as_int, 2);
	assert_int_equal(m->sum->data_points[0]->n_attributes, 1);
	assert_bool(m->sum->data_points[0], "otel.metric.overflow", true);
	assert_int_equal(only_sum(&d, "chat", "tokscope.stream.events")->as_int, 1);
	decoded_free(&d);
}

static void test_text_that_is_no_utf8(void **state)
{
	static const struct attribute server[] = { { "service.name", "a\xff\xc3\xa9", 0 } };
	struct resource *resource = resource_new(server, COUNT(server));
	struct registry *r = new_registry(0);
	struct decoded d;

	(void)state;
	registry_describe(r, 1, resource);
	resource_put(resource);
	registry_set(r, M_IN_FLIGHT, 1, VALUES(SERVER), 2);
	d = encode_registry(&cumulative, r);
	assert_non_null(find_metric(&d, "a?\xc3\xa9", "tokscope.requests.in_flight"));
	decoded_free(&d);
}

static void test_explicit_histogram(void **state)
{
	const struct hist_bounds *b = metric_family(M_TIME_TO_FIRST_TOKEN)->bounds;
	struct decoded d = encode_registry(&cumulative, observed());
	const otlp_histogram_point *p = only_histogram(&d, TTFT);

	(void)state;
	assert_int_equal(find_metric(&d, "chat", TTFT)->histogram->aggregation_temporality,
			 TEMPORALITY(CUMULATIVE));
	assert_int_equal(p->start_time_unix_nano, START_NS);
	assert_int_equal(p->count, 3);
	assert_true(HAS_SUM(p) && p->sum == 0.75);
	assert_true(HAS_MIN(p) && p->min == 0);
	assert_true(HAS_MAX(p) && p->max == 0.5);
	assert_int_equal(p->n_explicit_bounds, b->count);
	assert_memory_equal(p->explicit_bounds, b->le, b->count * sizeof(double));
	assert_int_equal(p->n_bucket_counts, b->count + 1);
	for (size_t i = 0; i <= b->count; i++) {
		bool hit = i == 0 || (i < b->count && (b->le[i] == 0.25 || b->le[i] == 0.5));

		assert_int_equal(p->bucket_counts[i], hit);
	}
	decoded_free(&d);
}

static void test_exponential_histogram(void **state)
{
	struct decoded d = encode_registry(&exponential, observed());
	const otlp_exponential_point *p = only_exponential(&d, TTFT);

	(void)state;
	assert_int_equal(p->count, 3);
	assert_true(HAS_SUM(p) && p->sum == 0.75);
	assert_int_equal(p->zero_count, 1);
	assert_true(p->zero_threshold == 0);
	assert_int_equal(p->scale, 3);
	/* 0.25 = 2^(-16/8) is the last value of the bucket that ends there: index -17, as OTLP counts by the lower end. */
	assert_int_equal(p->positive->offset, -17);
	assert_int_equal(p->positive->n_bucket_counts, 9);
	for (size_t i = 0; i < 9; i++)
		assert_int_equal(p->positive->bucket_counts[i], i == 0 || i == 8);
	assert_null(p->negative);
	decoded_free(&d);
}

/* Boundaries of bucket `offset + i` at the point's scale. */
static double lower_end(const otlp_exponential_point *p, size_t i)
{
	return exp2(ldexp((double)(p->positive->offset + (int32_t)i), -p->scale));
}

static void test_wide_histogram_is_downscaled(void **state)
{
	/* 2^-10 and 2^21: 31 octaves are 249 buckets of scale 3, 125 of scale 2. */
	static const double values[] = { 0x1p-10, 0x1.8p-10, 1, 1.5, 0x1p21 };
	struct registry *r = new_registry(0);
	const otlp_exponential_point *p;
	uint64_t sum = 0;
	struct decoded d;

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++)
		registry_observe(r, M_TIME_TO_FIRST_TOKEN, 1, VALUES(REQUEST), values[i]);
	d = encode_registry(&exponential, r);
	p = only_exponential(&d, TTFT);
	assert_int_equal(p->scale, 2);
	assert_int_equal(p->positive->offset, -41);
	assert_int_equal(p->positive->n_bucket_counts, 125);
	for (size_t i = 0; i < p->positive->n_bucket_counts; i++) {
		uint64_t want = 0;

		for (size_t k = 0; k < COUNT(values); k++)
			want += values[k] > lower_end(p, i) && values[k] <= lower_end(p, i + 1);
		assert_int_equal(p->positive->bucket_counts[i], want);
		sum += want;
	}
	assert_int_equal(sum, COUNT(values));
	decoded_free(&d);
}

static void test_empty_histogram(void **state)
{
	struct registry *r = observed();
	struct snapshot *s = snapshot_at(r, NOW_NS);
	struct decoded d;

	(void)state;
	hist_reset(&s->families[M_TIME_TO_FIRST_TOKEN].series[0].hist);
	d = encode(&exponential, s, NULL);
	assert_int_equal(only_exponential(&d, TTFT)->count, 0);
	assert_null(only_exponential(&d, TTFT)->positive);
	assert_false(HAS_MIN(only_exponential(&d, TTFT)));
	assert_true(HAS_SUM(only_exponential(&d, TTFT)));
	decoded_free(&d);
	d = encode(&cumulative, s, NULL);
	assert_int_equal(only_histogram(&d, TTFT)->count, 0);
	assert_false(HAS_MAX(only_histogram(&d, TTFT)));
	decoded_free(&d);
	snapshot_free(s);
	registry_free(r);
}

static void test_exemplars(void **state)
{
	const struct exemplar e = { "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", 0.25,
				    BASE_NS - 1 };
	const struct exemplar late = { "0af7651916cd43dd8448eb211c80319d", "b7ad6b7169203332", 0.5,
				       BASE_NS + 1 };
	struct registry *r = observed();
	struct snapshot *base = snapshot_at(r, BASE_NS), *now;
	const otlp_histogram_point *p;
	struct decoded d;

	(void)state;
	registry_exemplar(r, M_TIME_TO_FIRST_TOKEN, VALUES(REQUEST), &e);
	registry_exemplar(r, M_TIME_TO_FIRST_TOKEN, VALUES(REQUEST), &late);
	registry_observe(r, M_TIME_TO_FIRST_TOKEN, 1, VALUES(REQUEST), 0.5);
	now = snapshot_at(r, NOW_NS);
	d = encode(&cumulative, now, NULL);
	p = only_histogram(&d, TTFT);
	assert_int_equal(p->n_exemplars, 2);
	assert_int_equal(p->exemplars[0]->time_unix_nano, BASE_NS - 1);
	assert_true(p->exemplars[0]->as_double == 0.25);
	assert_int_equal(p->exemplars[0]->trace_id.len, 16);
	assert_bytes(p->exemplars[0]->span_id, 0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31);
	decoded_free(&d);
	/* Of the observations since the base only. */
	d = encode(&delta_exponential, now, base);
	assert_int_equal(only_exponential(&d, TTFT)->n_exemplars, 1);
	assert_true(only_exponential(&d, TTFT)->exemplars[0]->as_double == 0.5);
	decoded_free(&d);
	snapshot_free(base);
	snapshot_free(now);
	registry_free(r);
}

static void test_count_of_points(void **state)
{
	struct registry *r = observed();
	struct snapshot *s;
	struct decoded d;

	(void)state;
	registry_add(r, M_REQUESTS, 1, VALUES(REQUEST, "ok", "200"), 3);
	registry_add(r, M_REQUESTS, 1, VALUES(REQUEST, "aborted"), 3);
	s = snapshot_at(r, NOW_NS);
	d = encode(&cumulative, s, NULL);
	/* And two of tokscope.series.dropped. */
	assert_int_equal(d.points, 5);
	decoded_free(&d);
	snapshot_free(s);
	registry_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counter_of_a_server),
		cmocka_unit_test(test_resources),
		cmocka_unit_test(test_described_agent),
		cmocka_unit_test(test_series_of_nobody_says_whose_it_is),
		cmocka_unit_test(test_types_of_numbers),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_text_that_is_no_utf8),
		cmocka_unit_test(test_explicit_histogram),
		cmocka_unit_test(test_exponential_histogram),
		cmocka_unit_test(test_wide_histogram_is_downscaled),
		cmocka_unit_test(test_empty_histogram),
		cmocka_unit_test(test_exemplars),
		cmocka_unit_test(test_count_of_points),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
