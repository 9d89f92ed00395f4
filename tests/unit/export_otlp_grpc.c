// SPDX-License-Identifier: Apache-2.0
/*
 * The exporter with its real encoders against tests/e2e/otlp_sink.py, a collector of gRPC's own library and of the generated
 * classes of OTLP: what it decoded, and what was counted. Skipped where Python lacks them.
 */
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "export/otlp_rules.h"
#include "otlp_drops.h"

#define SINK	"tests/e2e/otlp_sink.py"
#define HOUR_MS 3600000

struct world {
	char folder[32]; /* of the certificate; "": without TLS */
	pid_t sink;
	FILE *to, *from;
	json_t *urls;
	struct registry *registry;
	struct otlp_settings settings;
	struct otlp *otlp;
	struct otlp_drops dropped;
};

static struct snapshot *on_snapshot(void *ctx)
{
	return registry_snapshot(((struct world *)ctx)->registry);
}

static void on_dropped(void *ctx, enum otlp_signal signal, const char *reason, uint64_t count)
{
	otlp_drops_add(&((struct world *)ctx)->dropped, signal, reason, count);
}

/* A line of the sink; NULL at its end. */
static json_t *next_line(struct world *w)
{
	char *line = NULL;
	size_t cap = 0;
	json_t *json = getline(&line, &cap, w->from) > 0 ? json_loads(line, 0, NULL) : NULL;

	free(line);
	return json;
}

/* The program speaks on w->from until w->to ends. */
static void start_sink(struct world *w, const char *answers)
{
	int in[2], out[2];

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	w->sink = fork();
	assert_true(w->sink >= 0);
	if (!w->sink) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		close(in[1]);
		close(out[0]);
		execl("/usr/bin/python3", "python3", "-B", SINK, "--answers", answers,
		      *w->folder ? "--tls" : NULL, w->folder, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	w->to = fdopen(in[1], "w");
	w->from = fdopen(out[0], "r");
	w->urls = next_line(w);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->registry = registry_new(&(struct registry_config){ 0 });
	for (int i = OTLP_TRACES; i <= OTLP_LOGS; i++)
		w->settings.batch[i] = (struct otlp_batch_settings){ .schedule_delay_ms = HOUR_MS,
								     .max_queue_size = 8,
								     .max_batch_size = 2 };
	w->settings.metric_interval_ms = HOUR_MS;
	*state = w;
	return 0;
}

static void remove_certificate(const struct world *w)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", w->folder);
	assert_int_equal(system(command), 0);
}

static int teardown(void **state)
{
	struct world *w = *state;

	otlp_free(w->otlp);
	if (w->sink > 0) {
		fclose(w->to);
		fclose(w->from);
		waitpid(w->sink, NULL, 0);
	}
	if (*w->folder)
		remove_certificate(w);
	json_decref(w->urls);
	registry_free(w->registry);
	free(w);
	return 0;
}

static void open_otlp(struct world *w)
{
	static const struct otlp_rules rules = {
		.retry_first_ms = 1,
		.retry_max_ms = 2,
		.give_up_ms = HOUR_MS,
		.flush_ms = HOUR_MS,
		.flush_failing_ms = HOUR_MS,
		.metrics = otlp_encode_metrics,
		.records = { [OTLP_TRACES] = otlp_encode_traces, [OTLP_LOGS] = otlp_encode_logs },
		.items = { [OTLP_TRACES] = otlp_span_count },
	};
	static const struct otlp_ops ops = { on_snapshot, on_dropped };

	w->otlp = otlp_new_by(&w->settings, &ops, w, &rules);
	assert_non_null(w->otlp);
}

/* An exporter of one signal to the sink, whose answers are given. */
static void start(struct world *w, enum otlp_signal signal, const char *protocol,
		  const char *answers)
{
	const char *url;

	start_sink(w, answers);
	url = json_string_value(json_object_get(w->urls, protocol));
	if (!url)
		skip(); /* no python3-grpcio, or none of the others */
	for (int i = 0; i < OTLP_SIGNALS; i++)
		w->settings.exporter[i] =
			i == (int)signal ? OTLP_EXPORTER_OTLP : OTLP_EXPORTER_NONE;
	w->settings.base.endpoint = url;
	w->settings.base.protocol = !strcmp(protocol, "grpc") ? OTLP_GRPC : OTLP_HTTP_PROTOBUF;
	w->settings.base.headers = "Api-Key=secret";
	open_otlp(w);
}

static void record(struct world *w, int n)
{
	struct request_record r = { .time_ns = 1800000000000000000,
				    .status = 200,
				    .sampled = true,
				    .outcome = OUTCOME_OK,
				    .duration_s = 0.5 };

	for (int i = 0; i < PHASE_MAX; i++) /* else each phase is a span too */
		r.phase_s[i] = NAN;
	strcpy(r.trace_id, "0123456789abcdef0123456789abcdef");
	strcpy(r.span_id, "0123456789abcdef");
	while (n--)
		otlp_record(w->otlp, &r, NULL);
}

static const char *text_of(const json_t *message, const char *key)
{
	const char *text = json_string_value(json_object_get(message, key));

	return text ? text : "";
}

/* The next message that arrives: so many items, answered so. The caller drops it. */
static json_t *expect(struct world *w, int items, const char *answer)
{
	json_t *m = next_line(w);

	assert_non_null(m);
	assert_string_equal(text_of(m, "error"), "");
	assert_string_equal(text_of(m, "answer"), answer);
	assert_int_equal(json_integer_value(json_object_get(m, "items")), items);
	return m;
}

static void finish(struct world *w)
{
	otlp_free(w->otlp);
	w->otlp = NULL;
}

/* The same sequence over both: what is sent again, what is lost, and what is taken. */
static void check_answers(struct world *w, const char *protocol)
{
	start(w, OTLP_TRACES, protocol, "503,429:1,partial:1,400,garbage,huge,ok");
	for (int batch = 0; batch < 4; batch++)
		record(w, 2);
	json_decref(expect(w, 2, "503"));
	json_decref(expect(w, 2, "429:1"));
	json_decref(expect(w, 2, "partial:1"));
	json_decref(expect(w, 2, "400"));
	json_decref(expect(w, 2, "garbage"));
	json_decref(expect(w, 2, "huge"));
	record(w, 1);
	finish(w);
	json_decref(expect(w, 1, "ok"));
	assert_string_equal(w->dropped.text,
			    "traces rejected 1\ntraces permanent 2\ntraces permanent 2\n");
}

static void test_grpc_answers(void **state)
{
	check_answers(*state, "grpc");
}

static void test_http_answers(void **state)
{
	check_answers(*state, "http");
}

/* RESOURCE_EXHAUSTED without a RetryInfo is final, with one it is not. */
static void test_grpc_statuses(void **state)
{
	struct world *w = *state;

	start(w, OTLP_LOGS, "grpc",
	      "RESOURCE_EXHAUSTED,RESOURCE_EXHAUSTED:0.01,ABORTED,INTERNAL,ok");
	record(w, 6);
	json_decref(expect(w, 2, "RESOURCE_EXHAUSTED"));
	json_decref(expect(w, 2, "RESOURCE_EXHAUSTED:0.01"));
	json_decref(expect(w, 2, "ABORTED"));
	json_decref(expect(w, 2, "INTERNAL"));
	json_decref(expect(w, 2, "ok"));
	finish(w);
	assert_string_equal(w->dropped.text, "logs permanent 2\nlogs permanent 2\n");
}

static void test_grpc_request(void **state)
{
	struct world *w = *state;
	json_t *m, *headers;

	w->settings.base.compression = OTLP_COMPRESSION_GZIP;
	start(w, OTLP_TRACES, "grpc", "ok");
	record(w, 2);
	m = expect(w, 2, "ok");
	headers = json_object_get(m, "headers");
	assert_string_equal(text_of(headers, "api-key"), "secret");
	assert_non_null(strstr(text_of(headers, "user-agent"), "tokscope/" TOKSCOPE_VERSION));
	json_decref(m);
	finish(w);
	assert_string_equal(w->dropped.text, "");
}

static void check_metrics(struct world *w, const char *protocol, const char *encoding)
{
	const char *values[METRIC_LABELS_MAX] = { "ring_full" };
	json_t *m;

	registry_add(w->registry, M_EVENTS_LOST, 0, values, 3);
	w->settings.base.compression = OTLP_COMPRESSION_GZIP;
	start(w, OTLP_METRICS, protocol, "503");
	finish(w);
	m = expect(w, 2, "503"); /* the counter, and what its family has lost */
	assert_string_equal(text_of(m, "signal"), "metrics");
	assert_string_equal(text_of(m, "encoding"), encoding);
	json_decref(m);
	assert_string_equal(w->dropped.text, "metrics shutdown 2\n");
}

static void test_grpc_metrics(void **state)
{
	check_metrics(*state, "grpc", "");
}

static void test_http_metrics(void **state)
{
	check_metrics(*state, "http", "gzip");
}

/* ------------------------------------------------------------------ TLS */

/* A certificate that signs itself is the sink's, the client's and the authority's all at once. */
static void make_certificate(struct world *w)
{
	char command[512];

	strcpy(w->folder, "/tmp/tokscope-test-XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	snprintf(command, sizeof(command),
		 "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
		 " -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
		 " -keyout key.pem -out cert.pem 2>/dev/null",
		 w->folder);
	if (system(command))
		skip(); /* no openssl */
}

/* Without the client's certificate the sink does not talk; with it, twice on one connection. */
static void check_tls(struct world *w, const char *protocol)
{
	char certificate[64], key[64];

	make_certificate(w);
	snprintf(certificate, sizeof(certificate), "%s/cert.pem", w->folder);
	snprintf(key, sizeof(key), "%s/key.pem", w->folder);
	w->settings.base.certificate = certificate;
	start(w, OTLP_TRACES, protocol, "ok");
	record(w, 1);
	finish(w);
	assert_string_equal(w->dropped.text, "traces shutdown 1\n");

	w->settings.base.client_certificate = certificate;
	w->settings.base.client_key = key;
	open_otlp(w);
	record(w, 4);
	json_decref(expect(w, 2, "ok"));
	json_decref(expect(w, 2, "ok"));
	finish(w);
	assert_string_equal(w->dropped.text, "traces shutdown 1\n");
}

static void test_grpc_tls(void **state)
{
	check_tls(*state, "grpc");
}

static void test_http_tls(void **state)
{
	check_tls(*state, "http");
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(grpc_answers), TEST(http_answers), TEST(grpc_statuses), TEST(grpc_request),
		TEST(grpc_metrics), TEST(http_metrics), TEST(grpc_tls),	     TEST(http_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
