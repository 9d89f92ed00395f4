// SPDX-License-Identifier: Apache-2.0
/* The kernel tells of the client's end before the records of what was written before it. */
#include "track_world.h"

/* The kernel tells of the end while the send of the terminator is under way. */
static void test_fin_told_before_the_terminators_record(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 41002);

	(void)state;
	begin_stream(&l);
	l.pos[TKS_SEND] = (uint32_t)(l.pos[TKS_SEND] + strlen(LAST));
	link_state(&l, CLOSE_WAIT, 0);
	l.pos[TKS_SEND] = (uint32_t)(l.pos[TKS_SEND] - strlen(LAST));
	answer(&l, LAST);
	assert_int_equal(only(w)->outcome, OUTCOME_OK);
	world_free(w);
}

/* So for an answer in one send, before the connection's first record of that direction. */
static void test_fin_told_before_the_only_record(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 41022);
	const char *whole =
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

	(void)state;
	ask_json(&l, CHAT, "{}");
	l.pos[TKS_SEND] = (uint32_t)(l.pos[TKS_SEND] + strlen(whole));
	link_state(&l, CLOSE_WAIT, 0);
	l.pos[TKS_SEND] = (uint32_t)(l.pos[TKS_SEND] - strlen(whole));
	answer(&l, whole);
	assert_int_equal(only(w)->outcome, OUTCOME_OK);
	world_free(w);
}

/* It has not answered at all when the client leaves. */
static void test_fin_before_the_answer(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 41023);

	(void)state;
	ask_json(&l, CHAT, "{}");
	link_state(&l, CLOSE_WAIT, 0);
	answer_json(&l, 200, "{}");
	assert_int_equal(only(w)->outcome, OUTCOME_ABORTED);
	world_free(w);
}

static void test_fin_between_two_sends(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 41003);

	(void)state;
	begin_stream(&l);
	l.pos[TKS_SEND] = (uint32_t)(l.pos[TKS_SEND] + 5);
	link_state(&l, CLOSE_WAIT, 0);
	l.pos[TKS_SEND] = (uint32_t)(l.pos[TKS_SEND] - 5);
	answer(&l, "5\r\nab"); /* the five bytes before the end */
	answer(&l, "cde\r\n" LAST);
	assert_aborted(w, 1);
	world_free(w);
}

/* The five bytes before the end may have been the terminator. */
static void test_pending_end_does_not_wait_for_ever(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 41004);
	struct tracker_stats stats;

	(void)state;
	begin_stream(&l);
	l.pos[TKS_SEND] = (uint32_t)(l.pos[TKS_SEND] + 5);
	link_state(&l, CLOSE_WAIT, 0);
	tracker_tick(w->tracker, w->now + 900 * MS);
	assert_int_equal(w->count, 0);
	tracker_tick(w->tracker, w->now + 12000 * MS);
	assert_int_equal(only(w)->outcome, OUTCOME_UNKNOWN);
	tracker_get_stats(w->tracker, &stats);
	assert_int_equal(stats.gaps, 1);
	assert_int_equal(stats.gap_bytes, 5);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fin_told_before_the_terminators_record),
		cmocka_unit_test(test_fin_told_before_the_only_record),
		cmocka_unit_test(test_fin_before_the_answer),
		cmocka_unit_test(test_fin_between_two_sends),
		cmocka_unit_test(test_pending_end_does_not_wait_for_ever),
	};

	return cmocka_run_group_tests_name("track_told", tests, NULL, NULL);
}
