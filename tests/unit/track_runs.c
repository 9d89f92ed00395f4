// SPDX-License-Identifier: Apache-2.0
/* When a request runs, and that its beginning, its end and its record name the same run. */
#include "track_engine.h"

static void tick(struct world *w)
{
	tracker_tick(w->tracker, w->now);
}

static void assert_run(const struct request_run *run, uint64_t id, bool by_engine,
		       uint64_t start_ns, uint64_t stop_ns)
{
	assert_int_equal(run->id, id);
	assert_int_equal(run->server->id, 1);
	assert_int_equal(run->by_engine, by_engine);
	assert_int_equal(run->start_ns, start_ns);
	assert_int_equal(run->stop_ns, stop_ns);
}

static void test_in_flight(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 43001);
	uint64_t complete, content;

	(void)state;
	ask_json(&l, CHAT, "{\"stream\":true}");
	complete = w->now;
	assert_int_equal(w->run_count, 0);
	tick(w);
	tick(w);
	assert_int_equal(w->run_count, 1);
	assert_run(&w->runs[0], 1, false, complete, 0);
	head_and_token(&l);
	content = w->now;
	answer(&l, LAST);
	assert_int_equal(w->run_count, 2);
	assert_run(&w->runs[1], 1, false, complete, content);
	assert_int_equal(w->records[0].run, 1);
	world_free(w);
}

/* One that is over before anybody looked is told of wholly; no content: until the answer's end. */
static void test_short_ones(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 43001);
	uint64_t complete;

	(void)state;
	ask_json(&l, CHAT, "{}");
	complete = w->now;
	answer(&l,
	       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
	assert_int_equal(w->run_count, 2);
	assert_run(&w->runs[0], 1, false, complete, 0);
	assert_run(&w->runs[1], 1, false, complete, w->now);
	assert_int_equal(w->records[0].run, 1);
	world_free(w);
}

static void test_by_engine(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_read_by(w, 43001, 111);
	uint64_t started, finished;

	(void)state;
	ask_json(&l, CHAT, "{\"stream\":true}");
	TELL(w, .kind = EVENT_QUEUED, .tid = 111, .id = 7);
	tick(w);
	assert_int_equal(w->run_count, 0);
	TELL(w, .kind = EVENT_STARTED, .id = 7, .slot = 2);
	started = w->now;
	tick(w);
	assert_run(&w->runs[0], 1, true, started, 0);
	TELL(w, .kind = EVENT_TOKEN, .slot = 2);
	head_and_token(&l);
	TELL(w, .kind = EVENT_FINISHED, .slot = 2);
	finished = w->now;
	answer(&l, LAST);
	assert_int_equal(w->run_count, 2);
	assert_run(&w->runs[1], 1, true, started, finished);
	world_free(w);
}

/* It was put into the engine's queue, and never left it: it did not run. */
static void test_one_that_never_ran(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_read_by(w, 43001, 111);

	(void)state;
	ask_json(&l, CHAT, "{}");
	TELL(w, .kind = EVENT_QUEUED, .tid = 111, .id = 7);
	tick(w);
	answer(&l, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(w->count, 1);
	assert_int_equal(w->run_count, 0);
	assert_int_equal(w->records[0].run, 0);
	world_free(w);
}

static void test_of_no_server(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 43001);

	(void)state;
	w->server.id = 0;
	ask_json(&l, CHAT, "{}");
	tick(w);
	answer(&l, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(w->run_count, 0);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_flight),    cmocka_unit_test(test_short_ones),
		cmocka_unit_test(test_by_engine),    cmocka_unit_test(test_one_that_never_ran),
		cmocka_unit_test(test_of_no_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
