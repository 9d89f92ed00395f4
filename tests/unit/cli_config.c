// SPDX-License-Identifier: Apache-2.0
/* Where settings come from, which source wins, and what each kind of value may be. */
#include "config_world.h"

/* ------------------------------------------------------------------ precedence */

static void test_defaults(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w, "# nothing\n");
	assert_int_equal(world_load(&w), 0);
	assert_setting(&w, "log_level", "\"info\" default");
	assert_setting(&w, "capture.ring_size", "\"4m\" default");
	assert_setting(&w, "web.listen_address", "\"127.0.0.1:9464\" default");
	assert_setting(&w, "otlp.endpoint", "null default");
	assert_setting(&w, "otlp.timeout", "\"10s\" default");
	assert_setting(&w, "otlp.traces.timeout", "null default");
	assert_setting(&w, "otlp.logs.schedule_delay", "\"1s\" default");
	assert_setting(&w, "kubernetes.enabled", "\"auto\" default");
	assert_int_equal(w.config.ring_bytes, 4 << 20);
	assert_int_equal(w.config.otlp.batch[OTLP_TRACES].schedule_delay_ms, 5000);
	assert_int_equal(w.config.otlp.exporter[OTLP_METRICS], OTLP_EXPORTER_UNSET);
	assert_int_equal(config_check(&w.config), 0);
	world_end(&w);
}

static void test_each_source_wins_over_the_one_before(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w, "log_level: debug\n"
			"otlp:\n"
			"  endpoint: http://file:1\n"
			"  protocol: grpc\n"
			"  compression: gzip\n");
	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://environment:1", 1);
	setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", 1);
	world_word(&w, "--otlp.endpoint");
	world_word(&w, "http://line:1");
	assert_int_equal(world_load(&w), 0);
	assert_setting(&w, "log_level", "\"debug\" FILE:1");
	assert_setting(&w, "otlp.endpoint", "\"http://line:1\" --otlp.endpoint");
	assert_setting(&w, "otlp.protocol", "\"http/protobuf\" OTEL_EXPORTER_OTLP_PROTOCOL");
	assert_setting(&w, "otlp.compression", "\"gzip\" FILE:5");
	assert_string_equal(w.config.otlp.base.endpoint, "http://line:1");
	assert_int_equal(w.config.otlp.base.protocol, OTLP_HTTP_PROTOBUF);
	unsetenv("OTEL_EXPORTER_OTLP_ENDPOINT");
	unsetenv("OTEL_EXPORTER_OTLP_PROTOCOL");
	world_end(&w);
}

static void test_lists_are_replaced_not_added_to(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w, "select:\n  ports: [1, 2]\n  pids:\n  - 7\n  comms: python3\n");
	world_word(&w, "--port");
	world_word(&w, "3");
	world_word(&w, "--port=4");
	assert_int_equal(world_load(&w), 0);
	assert_setting(&w, "select.ports", "[3, 4] --port");
	assert_setting(&w, "select.pids", "[7] FILE:4");
	assert_setting(&w, "select.comms", "[\"python3\"] FILE:5");
	world_end(&w);
}

static void test_a_switch_of_the_file_is_turned_off_on_the_line(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w, "capture: {bpf_stats: true}\nkubernetes: {enabled: false}\n");
	world_word(&w, "--bpf-stats=false");
	world_word(&w, "--kubernetes");
	world_word(&w, "--metrics.gen-ai-client");
	assert_int_equal(world_load(&w), 0);
	assert_setting(&w, "capture.bpf_stats", "false --bpf-stats");
	assert_setting(&w, "kubernetes.enabled", "\"true\" --kubernetes");
	assert_true(w.config.gen_ai_client);
	world_end(&w);
}

static void test_other_commands(void **state)
{
	struct world w;
	int used;

	(void)state;
	world_begin(&w, "web: {listen_address: 127.0.0.1:1}\n");
	free(w.words[0]);
	w.words[0] = strdup("list");
	assert_int_equal(config_load(command_find(2, (char *[]){ "server", "list" }, &used),
				     w.count, w.words, &w.config),
			 0);
	assert_setting(&w, "web.listen_address", "\"127.0.0.1:1\" FILE:1");
	world_end(&w);
}

static void test_a_named_file_must_be_there(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w, "");
	world_word(&w, "--config.file");
	world_word(&w, "/nonexistent.yaml");
	assert_int_equal(world_load(&w), -EBADMSG);
	config_free(&w.config);
	world_word(&w, "--config.file");
	world_word(&w, "/tmp");
	assert_int_equal(world_load(&w), -EBADMSG);
	config_free(&w.config);
	world_word(&w, "--wrong");
	assert_int_equal(world_load(&w), -EINVAL);
	world_end(&w);
}

/* ------------------------------------------------------------------ the environment */

/* The setting with this variable, "" where it was left at its default. */
static void check_variable(const char *name, const char *value, const char *key, const char *want)
{
	struct world w;

	world_begin(&w, "");
	setenv(name, value, 1);
	assert_int_equal(world_load(&w), 0);
	assert_setting(&w, key, want);
	unsetenv(name);
	world_end(&w);
}

static void test_variables(void **state)
{
	(void)state;
	check_variable("OTEL_SDK_DISABLED", "TRUE", "otlp.disabled", "true OTEL_SDK_DISABLED");
	check_variable("OTEL_METRICS_EXPORTER", "otlp,prometheus", "otlp.metrics.exporter",
		       "\"otlp\" OTEL_METRICS_EXPORTER");
	check_variable("OTEL_LOGS_EXPORTER", "none", "otlp.logs.exporter",
		       "\"none\" OTEL_LOGS_EXPORTER");
	check_variable("OTEL_METRIC_EXPORT_INTERVAL", "1500", "otlp.metrics.interval",
		       "\"1500ms\" OTEL_METRIC_EXPORT_INTERVAL");
	check_variable("OTEL_EXPORTER_OTLP_TIMEOUT", "2000", "otlp.timeout",
		       "\"2s\" OTEL_EXPORTER_OTLP_TIMEOUT");
	check_variable("OTEL_BSP_MAX_QUEUE_SIZE", "9", "otlp.traces.max_queue_size",
		       "9 OTEL_BSP_MAX_QUEUE_SIZE");
	check_variable("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "8", "otlp.logs.max_batch_size",
		       "8 OTEL_BLRP_MAX_EXPORT_BATCH_SIZE");
	check_variable("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "a=b%20c, d = e", "otlp.logs.headers",
		       "{\"a\": \"b c\", \"d\": \"e\"} OTEL_EXPORTER_OTLP_LOGS_HEADERS");
	check_variable("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "true", "otlp.traces.insecure",
		       "\"true\" OTEL_EXPORTER_OTLP_TRACES_INSECURE");
	check_variable("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "Delta",
		       "otlp.metrics.temporality",
		       "\"delta\" OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE");
	check_variable("OTEL_METRICS_EXEMPLAR_FILTER", "always_off", "metrics.exemplars",
		       "\"always_off\" OTEL_METRICS_EXEMPLAR_FILTER");
	check_variable("NODE_NAME", "n1", "kubernetes.node_name", "\"n1\" NODE_NAME");
}

static void test_wrong_variables_are_ignored(void **state)
{
	(void)state;
	check_variable("OTEL_METRIC_EXPORT_INTERVAL", "5s", "otlp.metrics.interval",
		       "\"60s\" default");
	check_variable("OTEL_METRIC_EXPORT_INTERVAL", "-1", "otlp.metrics.interval",
		       "\"60s\" default");
	check_variable("OTEL_METRIC_EXPORT_INTERVAL", "", "otlp.metrics.interval",
		       "\"60s\" default");
	check_variable("OTEL_BSP_MAX_QUEUE_SIZE", "many", "otlp.traces.max_queue_size",
		       "2048 default");
	check_variable("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "otlp.protocol",
		       "\"http/protobuf\" default");
	check_variable("OTEL_SDK_DISABLED", "1", "otlp.disabled", "false default");
	check_variable("OTEL_EXPORTER_OTLP_HEADERS", "no pair", "otlp.headers", "null default");
	check_variable("OTEL_METRICS_EXEMPLAR_FILTER", "always_on", "metrics.exemplars",
		       "\"trace_based\" default");
	check_variable("OTEL_SERVICE_NAME", "\xff", "otlp.service_name", "null default");
}

static void test_two_variables_of_one_setting(void **state)
{
	(void)state;
	check_variable("OTEL_EXPORTER_PROMETHEUS_HOST", "0.0.0.0", "web.listen_address",
		       "\"0.0.0.0:9464\" OTEL_EXPORTER_PROMETHEUS_HOST");
	check_variable("OTEL_EXPORTER_PROMETHEUS_HOST", "::1", "web.listen_address",
		       "\"[::1]:9464\" OTEL_EXPORTER_PROMETHEUS_HOST");
	check_variable("OTEL_EXPORTER_PROMETHEUS_PORT", "9999", "web.listen_address",
		       "\"127.0.0.1:9999\" OTEL_EXPORTER_PROMETHEUS_PORT");
	check_variable("OTEL_EXPORTER_PROMETHEUS_PORT", "99999", "web.listen_address",
		       "\"127.0.0.1:9464\" default");
	check_variable("OTEL_EXPORTER_PROMETHEUS_HOST", "a.name", "web.listen_address",
		       "\"127.0.0.1:9464\" default");
	setenv("OTEL_TRACES_SAMPLER_ARG", "0.25", 1);
	check_variable("OTEL_TRACES_SAMPLER", "", "traces.ratio", "1 default");
	check_variable("OTEL_TRACES_SAMPLER", "parentbased_traceidratio", "traces.ratio",
		       "0.25 OTEL_TRACES_SAMPLER");
	check_variable("OTEL_TRACES_SAMPLER", "always_off", "traces.ratio",
		       "0 OTEL_TRACES_SAMPLER");
	check_variable("OTEL_TRACES_SAMPLER", "always_on", "traces.ratio", "1 OTEL_TRACES_SAMPLER");
	check_variable("OTEL_TRACES_SAMPLER", "jaeger_remote", "traces.ratio", "1 default");
	setenv("OTEL_TRACES_SAMPLER_ARG", "2", 1);
	check_variable("OTEL_TRACES_SAMPLER", "traceidratio", "traces.ratio", "1 default");
	unsetenv("OTEL_TRACES_SAMPLER_ARG");
}

/* ------------------------------------------------------------------ values */

static void check_value(const char *key, const char *text, const char *want)
{
	const struct option_spec *o = option_by_key(key);
	const struct config_origin from = { .source = CONFIG_FILE, .line = 1 };
	struct world w;
	int err;

	world_begin(&w, "");
	assert_int_equal(world_load(&w), 0);
	err = config_assign(&w.config, o, text, from);
	if (want) {
		assert_int_equal(err, 0);
		assert_setting(&w, key, want);
	} else {
		assert_int_equal(err, -EINVAL);
		assert_string_equal(config_where(&w.config, o, NULL, 0), "default");
	}
	world_end(&w);
}

static void test_numbers_and_times(void **state)
{
	static const struct {
		const char *key, *text, *want; /* NULL: refused */
	} rows[] = {
		{ "metrics.max_series", "18446744073709551616", NULL },
		{ "metrics.max_series", "0x10", NULL },
		{ "metrics.max_series", " 1", NULL },
		{ "metrics.max_series", "-1", NULL },
		{ "metrics.max_series", "10", "10 FILE:1" },
		{ "capture.ring_size", "512K", "\"512k\" FILE:1" },
		{ "capture.ring_size", "1025", "1025 FILE:1" },
		{ "capture.ring_size", "2048k", "\"2m\" FILE:1" },
		{ "capture.ring_size", "4mb", NULL },
		{ "capture.ring_size", "99999999999999m", NULL },
		{ "probes.budget", "1e400", NULL },
		{ "probes.budget", "nan", NULL },
		{ "probes.budget", "0.5", "0.5 FILE:1" },
		{ "traces.ratio", "1.01", NULL },
		{ "traces.ratio", "1", "1 FILE:1" },
		{ "traces.slow_ttft", "0", "\"0s\" FILE:1" },
		{ "traces.slow_ttft", "250ms", "\"0.25s\" FILE:1" },
		{ "traces.slow_ttft", "2m", "\"120s\" FILE:1" },
		{ "traces.slow_ttft", "5 s", NULL },
		{ "traces.slow_ttft", "1e300h", NULL },
		{ "otlp.timeout", "0", NULL },
		{ "otlp.timeout", "1.5", "\"1500ms\" FILE:1" },
		{ "otlp.timeout", "1h", "\"3600s\" FILE:1" },
		{ "otlp.timeout", "0.1ms", NULL },
		{ "select.ports", "65535", "[65535] FILE:1" },
		{ "select.ports", "65536", NULL },
		{ "select.pids", "0", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_value(rows[i].key, rows[i].text, rows[i].want);
}

static void test_texts(void **state)
{
	(void)state;
	check_value("records", "-", "\"-\" FILE:1");
	check_value("records", "a\nb", NULL);
	check_value("records", "\xc3\x28", NULL);
	check_value("otlp.endpoint", "", NULL);
	check_value("otlp.endpoint", "http://a b", NULL);
	check_value("web.listen_address", ":9464", "\":9464\" FILE:1");
	check_value("web.listen_address", "[::1]:0", "\"[::1]:0\" FILE:1");
	check_value("web.listen_address", "localhost:9464", NULL);
	check_value("otlp.headers", "a=b=c,d=", "{\"a\": \"b=c\", \"d\": \"\"} FILE:1");
	check_value("otlp.headers", "=a", NULL);
	check_value("otlp.headers", "a=%ff", "{\"a\": \"%ff\"} FILE:1");
	check_value("otlp.disabled", "False", "false FILE:1");
	check_value("otlp.disabled", "yes", NULL);
	check_value("metrics.extra_boundaries", "tokscope_inter_token_latency_seconds=0.03",
		    "[\"tokscope_inter_token_latency_seconds=0.03\"] FILE:1");
	check_value("metrics.extra_boundaries", "tokscope_inter_token_latency=0.03", NULL);
}

/* Every word that a message offers is one, and is shown as itself. */
static void test_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPTIONS_MAX; i++) {
		const char *const *words;
		size_t count;

		words = options[i].key ? option_words(&options[i], &count) : NULL;
		for (size_t j = 0; words && j < count; j++) {
			char want[128];

			snprintf(want, sizeof(want), "\"%s\" FILE:1", words[j]);
			check_value(options[i].key, words[j], want);
			assert_non_null(strstr(option_expected(&options[i]), words[j]));
		}
	}
}

static void check_hidden(const char *key, const char *text, const char *want)
{
	const struct config_origin from = { .source = CONFIG_FILE, .line = 1 };
	const struct option_spec *o = option_by_key(key);
	struct config c;
	json_t *value;
	char *got;

	assert_int_equal(config_init(&c), 0);
	assert_int_equal(config_assign(&c, o, text, from), 0);
	value = config_value(&c, o, true);
	got = json_dumps(value, JSON_ENCODE_ANY);
	assert_string_equal(got, want);
	free(got);
	json_decref(value);
	config_free(&c);
}

static void test_secrets_are_hidden(void **state)
{
	(void)state;
	check_hidden("otlp.headers", "a=secret,b=", "{\"a\": \"<hidden>\", \"b\": \"<hidden>\"}");
	check_hidden("otlp.endpoint", "https://u:secret@h:1/p", "\"https://<hidden>@h:1/p\"");
	check_hidden("otlp.endpoint", "u:sec/ret@h:1", "\"<hidden>@h:1\"");
	check_hidden("otlp.endpoint", "https://h/p?key=secret@x", "\"https://<hidden>@x\"");
	check_hidden("otlp.endpoint", "https://h/p?key=secret", "\"https://h/p?<hidden>\"");
	check_hidden("otlp.endpoint", "http://h:4318", "\"http://h:4318\"");
	check_hidden("otlp.resource_attributes", "a=b", "{\"a\": \"b\"}");
}

/* Secrets are not for the command line; a section's keys stand together, as the file is printed. */
static void test_the_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPTIONS_MAX; i++) {
		const struct option_spec *o = &options[i];

		assert_true(o->name || o->key);
		if (o->flags & SECRET)
			assert_null(o->name);
		if (o->flags)
			assert_non_null(o->key);
		if (o->key)
			assert_ptr_equal(option_by_key(o->key), o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_each_source_wins_over_the_one_before),
		cmocka_unit_test(test_lists_are_replaced_not_added_to),
		cmocka_unit_test(test_a_switch_of_the_file_is_turned_off_on_the_line),
		cmocka_unit_test(test_other_commands),
		cmocka_unit_test(test_a_named_file_must_be_there),
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_wrong_variables_are_ignored),
		cmocka_unit_test(test_two_variables_of_one_setting),
		cmocka_unit_test(test_numbers_and_times),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_secrets_are_hidden),
		cmocka_unit_test(test_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
