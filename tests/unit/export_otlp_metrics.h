/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of ExportMetricsServiceRequest share: snapshots with fixed times, and finding what was encoded of them. */
#ifndef TESTS_EXPORT_OTLP_METRICS_H
#define TESTS_EXPORT_OTLP_METRICS_H

#include "export_otlp.h"

#define VALUES(...) ((const char *const[METRIC_LABELS_MAX]){ __VA_ARGS__ })
#define SERVER	    "chat", "node:42:1000", "llama.cpp", "127.0.0.1", "8080", NULL, NULL
#define REQUEST	    SERVER, "chat", "llama.cpp", "m", "m"

#define START_NS    1000000000000ULL
#define BASE_NS	    2000000000000ULL
#define NOW_NS	    3000000000000ULL

#define TEMPORALITY(word) \
	OPENTELEMETRY__PROTO__METRICS__V1__AGGREGATION_TEMPORALITY__AGGREGATION_TEMPORALITY_##word

static const struct otlp_metrics_form cumulative = { false, false };
static const struct otlp_metrics_form exponential = { false, true };
static const struct otlp_metrics_form delta = { true, false };
static const struct otlp_metrics_form delta_exponential = { true, true };

struct decoded {
	otlp_metrics_request *request;
	int points;
};

static inline struct registry *new_registry(size_t max_series)
{
	struct registry *r = registry_new(&(struct registry_config){ .max_series = max_series });
	static const struct attribute server[] = {
		{ "service.name", "chat", 0 },
		{ "service.instance.id", "node:42:1000", 0 },
		{ "tokscope.server", "llama.cpp", 0 },
		{ "process.pid", NULL, 42 },
	};
	struct resource *resource = resource_new(server, COUNT(server));

	assert_non_null(r);
	registry_describe(r, 1, resource);
	resource_put(resource);
	return r;
}

/* With the same start for all series, and this time. */
static inline struct snapshot *snapshot_at(struct registry *r, uint64_t time_ns)
{
	struct snapshot *s = registry_snapshot(r);

	assert_non_null(s);
	s->time_ns = time_ns;
	for (int id = 0; id < M_MAX; id++)
		for (size_t i = 0; i < s->families[id].count; i++)
			s->families[id].series[i].start_ns = START_NS;
	return s;
}

static inline struct decoded encode(const struct otlp_metrics_form *form,
				    const struct snapshot *now, const struct snapshot *base)
{
	struct buf out = BUF_INIT;
	struct decoded d = { .points = otlp_encode_metrics(&out, form, now, base) };

	assert_true(d.points >= 0);
	assert_int_equal(out.err, 0);
	assert_int_equal(!d.points, !out.len);
	d.request = DECODE(collector__metrics__v1__export_metrics_service_request, out);
	assert_non_null(d.request);
	buf_free(&out);
	return d;
}

static inline struct decoded encode_registry(const struct otlp_metrics_form *form,
					     struct registry *r)
{
	struct snapshot *s = snapshot_at(r, NOW_NS);
	struct decoded d = encode(form, s, NULL);

	snapshot_free(s);
	registry_free(r);
	return d;
}

static inline void decoded_free(struct decoded *d)
{
	protobuf_c_message_free_unpacked(&d->request->base, NULL);
}

/* NULL: it has no point. `service` is the service.name of the Resource. */
static inline const otlp_metric *find_metric(const struct decoded *d, const char *service,
					     const char *name)
{
	const otlp_metric *found = NULL;

	for (size_t i = 0; i < d->request->n_resource_metrics; i++) {
		const otlp_resource_metrics *r = d->request->resource_metrics[i];
		const otlp_any_value *v = find_attribute(r->resource->attributes,
							 r->resource->n_attributes, "service.name");

		assert_non_null(v);
		assert_int_equal(r->n_scope_metrics, 1);
		assert_string_equal(r->scope_metrics[0]->scope->name, "tokscope");
		assert_string_equal(r->scope_metrics[0]->scope->version, TOKSCOPE_VERSION);
		for (size_t k = 0; k < r->scope_metrics[0]->n_metrics; k++)
			if (!strcmp(v->string_value, service) &&
			    !strcmp(r->scope_metrics[0]->metrics[k]->name, name)) {
				assert_null(found);
				found = r->scope_metrics[0]->metrics[k];
			}
	}
	return found;
}

static inline const otlp_number_point *only_sum(const struct decoded *d, const char *service,
						const char *name)
{
	const otlp_metric *m = find_metric(d, service, name);

	assert_non_null(m);
	assert_int_equal(m->data_case, OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_SUM);
	assert_int_equal(m->sum->is_monotonic, 1);
	assert_int_equal(m->sum->n_data_points, 1);
	return m->sum->data_points[0];
}

static inline const otlp_histogram_point *only_histogram(const struct decoded *d, const char *name)
{
	const otlp_metric *m = find_metric(d, "chat", name);

	assert_non_null(m);
	assert_int_equal(m->data_case, OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_HISTOGRAM);
	assert_int_equal(m->histogram->n_data_points, 1);
	return m->histogram->data_points[0];
}

static inline const otlp_exponential_point *only_exponential(const struct decoded *d,
							     const char *name)
{
	const otlp_metric *m = find_metric(d, "chat", name);

	assert_non_null(m);
	assert_int_equal(m->data_case,
			 OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_EXPONENTIAL_HISTOGRAM);
	assert_int_equal(m->exponential_histogram->n_data_points, 1);
	return m->exponential_histogram->data_points[0];
}

#define AS_INT	  OPENTELEMETRY__PROTO__METRICS__V1__NUMBER_DATA_POINT__VALUE_AS_INT
#define AS_DOUBLE OPENTELEMETRY__PROTO__METRICS__V1__NUMBER_DATA_POINT__VALUE_AS_DOUBLE

static inline struct registry *observed(void)
{
	struct registry *r = new_registry(0);

	registry_observe(r, M_TIME_TO_FIRST_TOKEN, 1, VALUES(REQUEST), 0.5);
	registry_observe(r, M_TIME_TO_FIRST_TOKEN, 1, VALUES(REQUEST), 0.25);
	registry_observe(r, M_TIME_TO_FIRST_TOKEN, 1, VALUES(REQUEST), 0);
	return r;
}

#define TTFT	   "gen_ai.server.time_to_first_token"
#define HAS_SUM(p) ((p)->x_sum_case != 0)
#define HAS_MIN(p) ((p)->x_min_case != 0)
#define HAS_MAX(p) ((p)->x_max_case != 0)

#endif
