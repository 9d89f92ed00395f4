// SPDX-License-Identifier: Apache-2.0
/*
 * The exporter against a collector that answers by script: what arrives, in which order, and what is counted. Nothing is
 * decided by time: batches become full, or wait an hour.
 */
#include "otlp_world.h"

/* ------------------------------------------------------------------ records */

static void test_batches(void **state)
{
	struct otlp_world *w = *state;
	const struct request *r = &w->collector.requests[0];

	w->settings.base.compression = OTLP_COMPRESSION_GZIP;
	start(w, OTLP_TRACES, REPLIES(STATUS(200)));
	assert_true(otlp_exports(w->otlp, OTLP_TRACES));
	assert_false(otlp_exports(w->otlp, OTLP_LOGS));
	assert_false(otlp_exports(w->otlp, OTLP_METRICS));
	record(w, 2);
	await(w, 1);
	otlp_record(w->otlp, &(struct request_record){ .pid = 99 }, NULL); /* not sampled */
	record(w, 1);
	finish(w);
	CHECK_BODIES(w, "1 2", "3");
	assert_string_equal(r->path, "/v1/traces");
	assert_string_equal(r->type, "application/x-protobuf");
	assert_string_equal(r->encoding, "gzip");
	assert_string_equal(r->agent, "tokscope/" TOKSCOPE_VERSION);
	assert_string_equal(r->key, "SECRET-KEY-123");
	assert_string_equal(w->dropped.text, "");
}

static void test_batch_by_time(void **state)
{
	struct otlp_world *w = *state;

	w->settings.batch[OTLP_LOGS].schedule_delay_ms = 1;
	start(w, OTLP_LOGS, REPLIES(STATUS(200)));
	record(w, 1);
	await(w, 1);
	otlp_record(w->otlp, &(struct request_record){ .pid = 7 }, NULL); /* sampled or not */
	await(w, 2);
	finish(w);
	CHECK_BODIES(w, "1", "7");
	assert_string_equal(w->collector.requests[0].path, "/v1/logs");
	assert_string_equal(w->collector.requests[0].encoding, "");
}

static void test_partial_success(void **state)
{
	struct otlp_world *w = *state;

	start(w, OTLP_TRACES, REPLIES(BODY(200, PARTIAL)));
	record(w, 2);
	await(w, 1);
	record(w, 1);
	finish(w);
	CHECK_BODIES(w, "1 2", "3");
	/* it cannot have refused two of one */
	assert_string_equal(w->dropped.text, "traces rejected 2\ntraces rejected 1\n");
}

static void test_unavailable(void **state)
{
	struct otlp_world *w = *state;

	start(w, OTLP_TRACES,
	      REPLIES(STATUS(503), STATUS(502), STATUS(504), STATUS(429), STATUS(200)));
	record(w, 2);
	await(w, 5);
	finish(w);
	CHECK_BODIES(w, "1 2", "1 2", "1 2", "1 2", "1 2");
	assert_string_equal(w->dropped.text, "");
}

static void test_retry_after(void **state)
{
	uint64_t begin = clock_monotonic_ns();
	struct otlp_world *w = *state;

	start(w, OTLP_TRACES,
	      REPLIES(HEADER(429, "Retry-After", "1"),
		      HEADER(503, "Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"), STATUS(200)));
	record(w, 2);
	await(w, 3);
	assert_true(clock_monotonic_ns() - begin >= NSEC_PER_SEC);
	finish(w);
	CHECK_BODIES(w, "1 2", "1 2", "1 2");
	assert_string_equal(w->dropped.text, "");
}

static void test_garbage_is_delivered(void **state)
{
	struct otlp_world *w = *state;

	start(w, OTLP_TRACES, REPLIES(BODY(200, "<html>"), STATUS(204)));
	record(w, 4);
	await(w, 2);
	finish(w);
	CHECK_BODIES(w, "1 2", "3 4");
	assert_string_equal(w->dropped.text, "");
}

static void test_permanent(void **state)
{
	struct otlp_world *w = *state;

	start(w, OTLP_TRACES,
	      REPLIES(STATUS(400), HEADER(302, "Location", "/v1/elsewhere"),
		      { .status = 200, .len = 5 << 20 }, STATUS(200)));
	for (int i = 1; i <= 4; i++) {
		record(w, 2);
		await(w, i);
	}
	finish(w);
	CHECK_BODIES(w, "1 2", "3 4", "5 6", "7 8");
	assert_string_equal(w->dropped.text,
			    "traces permanent 2\ntraces permanent 2\ntraces permanent 2\n");
}

static void test_silent_collector(void **state)
{
	struct otlp_world *w = *state;

	w->settings.base.timeout_ms = 20;
	start(w, OTLP_TRACES, REPLIES(NEVER, STATUS(200)));
	record(w, 2);
	await(w, 2);
	finish(w);
	assert_string_equal(w->collector.requests[0].body, "1 2");
	assert_string_equal(w->collector.requests[1].body, "1 2");
}

static void test_expired(void **state)
{
	struct otlp_world *w = *state;

	w->rules.give_up_ms = 0;
	start(w, OTLP_TRACES, REPLIES(STATUS(503), STATUS(503), STATUS(200)));
	record(w, 4);
	await(w, 2);
	record(w, 1);
	finish(w);
	CHECK_BODIES(w, "1 2", "3 4", "5");
	assert_string_equal(w->dropped.text, "traces expired 2\ntraces expired 2\n");
}

/* One batch is under way and four wait; the rest pushes the oldest of them out. The end does not wait for an answer. */
static void test_queue_full(void **state)
{
	struct otlp_world *w = *state;

	w->rules.flush_ms = 0;
	start(w, OTLP_TRACES, REPLIES(NEVER));
	record(w, 2);
	await(w, 1);
	record(w, 6);
	assert_string_equal(w->dropped.text, "traces queue_full 1\ntraces queue_full 1\n");
	finish(w);
	assert_string_equal(w->collector.requests[0].body, "1 2");
	assert_string_equal(w->dropped.text,
			    "traces queue_full 1\ntraces queue_full 1\n"
			    "traces shutdown 2\ntraces shutdown 2\ntraces shutdown 2\n");
}

static void test_shutdown_unavailable(void **state)
{
	struct otlp_world *w = *state;

	w->settings.batch[OTLP_TRACES].max_batch_size = 3;
	w->settings.batch[OTLP_TRACES].max_queue_size = 3;
	w->rules.retry_first_ms = w->rules.retry_max_ms = HOUR_MS;
	start(w, OTLP_TRACES, REPLIES(STATUS(503)));
	record(w, 2);
	finish(w); /* one attempt, no wait */
	CHECK_BODIES(w, "1 2");
	assert_string_equal(w->dropped.text, "traces shutdown 2\n");
}

/* A batch that waits for its next attempt has a last one. */
static void test_shutdown_between_attempts(void **state)
{
	struct otlp_world *w = *state;

	w->rules.retry_first_ms = w->rules.retry_max_ms = HOUR_MS / 2;
	start(w, OTLP_TRACES, REPLIES(STATUS(503), STATUS(200)));
	record(w, 2);
	await(w, 1);
	record(w, 1);
	finish(w);
	CHECK_BODIES(w, "1 2", "1 2", "3");
	assert_string_equal(w->dropped.text, "");
}

static void test_dead_collector(void **state)
{
	struct otlp_world *w = *state;

	start(w, OTLP_TRACES, REPLIES(STATUS(200)));
	stop_collector(&w->collector);
	record(w, 1);
	finish(w);
	assert_int_equal(w->collector.count, 0);
	assert_string_equal(w->dropped.text, "traces shutdown 1\n");
}

static void test_cannot_be_made(void **state)
{
	struct otlp_world *w = *state;

	w->rules.records[OTLP_TRACES] = large_records;
	start(w, OTLP_TRACES, REPLIES(STATUS(200)));
	record(w, 1);
	finish(w);
	w->rules.records[OTLP_TRACES] = no_memory;
	open_otlp(w);
	record(w, 2);
	finish(w);
	assert_int_equal(w->collector.count, 0);
	assert_string_equal(w->dropped.text, "traces too_large 1\ntraces no_memory 2\n");
}

/* ------------------------------------------------------------------ metrics */

/* A snapshot that was not taken is replaced by the next. */
static void test_cumulative(void **state)
{
	struct otlp_world *w = *state;

	w->settings.metric_interval_ms = 1;
	start(w, OTLP_METRICS,
	      REPLIES(STATUS(200), STATUS(503), STATUS(400), BODY(200, PARTIAL), STATUS(200)));
	await(w, 5);
	finish(w);
	assert_string_equal(w->collector.requests[0].path, "/v1/metrics");
	check_bodies(w,
		     (const char *const[]){ "cumulative explicit now 1 base 0",
					    "cumulative explicit now 2 base 0",
					    "cumulative explicit now 3 base 0",
					    "cumulative explicit now 4 base 0" },
		     4);
	assert_string_equal(w->dropped.text, "metrics permanent 10\nmetrics rejected 2\n");
}

/* The base moves on with what was delivered, or refused for good. */
static void test_delta(void **state)
{
	struct otlp_world *w = *state;

	w->settings.metric_interval_ms = 1;
	w->settings.temporality = OTLP_DELTA;
	w->settings.histogram = OTLP_HISTOGRAM_EXPONENTIAL;
	start(w, OTLP_METRICS,
	      REPLIES(STATUS(503), STATUS(200), STATUS(503), STATUS(429), STATUS(400),
		      STATUS(200)));
	await(w, 7);
	finish(w);
	check_bodies(w,
		     (const char *const[]){
			     "delta exponential now 1 base 0", "delta exponential now 2 base 0",
			     "delta exponential now 3 base 2", "delta exponential now 4 base 2",
			     "delta exponential now 5 base 2", "delta exponential now 6 base 5",
			     "delta exponential now 7 base 6" },
		     7);
	assert_string_equal(w->dropped.text, "metrics permanent 10\n");
}

/* The end sends the last values, and does not wait for another attempt. */
static void test_last_metrics(void **state)
{
	struct otlp_world *w = *state;

	w->settings.metric_interval_ms = HOUR_MS;
	start(w, OTLP_METRICS, REPLIES(STATUS(503)));
	finish(w);
	CHECK_BODIES(w, "cumulative explicit now 1 base 0");
	assert_string_equal(w->dropped.text, "metrics shutdown 10\n");
}

/* ------------------------------------------------------------------ what is told */

/* Runs fn with stderr in a file, and returns what it wrote. */
static char *messages_of(void (*fn)(struct otlp_world *), struct otlp_world *w)
{
	FILE *f = tmpfile();
	int saved = dup(STDERR_FILENO);
	static char text[8192];

	fflush(stderr);
	dup2(fileno(f), STDERR_FILENO);
	fn(w);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return text;
}

static int occurrences(const char *text, const char *of)
{
	int n = 0;

	for (; (text = strstr(text, of)); text++)
		n++;
	return n;
}

/* google.rpc.Status{code: 16, message: "bad key SECRET-KEY-123"} */
#define UNAUTHENTICATED    \
	"\x08\x10\x12\x16" \
	"bad key SECRET-KEY-123"

static void fail_and_recover(struct otlp_world *w)
{
	start(w, OTLP_TRACES,
	      REPLIES(BODY(503, UNAUTHENTICATED), STATUS(503), BODY(401, UNAUTHENTICATED),
		      STATUS(200), STATUS(200)));
	record(w, 2);
	await(w, 3);
	record(w, 4);
	await(w, 5);
	finish(w);
}

static void test_told_once(void **state)
{
	struct otlp_world *w = *state;
	const char *text = messages_of(fail_and_recover, w);

	assert_int_equal(occurrences(text, "cannot deliver OTLP traces to http://127.0.0.1:"), 1);
	assert_int_equal(occurrences(text, "HTTP 503: (it repeats a header of ours)"), 1);
	assert_int_equal(occurrences(text, "are delivered to http://127.0.0.1:"), 1);
	assert_int_equal(occurrences(text, "SECRET"), 0);
	assert_string_equal(w->dropped.text, "traces permanent 2\n");
}

static void test_settings(void **state)
{
	struct otlp_world *w = *state;

	open_otlp(w);
	for (int i = 0; i < OTLP_SIGNALS; i++)
		assert_false(otlp_exports(w->otlp, i));
	record(w, 1);
	finish(w);
	assert_string_equal(w->dropped.text, "");

	w->settings.base.endpoint = "http://h";
	w->settings.signal[OTLP_LOGS].endpoint = "nonsense";
	assert_null(otlp_new(&w->settings, &ops, w));
	assert_int_equal(errno, EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(batches),	      TEST(batch_by_time),	  TEST(partial_success),
		TEST(unavailable),    TEST(retry_after),	  TEST(garbage_is_delivered),
		TEST(permanent),      TEST(silent_collector),	  TEST(expired),
		TEST(queue_full),     TEST(shutdown_unavailable), TEST(shutdown_between_attempts),
		TEST(dead_collector), TEST(cannot_be_made),	  TEST(cumulative),
		TEST(delta),	      TEST(last_metrics),	  TEST(told_once),
		TEST(settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
