// SPDX-License-Identifier: Apache-2.0
/* Phases of a request: what probes in the engine tell, what the wire tells, and that they sum to the duration. */
#include "track_engine.h"

#define OTHER_PID 200

static void assert_seconds(double got, double want)
{
	assert_true(got > want - 1e-9 && got < want + 1e-9);
}

/* Milliseconds; negative: not known. */
struct expected {
	double tokenize, queue, prefill, decode, other;
};

static void assert_phases(const struct request_record *r, struct expected e)
{
	const double want[] = { e.tokenize, e.queue, e.prefill, e.decode, e.other };
	double sum = 0;

	for (int i = 0; i < 5; i++) {
		double got = r->phase_s[PHASE_TOKENIZE + i];

		if (want[i] < 0) {
			assert_true(isnan(got));
			continue;
		}
		assert_seconds(got, want[i] / 1e3);
		sum += got;
	}
	assert_seconds(sum, r->duration_s);
}

/* Milliseconds after the request was complete. */
struct starts {
	double tokenize, queue, prefill, decode;
};

static void assert_starts(const struct request_record *r, struct starts s)
{
	const double want[] = { s.tokenize, s.queue, s.prefill, s.decode };

	for (int i = 0; i < 4; i++)
		assert_seconds(r->phase_start_s[PHASE_TOKENIZE + i], want[i] / 1e3);
	assert_seconds(r->phase_start_s[PHASE_RECEIVE], -r->phase_s[PHASE_RECEIVE]);
	assert_true(isnan(r->phase_start_s[PHASE_OTHER]));
}

/* ------------------------------------------------------------------ by probes */

static void test_all_phases(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_read_by(w, 43001, 111);

	(void)state;
	ask_json(&l, CHAT, "{\"stream\":true}");
	TELL(w, .kind = EVENT_TOKENIZED, .tid = 111, .duration_ns = MS / 4);
	TELL(w, .kind = EVENT_TOKENIZED, .tid = 111, .duration_ns = MS / 2);
	TELL(w, .kind = EVENT_QUEUED, .tid = 111,
	     .id = 7); /* 3 ms after the request was complete */
	w->now += 4 * MS;
	TELL(w, .kind = EVENT_STARTED, .id = 7, .slot = 2);
	w->now += 9 * MS;
	TELL(w, .kind = EVENT_TOKEN, .slot = 2);
	head_and_token(&l);
	TELL(w, .kind = EVENT_TOKEN, .slot = 2);
	TELL(w, .kind = EVENT_FINISHED, .slot = 2);
	answer(&l, LAST);
	assert_int_equal(w->count, 1);
	assert_phases(&w->records[0], (struct expected){ 0.75, 5, 10, 4, 3.25 });
	assert_starts(&w->records[0], (struct starts){ 0.75, 3, 8, 18 });
	world_free(w);
}

/* Two at once: ids, slots and threads keep them apart, and a second process uses the same numbers. */
static void test_requests_side_by_side(void **state)
{
	struct world *w = world_new(NULL);
	struct link a = link_read_by(w, 43001, 111), b = link_read_by(w, 43002, 112);

	(void)state;
	ask_json(&a, CHAT, "{\"stream\":true}");
	ask_json(&b, CHAT, "{\"stream\":true}");
	TELL(w, .kind = EVENT_QUEUED, .tid = 112, .id = 8);
	TELL(w, .kind = EVENT_QUEUED, .tid = 111, .id = 9);
	TELL(w, .kind = EVENT_STARTED, .id = 9, .slot = 0);
	TELL(w, .kind = EVENT_STARTED, .id = 8, .slot = 1, .tgid = OTHER_PID);
	TELL(w, .kind = EVENT_TOKEN, .slot = 0);
	head_and_token(&a);
	TELL(w, .kind = EVENT_FINISHED, .slot = 0);
	answer(&a, LAST);
	TELL(w, .kind = EVENT_STARTED, .id = 8, .slot = 0);
	TELL(w, .kind = EVENT_TOKEN, .slot = 0);
	head_and_token(&b);
	answer(&b, LAST);
	assert_int_equal(w->count, 2);
	assert_phases(&w->records[0], (struct expected){ -1, 1, 2, 3, 4 });
	assert_phases(&w->records[1], (struct expected){ -1, 9, 1, 3, 1 });
	world_free(w);
}

/* What is posted later by the same thread (a cancellation) does not rename it; an end that is told late is its end. */
static void test_events_that_are_not_its_own(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_read_by(w, 43001, 111);

	(void)state;
	TELL(w, .kind = EVENT_QUEUED, .tid = 111, .id = 1);
	TELL(w, .kind = EVENT_STARTED, .id = 1, .slot = 0);
	ask_json(&l, CHAT, "{\"stream\":true}");
	TELL(w, .kind = EVENT_QUEUED, .tid = 111, .id = 2);
	TELL(w, .kind = EVENT_QUEUED, .tid = 111, .id = 3);
	TELL(w, .kind = EVENT_TOKENIZED, .tid = 111, .duration_ns = MS);
	TELL(w, .kind = EVENT_STARTED, .id = 3, .slot = 5);
	TELL(w, .kind = EVENT_STARTED, .id = 2, .slot = 0);
	TELL(w, .kind = EVENT_TOKEN, .slot = 0);
	head_and_token(&l);
	answer(&l, LAST);
	TELL(w, .kind = EVENT_FINISHED, .slot = 0);
	TELL(w, .kind = EVENT_TOKEN, .slot = 0);
	assert_int_equal(w->count, 1);
	assert_phases(&w->records[0], (struct expected){ -1, 4, 1, 3, 1 });
	world_free(w);
}

/* The next request on the same connection and thread has phases of its own. */
static void test_kept_alive(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_read_by(w, 43001, 111);

	(void)state;
	for (int i = 0; i < 2; i++) {
		ask_json(&l, CHAT, "{}");
		TELL(w, .kind = EVENT_QUEUED, .tid = 111, .id = 5 + i);
		TELL(w, .kind = EVENT_STARTED, .id = 5 + i, .slot = 0);
		TELL(w, .kind = EVENT_TOKEN, .slot = 0);
		TELL(w, .kind = EVENT_FINISHED, .slot = 0);
		answer_json(&l, 200, "{\"model\":\"m\"}");
	}
	assert_int_equal(w->count, 2);
	assert_phases(&w->records[0], (struct expected){ -1, 1, 1, 1, 2 });
	assert_phases(&w->records[1], (struct expected){ -1, 1, 1, 1, 2 });
	world_free(w);
}

/* It left while it waited: all that time is queue. */
static void test_never_started(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_read_by(w, 43001, 111);

	(void)state;
	ask_json(&l, CHAT, "{\"stream\":true}");
	TELL(w, .kind = EVENT_QUEUED, .tid = 111, .id = 5);
	w->now += 6 * MS;
	link_result(&l, TKS_RECV, 0);
	world_end(w);
	assert_int_equal(w->records[0].outcome, OUTCOME_ABORTED);
	assert_phases(&w->records[0], (struct expected){ -1, 6, 0, 0, 1 });
	world_free(w);
}

/* ------------------------------------------------------------------ by the wire */

static const struct request_record *streamed_by(struct world *w, const char *engine)
{
	struct link l = link_new(w, 43001);

	w->server.engine = engine;
	ask_json(&l, CHAT, "{\"stream\":true}");
	w->now += 2 * MS;
	answer(&l, SSE_HEAD);
	w->now += 4 * MS;
	chunk(&l, TOKEN);
	answer(&l, LAST);
	return &w->records[w->count - 1];
}

static void test_headers_that_end_tokenize(void **state)
{
	struct world *w = world_new(NULL);

	(void)state;
	assert_phases(streamed_by(w, "vllm"), (struct expected){ 3, -1, -1, 1, 5 });
	world_free(w);
}

static void test_headers_that_mean_nothing(void **state)
{
	struct world *w = world_new(NULL);

	(void)state;
	assert_phases(streamed_by(w, "sglang"), (struct expected){ -1, -1, -1, 1, 8 });
	world_free(w);
}

static void test_server_that_is_not_known(void **state)
{
	struct world *w = world_new(NULL);

	(void)state;
	assert_phases(streamed_by(w, "unknown"), (struct expected){ -1, -1, -1, -1, 9 });
	world_free(w);
}

/* No stream: the wire does not tell when the first token was there. */
static void test_no_stream(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 43001);

	(void)state;
	w->server.engine = "vllm";
	ask_json(&l, CHAT, "{}");
	answer_json(&l, 200, "{\"model\":\"m\"}");
	assert_phases(&w->records[0], (struct expected){ -1, -1, -1, -1, 1 });
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_phases),
		cmocka_unit_test(test_requests_side_by_side),
		cmocka_unit_test(test_events_that_are_not_its_own),
		cmocka_unit_test(test_kept_alive),
		cmocka_unit_test(test_never_started),
		cmocka_unit_test(test_headers_that_end_tokenize),
		cmocka_unit_test(test_headers_that_mean_nothing),
		cmocka_unit_test(test_server_that_is_not_known),
		cmocka_unit_test(test_no_stream),
	};

	return cmocka_run_group_tests_name("track_phases", tests, NULL, NULL);
}
