// SPDX-License-Identifier: Apache-2.0
/* The protobuf exposition, read back by the generated code and unfolded as Prometheus does it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "export/prometheus.h"
#include "io/prometheus/client/metrics.pb-c.h"

#define VALUES(...)  ((const char *const[METRIC_LABELS_MAX]){ __VA_ARGS__ })
#define SERVER	     "llama.cpp", "node:42:1000", "llama.cpp", "127.0.0.1", "8080", NULL, NULL
#define REQUEST	     SERVER, "chat", "llama.cpp", "m", "m"
#define FAMILIES_MAX 32

#define TRACE	     "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN	     "00f067aa0ba902b7"
#define EXEMPLAR_NS  1795434768123456789ULL

typedef Io__Prometheus__Client__MetricFamily Family;
typedef Io__Prometheus__Client__Histogram Histogram;

struct decoded {
	Family *families[FAMILIES_MAX];
	size_t count;
};

/* ------------------------------------------------------------------ reading */

static uint64_t read_varint(const uint8_t **p)
{
	uint64_t v = 0;

	for (int shift = 0;; shift += 7) {
		v |= (uint64_t)(**p & 0x7f) << shift;
		if (!(*(*p)++ & 0x80))
			return v;
	}
}

static struct decoded decode(struct registry *r)
{
	struct snapshot *s = registry_snapshot(r);
	struct decoded d = { .count = 0 };
	struct buf out = BUF_INIT;
	const uint8_t *p, *end;

	exposition_write(&out, EXPOSITION_PROTOBUF, s);
	assert_int_equal(out.err, 0);
	p = (const uint8_t *)out.data;
	end = p + out.len;
	while (p < end) {
		size_t len = read_varint(&p);

		assert_true(d.count < FAMILIES_MAX && len <= (size_t)(end - p));
		d.families[d.count] = io__prometheus__client__metric_family__unpack(NULL, len, p);
		assert_non_null(d.families[d.count++]);
		p += len;
	}
	assert_ptr_equal(p, end);
	buf_free(&out);
	snapshot_free(s);
	return d;
}

static void decoded_free(struct decoded *d)
{
	for (size_t i = 0; i < d->count; i++)
		io__prometheus__client__metric_family__free_unpacked(d->families[i], NULL);
}

static const Family *find(const struct decoded *d, const char *name)
{
	for (size_t i = 0; i < d->count; i++)
		if (!strcmp(d->families[i]->name, name))
			return d->families[i];
	fail_msg("no family %s", name);
	return NULL;
}

static const char *label(const Io__Prometheus__Client__Metric *m, const char *name)
{
	for (size_t i = 0; i < m->n_label; i++)
		if (!strcmp(m->label[i]->name, name))
			return m->label[i]->value;
	return NULL;
}

/* The count of bucket `index`, as Prometheus unfolds spans and deltas. */
static int64_t native_count(const Histogram *h, int32_t index)
{
	int64_t count = 0;
	int32_t at = 0;
	size_t d = 0;

	for (size_t i = 0; i < h->n_positive_span; i++) {
		at += h->positive_span[i]->offset;
		for (uint32_t n = 0; n < h->positive_span[i]->length; n++, at++) {
			assert_true(d < h->n_positive_delta);
			count += h->positive_delta[d++];
			if (at == index)
				return count;
		}
	}
	return 0;
}

static int64_t native_total(const Histogram *h)
{
	int64_t total = (int64_t)h->zero_count;

	for (int32_t i = HIST_INDEX_MIN; i <= HIST_INDEX_MAX; i++)
		total += native_count(h, i);
	return total;
}

static struct registry *new_registry(void)
{
	struct registry *r = registry_new(&(struct registry_config){ .max_series = 3 });

	assert_non_null(r);
	return r;
}

/* ------------------------------------------------------------------ tests */

static void test_counters_and_gauges(void **state)
{
	struct registry *r = new_registry();
	const Io__Prometheus__Client__Metric *m;
	struct decoded d;
	const Family *f;

	(void)state;
	registry_add(r, M_EVENTS_LOST, 0, VALUES("ring_full"), 3);
	for (int i = 0; i < 4; i++)
		registry_add(r, M_EVENTS_LOST, 0, VALUES((const char *[]){ "a", "b", "c", "d" }[i]),
			     1);
	registry_set(r, M_PROCESS_RSS, 0, VALUES(NULL), 33554432);
	d = decode(r);
	f = find(&d, "tokscope_events_lost_total");
	assert_int_equal(f->type, IO__PROMETHEUS__CLIENT__METRIC_TYPE__COUNTER);
	assert_string_equal(f->help, metric_family(M_EVENTS_LOST)->help);
	assert_null(f->unit);
	assert_int_equal(f->n_metric, 3);
	m = f->metric[0];
	assert_string_equal(label(m, "stage"), "ring_full");
	assert_int_equal(m->n_label, 1);
	assert_true(m->counter->value == 3);
	assert_true(m->counter->created_timestamp->seconds > 1700000000);
	assert_string_equal(label(f->metric[2], "otel_metric_overflow"), "true");
	assert_true(f->metric[2]->counter->value == 3);
	f = find(&d, "process_resident_memory_bytes");
	assert_int_equal(f->type, IO__PROMETHEUS__CLIENT__METRIC_TYPE__GAUGE);
	assert_string_equal(f->unit, "bytes");
	assert_true(f->metric[0]->gauge->value == 33554432);
	f = find(&d, "target_info");
	assert_int_equal(f->type, IO__PROMETHEUS__CLIENT__METRIC_TYPE__GAUGE);
	assert_string_equal(label(f->metric[0], "service_version"), TOKSCOPE_VERSION);
	decoded_free(&d);
	registry_free(r);
}

static void observe_all(struct registry *r, const double *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		registry_observe(r, M_REQUEST_DURATION, 1, VALUES(REQUEST, "ok"), values[i]);
}

static void check_classic(const Histogram *h)
{
	const struct hist_bounds *b = metric_family(M_REQUEST_DURATION)->bounds;

	assert_int_equal(h->n_bucket, b->count + 1);
	for (size_t i = 0; i < b->count; i++)
		assert_true(h->bucket[i]->upper_bound == b->le[i]);
	assert_true(isinf(h->bucket[b->count]->upper_bound));
	assert_int_equal(h->bucket[0]->cumulative_count, 4);  /* 0.01 */
	assert_int_equal(h->bucket[5]->cumulative_count, 4);  /* 0.32 */
	assert_int_equal(h->bucket[6]->cumulative_count, 7);  /* 0.64 */
	assert_int_equal(h->bucket[13]->cumulative_count, 7); /* 81.92 */
	assert_int_equal(h->bucket[14]->cumulative_count, 8);
}

/* Slot i is (2^((i-1)/8), 2^(i/8)], upper end included. */
static void check_native(const Histogram *h)
{
	assert_int_equal(h->schema, 3);
	assert_true(h->zero_threshold == 0x1p-128);
	assert_int_equal(h->zero_count, 2);
	assert_int_equal(native_count(h, -7), 1);  /* 2^(-7/8) = 0.5453 */
	assert_int_equal(native_count(h, -8), 2);  /* 0.5 is the end of its slot */
	assert_int_equal(native_count(h, -53), 1); /* 0.01 = 2^-6.644, -53/8 = -6.625 */
	assert_int_equal(native_count(h, 54), 1);  /* 100 = 2^6.644 */
	assert_int_equal(native_count(h, HIST_INDEX_MIN), 1);
	assert_int_equal(native_total(h), 8);
	/* -320 | -53 | -8, -7 | 54 */
	assert_int_equal(h->n_positive_span, 4);
	assert_int_equal(h->n_positive_delta, 5);
	assert_int_equal(h->positive_span[0]->offset, -320);
	assert_int_equal(h->positive_span[1]->offset, 266);
	assert_int_equal(h->positive_span[2]->length, 2);
}

static void test_histogram(void **state)
{
	static const double values[] = { 0.5, 0.5, 0.51, 0.01, 100, 0, 0, 1e-30 };
	struct registry *r = new_registry();
	const Histogram *h;
	struct decoded d;
	const Family *f;

	(void)state;
	observe_all(r, values, sizeof(values) / sizeof(values[0]));
	d = decode(r);
	f = find(&d, "gen_ai_server_request_duration_seconds");
	assert_int_equal(f->type, IO__PROMETHEUS__CLIENT__METRIC_TYPE__HISTOGRAM);
	assert_string_equal(f->unit, "seconds");
	assert_string_equal(label(f->metric[0], "outcome"), "ok");
	h = f->metric[0]->histogram;
	assert_int_equal(h->sample_count, 8);
	assert_true(fabs(h->sample_sum - 101.52) < 1e-9);
	assert_true(h->created_timestamp->seconds > 1700000000);
	check_classic(h);
	check_native(h);
	assert_int_equal(h->n_exemplars, 0);
	assert_null(h->bucket[6]->exemplar);
	decoded_free(&d);
	registry_free(r);
}

/* One or two empty slots are written out; three begin a new span. */
static void test_gaps(void **state)
{
	static const int32_t slots[] = { 0, 3, 7 };
	struct registry *r = new_registry();
	const Histogram *h;
	struct decoded d;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		registry_observe(r, M_REQUEST_DURATION, 1, VALUES(REQUEST, "ok"),
				 hist_upper(slots[i]));
	d = decode(r);
	h = find(&d, "gen_ai_server_request_duration_seconds")->metric[0]->histogram;
	assert_int_equal(h->n_positive_span, 2);
	assert_int_equal(h->positive_span[0]->offset, 0);
	assert_int_equal(h->positive_span[0]->length, 4);
	assert_int_equal(h->positive_span[1]->offset, 3);
	assert_int_equal(h->positive_span[1]->length, 1);
	assert_int_equal(h->n_positive_delta, 5);
	assert_int_equal(h->positive_delta[1], -1);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(native_count(h, slots[i]), 1);
	decoded_free(&d);
	registry_free(r);
}

static void test_every_slot_in_use(void **state)
{
	struct registry *r = new_registry();
	const Histogram *h;
	struct decoded d;

	(void)state;
	for (int32_t i = HIST_INDEX_MIN; i <= HIST_INDEX_MAX; i += 1 + 3 * (i & 1))
		registry_observe(r, M_REQUEST_DURATION, 1, VALUES(REQUEST, "ok"), hist_upper(i));
	d = decode(r);
	h = find(&d, "gen_ai_server_request_duration_seconds")->metric[0]->histogram;
	for (int32_t i = HIST_INDEX_MIN; i <= HIST_INDEX_MAX; i += 1 + 3 * (i & 1))
		assert_int_equal(native_count(h, i), 1);
	assert_int_equal(native_total(h), (int64_t)h->sample_count);
	decoded_free(&d);
	registry_free(r);
}

static void check_exemplar(const Io__Prometheus__Client__Exemplar *e, double value)
{
	assert_int_equal(e->n_label, 2);
	assert_string_equal(e->label[0]->name, "trace_id");
	assert_string_equal(e->label[0]->value, TRACE);
	assert_string_equal(e->label[1]->name, "span_id");
	assert_string_equal(e->label[1]->value, SPAN);
	assert_true(e->value == value);
	assert_int_equal(e->timestamp->seconds, EXEMPLAR_NS / 1000000000);
	assert_int_equal(e->timestamp->nanos, EXEMPLAR_NS % 1000000000);
}

static void test_exemplars(void **state)
{
	static const double values[] = { 0.5, 100 };
	struct exemplar e = { .trace_id = TRACE, .span_id = SPAN, .time_ns = EXEMPLAR_NS };
	struct registry *r = new_registry();
	const Histogram *h;
	struct decoded d;

	(void)state;
	observe_all(r, values, 2);
	for (int i = 0; i < 2; i++) {
		e.value = values[i];
		registry_exemplar(r, M_REQUEST_DURATION, VALUES(REQUEST, "ok"), &e);
	}
	d = decode(r);
	h = find(&d, "gen_ai_server_request_duration_seconds")->metric[0]->histogram;
	check_exemplar(h->bucket[6]->exemplar, 0.5);
	check_exemplar(h->bucket[14]->exemplar, 100);
	assert_null(h->bucket[5]->exemplar);
	assert_int_equal(h->n_exemplars, 2);
	check_exemplar(h->exemplars[0], 0.5);
	check_exemplar(h->exemplars[1], 100);
	decoded_free(&d);
	registry_free(r);
}

/* Slots that lost an observation (their memory did not grow) are not shown; the classic buckets are. */
static void test_slots_that_do_not_add_up(void **state)
{
	static const double values[] = { 0.5, 0.5 };
	struct registry *r = new_registry();
	struct snapshot *s;
	struct buf out = BUF_INIT;
	const uint8_t *p;
	Family *f = NULL;

	(void)state;
	observe_all(r, values, 2);
	s = registry_snapshot(r);
	s->families[M_REQUEST_DURATION].series[0].hist.count = 3;
	exposition_write(&out, EXPOSITION_PROTOBUF, s);
	for (p = (const uint8_t *)out.data;
	     !f || strcmp(f->name, "gen_ai_server_request_duration_seconds");) {
		size_t len = read_varint(&p);

		if (f)
			io__prometheus__client__metric_family__free_unpacked(f, NULL);
		f = io__prometheus__client__metric_family__unpack(NULL, len, p);
		p += len;
	}
	assert_false(f->metric[0]->histogram->has_schema);
	assert_int_equal(f->metric[0]->histogram->n_positive_span, 0);
	assert_int_equal(f->metric[0]->histogram->n_bucket, 15);
	io__prometheus__client__metric_family__free_unpacked(f, NULL);
	buf_free(&out);
	snapshot_free(s);
	registry_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counters_and_gauges),
		cmocka_unit_test(test_histogram),
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_every_slot_in_use),
		cmocka_unit_test(test_exemplars),
		cmocka_unit_test(test_slots_that_do_not_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
