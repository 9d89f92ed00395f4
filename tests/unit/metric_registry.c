// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "metric/bounds.h"
#include "metric/registry.h"

#define VALUES(...) ((const char *const[METRIC_LABELS_MAX]){ __VA_ARGS__ })

static struct registry *new_registry(size_t max_series)
{
	struct registry *r = registry_new(&(struct registry_config){ .max_series = max_series });

	assert_non_null(r);
	return r;
}

static struct snapshot *snap(struct registry *r)
{
	struct snapshot *s = registry_snapshot(r);

	assert_non_null(s);
	return s;
}

static const struct snapshot_series *only(const struct snapshot *s, enum metric_id id)
{
	assert_int_equal(s->families[id].count, 1);
	return &s->families[id].series[0];
}

/* Value of tokscope_series_dropped_total{family}; -1: no such series. */
static double dropped(const struct snapshot *s, enum metric_id id)
{
	const struct snapshot_family *f = &s->families[M_SERIES_DROPPED];

	for (size_t i = 0; i < f->count; i++)
		if (!strcmp(f->series[i].values[0], metric_family(id)->prom_name))
			return f->series[i].value;
	return -1;
}

static void test_empty(void **state)
{
	struct registry *r = new_registry(0);
	struct snapshot *s = snap(r);

	(void)state;
	for (int id = 0; id < M_MAX; id++) {
		assert_int_equal(s->families[id].count, 0);
		assert_ptr_equal(s->families[id].family, metric_family(id));
	}
	snapshot_free(s);
	registry_free(r);
}

static void test_values(void **state)
{
	struct registry *r = new_registry(0);
	uint64_t before = clock_wall_ns(clock_monotonic_ns());
	const struct snapshot_series *series;
	char model[] = "m";
	struct snapshot *s;

	(void)state;
	registry_add(r, M_TOKENS_CACHED, 1, VALUES("svc", NULL, "vllm", "", "8000", [7] = model),
		     2);
	model[0] = 'x'; /* values are owned by the registry */
	registry_add(r, M_TOKENS_CACHED, 1, VALUES("svc", "", "vllm", NULL, "8000", [7] = "m"), 3);
	registry_add(r, M_TOKENS_CACHED, 1, VALUES("svc", [7] = "m"), NAN);
	registry_add(r, M_TOKENS_CACHED, 1, VALUES("svc", [7] = "m"), -1);
	registry_set(r, M_CONNECTIONS, 0, VALUES(NULL), 7);
	registry_add(r, M_CONNECTIONS, 0, VALUES(NULL), -2);
	s = snap(r);
	series = only(s, M_TOKENS_CACHED);
	assert_true(series->value == 5);
	assert_string_equal(series->values[0], "svc");
	assert_null(series->values[1]);
	assert_string_equal(series->values[2], "vllm");
	assert_null(series->values[3]);
	assert_string_equal(series->values[4], "8000");
	assert_string_equal(series->values[7], "m");
	assert_false(series->overflow);
	assert_true(series->start_ns >= before && series->start_ns <= s->time_ns);
	assert_true(only(s, M_CONNECTIONS)->value == 5);
	assert_true(dropped(s, M_TOKENS_CACHED) == 0);
	assert_true(dropped(s, M_TOKENS_WASTED) == -1);
	snapshot_free(s);
	registry_free(r);
}

static void test_histograms(void **state)
{
	struct registry *r = new_registry(0);
	struct hist h, other;
	struct snapshot *s;

	(void)state;
	hist_init(&h, &bounds_tpot);
	hist_init(&other, &bounds_tokens);
	hist_observe(&h, 0.003, 10);
	hist_observe(&other, 1, 6);
	registry_observe(r, M_INTER_TOKEN_LATENCY, 1, VALUES("a"), 1);
	registry_observe(r, M_INTER_TOKEN_LATENCY, 1, VALUES("a"), NAN);
	registry_merge(r, M_INTER_TOKEN_LATENCY, 1, VALUES("a"), &h);
	registry_merge(r, M_INTER_TOKEN_LATENCY, 1, VALUES("a"),
		       &other); /* other boundaries: lost, counted */
	s = snap(r);
	registry_observe(r, M_INTER_TOKEN_LATENCY, 1, VALUES("a"),
			 1); /* the snapshot does not change */
	assert_int_equal(only(s, M_INTER_TOKEN_LATENCY)->hist.count, 11);
	assert_true(fabs(only(s, M_INTER_TOKEN_LATENCY)->hist.sum - 1.03) < 1e-9);
	assert_int_equal(only(s, M_INTER_TOKEN_LATENCY)->hist.classic[3], 10);
	assert_true(dropped(s, M_INTER_TOKEN_LATENCY) == 6);
	hist_free(&h);
	hist_free(&other);
	snapshot_free(s);
	registry_free(r);
}

/* A call that does not fit the family's type is a loss like any other. */
static void test_wrong_type(void **state)
{
	struct registry *r = new_registry(0);
	struct snapshot *s;

	(void)state;
	registry_observe(r, M_TOKENS_CACHED, 1, VALUES("a"), 1);
	registry_set(r, M_REQUEST_TOKENS, 1, VALUES("a"), 1);
	s = snap(r);
	assert_int_equal(s->families[M_TOKENS_CACHED].count, 0);
	assert_int_equal(s->families[M_REQUEST_TOKENS].count, 0);
	assert_true(dropped(s, M_TOKENS_CACHED) == 1 && dropped(s, M_REQUEST_TOKENS) == 1);
	snapshot_free(s);
	registry_free(r);
}

/* Every measurement is in exactly one series, and those of the overflow series are counted. */
static void test_overflow(void **state)
{
	struct registry *r = new_registry(4);
	const struct snapshot_family *f;
	struct snapshot *s;
	double sum = 0;

	(void)state;
	for (int i = 0; i < 10; i++) {
		char name[16];

		snprintf(name, sizeof(name), "s%d", i);
		registry_add(r, M_STREAM_EVENTS, i + 1, VALUES(name), 1);
		registry_add(r, M_STREAM_EVENTS, i + 1, VALUES(name), 10);
	}
	s = snap(r);
	f = &s->families[M_STREAM_EVENTS];
	assert_int_equal(f->count, 4);
	for (size_t i = 0; i < f->count; i++) {
		assert_int_equal(f->series[i].overflow, i == 3);
		sum += f->series[i].value;
	}
	assert_string_equal(f->series[0].values[0], "s0");
	assert_null(f->series[3].values[0]);
	assert_true(sum == 110);
	assert_true(f->series[3].value == 77);
	assert_true(dropped(s, M_STREAM_EVENTS) == 14);
	snapshot_free(s);

	registry_retire(r, 1); /* makes room for one */
	registry_add(r, M_STREAM_EVENTS, 9, VALUES("new"), 5);
	s = snap(r);
	f = &s->families[M_STREAM_EVENTS];
	assert_int_equal(f->count, 4);
	assert_string_equal(f->series[2].values[0], "new");
	assert_true(f->series[2].value == 5);
	assert_true(dropped(s, M_STREAM_EVENTS) == 14);
	snapshot_free(s);
	registry_free(r);
}

static void test_overflow_histogram(void **state)
{
	struct registry *r = new_registry(2);
	struct snapshot *s;
	struct hist h;

	(void)state;
	hist_init(&h, &bounds_tokens);
	hist_observe(&h, 16, 5);
	registry_observe(r, M_REQUEST_TOKENS, 1, VALUES("a"), 1);
	registry_merge(r, M_REQUEST_TOKENS, 2, VALUES("b"), &h);
	registry_observe(r, M_REQUEST_TOKENS, 3, VALUES("c"), 1);
	s = snap(r);
	assert_int_equal(s->families[M_REQUEST_TOKENS].count, 2);
	assert_int_equal(s->families[M_REQUEST_TOKENS].series[1].hist.count, 6);
	assert_true(s->families[M_REQUEST_TOKENS].series[1].overflow);
	assert_true(dropped(s, M_REQUEST_TOKENS) == 6);
	hist_free(&h);
	snapshot_free(s);
	registry_free(r);
}

static void test_default_cap(void **state)
{
	struct registry *r = new_registry(0);
	struct snapshot *s;

	(void)state;
	for (int i = 0; i < 2100; i++) {
		char name[16];

		snprintf(name, sizeof(name), "s%d", i);
		registry_add(r, M_STREAM_EVENTS, 1, VALUES(name), 1);
	}
	s = snap(r);
	assert_int_equal(s->families[M_STREAM_EVENTS].count, 2000);
	assert_true(s->families[M_STREAM_EVENTS].series[1999].value == 101);
	assert_true(dropped(s, M_STREAM_EVENTS) == 101);
	snapshot_free(s);
	registry_free(r);
}

static void test_remove(void **state)
{
	static const char *const one[METRIC_LABELS_MAX] = { "ring_full" };
	static const char *const two[METRIC_LABELS_MAX] = { "scratch" };
	const struct registry_config config = { 0 };
	struct registry *r = registry_new(&config);
	struct snapshot *s;

	(void)state;
	registry_set(r, M_EVENTS_LOST, 0, one, 1);
	registry_set(r, M_EVENTS_LOST, 0, two, 2);
	registry_remove(r, M_EVENTS_LOST, one);
	registry_remove(r, M_EVENTS_LOST, one);
	registry_remove(r, M_EVENTS_PARTIAL, two);
	s = registry_snapshot(r);
	assert_int_equal(s->families[M_EVENTS_LOST].count, 1);
	assert_string_equal(s->families[M_EVENTS_LOST].series[0].values[0], "scratch");
	snapshot_free(s);
	registry_free(r);
}

static void test_retire(void **state)
{
	struct registry *r = new_registry(0);
	struct snapshot *s;

	(void)state;
	registry_add(r, M_REQUESTS, 1, VALUES("a"), 1);
	registry_add(r, M_REQUESTS, 2, VALUES("b"), 1);
	registry_observe(r, M_REQUEST_TOKENS, 1, VALUES("a"), 1);
	registry_add(r, M_REQUESTS, 1, VALUES("shared"), 1);
	registry_add(r, M_REQUESTS, 3, VALUES("shared"), 1); /* came back as server 3 */
	registry_set(r, M_CONNECTIONS, 0, VALUES(NULL), 1);
	registry_retire(r, 1);
	registry_retire(r, 77);
	s = snap(r);
	assert_int_equal(s->families[M_REQUESTS].count, 2);
	assert_string_equal(s->families[M_REQUESTS].series[0].values[0], "b");
	assert_string_equal(s->families[M_REQUESTS].series[1].values[0], "shared");
	assert_true(s->families[M_REQUESTS].series[1].value == 2);
	assert_int_equal(s->families[M_REQUEST_TOKENS].count, 0);
	assert_int_equal(s->families[M_CONNECTIONS].count, 1);
	snapshot_free(s);
	registry_free(r);
}

/* What Prometheus would refuse never gets in; values that differ only by where they are cut stay apart. */
static void test_label_bytes(void **state)
{
	static const char *const in[] = { "\xc3\xa4",	     "\xc3",	     "\xff x",
					  "\xe0\x80\x80",    "\xed\xa0\x80", "\xf0\x9f\x98\x80",
					  "\xf4\x90\x80\x80" };
	static const char *const want[] = { "\xc3\xa4",		"?",   "? x", "???", "???",
					    "\xf0\x9f\x98\x80", "????" };
	struct registry *r = new_registry(0);
	char huge[5000];
	struct snapshot *s;

	(void)state;
	for (size_t i = 0; i < 7; i++)
		registry_add(r, M_EXPORT_DROPPED, 0, VALUES(in[i], i == 4 ? "b" : "a"), 1);
	registry_add(r, M_REQUESTS, 0, VALUES("ab", "c"), 1);
	registry_add(r, M_REQUESTS, 0, VALUES("a", "bc"), 1);
	memset(huge, 'h', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	registry_add(r, M_STREAM_EVENTS, 0, VALUES(huge), 1);
	s = snap(r);
	assert_int_equal(s->families[M_EXPORT_DROPPED].count, 7);
	for (size_t i = 0; i < 7; i++)
		assert_string_equal(s->families[M_EXPORT_DROPPED].series[i].values[0], want[i]);
	assert_int_equal(s->families[M_REQUESTS].count, 2);
	assert_true(only(s, M_STREAM_EVENTS)->overflow);
	assert_true(dropped(s, M_STREAM_EVENTS) == 1);
	snapshot_free(s);
	registry_free(r);
}

#define ROUNDS 20000

static void *writer(void *arg)
{
	struct registry *r = arg;

	for (int i = 0; i < ROUNDS; i++) {
		registry_add(r, M_TOKENS, 1, VALUES("a", NULL, i % 2 ? "x" : "y"), 1);
		registry_observe(r, M_REQUEST_TOKENS, 1, VALUES("a"), i);
		if (i % 1000 == 0)
			registry_retire(r, 2);
		registry_set(r, M_IN_FLIGHT, 2, VALUES("b"), i);
	}
	return NULL;
}

static void test_concurrent(void **state)
{
	struct registry *r = new_registry(0);
	double seen = 0, now = 0;
	pthread_t threads[2];
	struct snapshot *s;

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, writer, r), 0);
	for (int i = 0; i < 200; i++, seen = now) {
		s = snap(r);
		now = 0;
		for (size_t k = 0; k < s->families[M_TOKENS].count; k++)
			now += s->families[M_TOKENS].series[k].value;
		assert_true(now >= seen);
		snapshot_free(s);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	s = snap(r);
	assert_int_equal(s->families[M_TOKENS].count, 2);
	assert_true(s->families[M_TOKENS].series[0].value + s->families[M_TOKENS].series[1].value ==
		    2 * ROUNDS);
	assert_int_equal(only(s, M_REQUEST_TOKENS)->hist.count, 2 * ROUNDS);
	snapshot_free(s);
	registry_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),	    cmocka_unit_test(test_values),
		cmocka_unit_test(test_histograms),  cmocka_unit_test(test_wrong_type),
		cmocka_unit_test(test_overflow),    cmocka_unit_test(test_overflow_histogram),
		cmocka_unit_test(test_default_cap), cmocka_unit_test(test_retire),
		cmocka_unit_test(test_remove),	    cmocka_unit_test(test_label_bytes),
		cmocka_unit_test(test_concurrent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
