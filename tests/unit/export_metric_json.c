// SPDX-License-Identifier: Apache-2.0
/* The JSON of a snapshot, of the catalogue, and the schema; Python's jsonschema judges a live agent's (tests/e2e). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "export/metric_json.h"

#define VALUES(...) ((const char *const[METRIC_LABELS_MAX]){ __VA_ARGS__ })

static char *text(json_t *j)
{
	char *out = json_dumps(j, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9));

	assert_non_null(out);
	return out;
}

static const json_t *at(const json_t *o, const char *key)
{
	const json_t *value = json_object_get(o, key);

	if (!value)
		fail_msg("no key %s", key);
	return value;
}

static void test_snapshot(void **state)
{
	struct registry *r = registry_new(&(struct registry_config){ .max_series = 2 });
	struct snapshot *s;
	const json_t *metrics, *series;
	_cleanup_free_ char *labels = NULL, *overflow = NULL;
	json_t *j;

	(void)state;
	registry_add(r, M_EVENTS_LOST, 0, VALUES("ring_full"), 12345678901.0);
	registry_add(r, M_EVENTS_LOST, 0, VALUES("scratch"), 1);
	registry_observe(r, M_NET_RTT, 1, VALUES("svc", [4] = "80"), 0.25);
	registry_observe(r, M_NET_RTT, 1, VALUES("svc", [4] = "80"), 0);
	s = registry_snapshot(r);
	s->time_ns = 1795434766123456789ULL;
	j = metric_json(s);
	assert_int_equal(json_integer_value(at(j, "schema")), 1);
	assert_string_equal(json_string_value(at(j, "time")), "2026-11-23T11:52:46.123456789Z");
	metrics = at(j, "metrics");
	assert_int_equal(json_object_size(metrics), 3); /* and tokscope_series_dropped_total */

	series = at(at(metrics, "tokscope_events_lost_total"), "series");
	assert_int_equal(json_array_size(series), 2);
	assert_int_equal(json_integer_value(at(json_array_get(series, 0), "value")), 12345678901);
	overflow = text(json_object_get(json_array_get(series, 1), "labels"));
	assert_string_equal(overflow, "{\"otel_metric_overflow\":\"true\"}");

	series = json_array_get(at(at(metrics, "tokscope_net_rtt_seconds"), "series"), 0);
	labels = text(json_object_get(series, "labels"));
	assert_string_equal(labels, "{\"service_name\":\"svc\",\"server_port\":\"80\"}");
	assert_int_equal(json_integer_value(at(series, "count")), 2);
	assert_int_equal(json_integer_value(at(series, "zero")), 1);
	assert_true(json_number_value(at(series, "sum")) == 0.25);
	json_decref(j);
	snapshot_free(s);
	registry_free(r);
}

static void test_histogram(void **state)
{
	_cleanup_free_ char *full = NULL, *empty = NULL;
	struct hist h;
	json_t *j;

	(void)state;
	hist_init(&h, metric_family(M_ENGINE_BATCH_SIZE)->bounds);
	j = metric_json_hist(&h);
	empty = text(j);
	json_decref(j);
	assert_string_equal(empty,
			    "{\"count\":0,\"sum\":0.0,\"min\":null,\"max\":null,\"p50\":null,"
			    "\"p90\":null,\"p99\":null,\"zero\":0,\"buckets\":[]}");
	hist_observe(&h, 4, 2);
	j = metric_json_hist(&h);
	full = text(j);
	json_decref(j);
	assert_string_equal(full, "{\"count\":2,\"sum\":8.0,\"min\":4.0,\"max\":4.0,\"p50\":4.0,"
				  "\"p90\":4.0,\"p99\":4.0,\"zero\":0,"
				  "\"buckets\":[{\"le\":4.0,\"count\":2}]}");
	hist_free(&h);
}

static void test_catalogue(void **state)
{
	json_t *j = metric_json_family(metric_family(M_GPU_IOCTL_FAILURES));
	_cleanup_free_ char *counter = text(j);

	(void)state;
	json_decref(j);
	assert_string_equal(
		counter,
		"{\"name\":\"tokscope_gpu_ioctl_failures_total\",\"otlp_name\":\"tokscope.gpu.ioctl.failures\","
		"\"type\":\"counter\",\"unit\":\"{call}\",\"labels\":[\"device\",\"command\"],\"boundaries\":null,"
		"\"help\":\"Calls of a GPU driver that failed by result, or by the status in the struct that was "
		"passed.\"}");
	j = metric_json_family(metric_family(M_REQUEST_TOKENS));
	assert_int_equal(json_array_size(at(j, "boundaries")), 14);
	assert_true(json_real_value(json_array_get(at(j, "boundaries"), 1)) == 4);
	json_decref(j);
}

static void test_schema(void **state)
{
	json_t *schema = metric_json_schema();
	const json_t *metrics = at(at(at(schema, "properties"), "metrics"), "properties"), *lost;
	const json_t *items;

	(void)state;
	assert_string_equal(json_string_value(at(schema, "$schema")),
			    "https://json-schema.org/draft/2020-12/schema");
	assert_int_equal(json_object_size(metrics), M_MAX);
	lost = at(at(metrics, "tokscope_events_lost_total"), "properties");
	assert_string_equal(json_string_value(at(at(lost, "otlp_name"), "const")),
			    "tokscope.events.lost");
	items = at(at(lost, "series"), "items");
	assert_string_equal(json_string_value(at(items, "$ref")), "#/$defs/counter");
	at(at(schema, "$defs"), "counter");
	at(at(at(at(items, "properties"), "labels"), "properties"), "stage");
	json_decref(schema);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_snapshot),
		cmocka_unit_test(test_histogram),
		cmocka_unit_test(test_catalogue),
		cmocka_unit_test(test_schema),
	};

	return cmocka_run_group_tests_name("export_metric_json", tests, NULL, NULL);
}
