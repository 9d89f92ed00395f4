// SPDX-License-Identifier: Apache-2.0
/* Health of the connection on the request record: growth of the kernel's counts, and what is not known. */
#include "track_world.h"

/* CONFIG_HZ=250 */
static const struct tracker_config ticks = { .tick_ns = 4 * MS };

static void assert_seconds(double got, double want)
{
	assert_true(got > want - 1e-9 && got < want + 1e-9);
}

static void assert_growth(const struct request_record *r, int64_t retransmits, double stall)
{
	assert_int_equal(r->retransmits, retransmits);
	assert_seconds(r->send_stall_s, stall);
}

static void assert_no_growth_known(const struct request_record *r)
{
	assert_int_equal(r->retransmits, -1);
	assert_true(isnan(r->send_stall_s));
	assert_int_equal(r->bytes_after_close, -1);
}

static void assert_nothing_known(const struct request_record *r)
{
	assert_no_growth_known(r);
	assert_true(isnan(r->srtt_s));
	assert_true(isnan(r->accept_wait_s));
}

/* A whole request; the counts have grown by so much when the answer ends. */
static void exchange(struct link *l, uint32_t retransmits, uint32_t stalled_ticks)
{
	ask_json(l, CHAT, "{\"stream\":true}");
	answer(l, SSE_HEAD);
	chunk(l, TOKEN);
	l->tcp.retransmits += retransmits;
	l->tcp.rwnd_limited_ticks += stalled_ticks;
	answer(l, LAST);
}

static struct link link_counting(struct world *w, uint16_t port, uint32_t retransmits,
				 uint32_t stalled_ticks, uint32_t accept_wait_us)
{
	struct link l = link_new(w, port);

	l.tcp = (struct tks_tcp){ .srtt_us = 250,
				  .retransmits = retransmits,
				  .rwnd_limited_ticks = stalled_ticks,
				  .accept_wait_us = accept_wait_us };
	return l;
}

/* ------------------------------------------------------------------ whose growth it is */

/* What was sent again before the first byte (a SYN-ACK) is the first request's; what came between two is nobody's. */
static void test_requests_of_an_accepted_connection(void **state)
{
	struct world *w = world_new(&ticks);
	struct link l = link_counting(w, 43001, 1, 0, 1500);
	const struct request_record *r = w->records;

	(void)state;
	exchange(&l, 2, 5);
	l.tcp.retransmits += 10;
	l.tcp.rwnd_limited_ticks += 100;
	l.tcp.srtt_us = 40000;
	exchange(&l, 4, 1);
	exchange(&l, 0, 0);
	assert_int_equal(w->count, 3);
	assert_growth(&r[0], 3, 0.020);
	assert_seconds(r[0].srtt_s, 0.00025);
	assert_seconds(r[0].accept_wait_s, 0.0015);
	assert_growth(&r[1], 4, 0.004);
	assert_seconds(r[1].srtt_s, 0.04);
	assert_true(isnan(r[1].accept_wait_s));
	assert_growth(&r[2], 0, 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(r[i].bytes_after_close, 0);
	world_free(w);
}

static void test_no_wait_is_a_wait_of_zero(void **state)
{
	struct world *w = world_new(&ticks);
	struct link l = link_counting(w, 43002, 0, 0, 0);

	(void)state;
	exchange(&l, 0, 0);
	assert_true(w->records[0].accept_wait_s == 0);
	world_free(w);
}

/* The one record is exchange(l, 2, 3), whose growth begins with its own first byte. */
static void assert_later_request(const struct world *w)
{
	assert_int_equal(w->count, 1);
	assert_growth(&w->records[0], 2, 0.012);
	assert_true(isnan(w->records[0].accept_wait_s));
}

static void test_connection_older_than_the_agent(void **state)
{
	struct world *w = world_new(&ticks);
	struct link l = link_counting(w, 43003, 70, 900, TKS_ACCEPT_WAIT_UNKNOWN);

	(void)state;
	exchange(&l, 2, 3);
	assert_later_request(w);
	world_free(w);
}

/* The agent saw the accept, but lost records: whether this is the first request is not known. */
static void test_first_seen_in_mid_stream(void **state)
{
	struct world *w = world_new(&ticks);
	struct link l = link_counting(w, 43004, 70, 900, 1500);

	(void)state;
	chunk(&l, TOKEN);
	l.tcp.retransmits += 5;
	answer(&l, LAST);
	exchange(&l, 2, 3);
	assert_later_request(w);
	world_free(w);
}

static void test_first_request_was_lost(void **state)
{
	struct world *w = world_new(&ticks);
	struct link l = link_counting(w, 43005, 0, 0, 1500);

	(void)state;
	ask(&l, "POST " CHAT " HTTP/1.1\r\nContent-Le");
	link_lose(&l, TKS_RECV, 50);
	l.tcp.retransmits = 6;
	exchange(&l, 2, 3);
	assert_later_request(w);
	world_free(w);
}

static void test_first_request_is_none_of_ours(void **state)
{
	struct world *w = world_new(&ticks);
	struct link l = link_counting(w, 43006, 3, 0, 1500);

	(void)state;
	ask(&l, "GET /health HTTP/1.1\r\n\r\n");
	answer_json(&l, 200, "{}");
	exchange(&l, 2, 3);
	assert_later_request(w);
	world_free(w);
}

/* The first bytes do not tell yet that it is a request, but it begins with them. */
static void test_request_line_in_two_records(void **state)
{
	struct world *w = world_new(&ticks);
	struct link l = link_counting(w, 43007, 70, 900, TKS_ACCEPT_WAIT_UNKNOWN);

	(void)state;
	ask(&l, "PO");
	l.tcp.retransmits += 1;
	ask(&l, "ST " CHAT " HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}");
	answer_json(&l, 200, "{}");
	assert_growth(&w->records[0], 1, 0);
	world_free(w);
}

static void test_request_in_two_records_after_another(void **state)
{
	struct world *w = world_new(&ticks);
	struct link l = link_counting(w, 43008, 70, 900, TKS_ACCEPT_WAIT_UNKNOWN);

	(void)state;
	exchange(&l, 0, 0);
	l.tcp.retransmits += 8;
	ask(&l, "POST " CHAT " HTTP/1.1\r\nContent-Length: 2\r\n\r\n");
	l.tcp.retransmits += 2;
	ask(&l, "{}");
	answer_json(&l, 200, "{}");
	assert_growth(&w->records[1], 2, 0);
	world_free(w);
}

static void test_counts_wrap(void **state)
{
	struct world *w = world_new(&ticks);
	struct link l = link_counting(w, 43009, 0xfffffffe, 0xffffff00, TKS_ACCEPT_WAIT_UNKNOWN);

	(void)state;
	exchange(&l, 5, 0x200);
	exchange(&l, 1, 1);
	assert_growth(&w->records[0], 5, 0x200 * 0.004);
	assert_growth(&w->records[1], 1, 0.004);
	world_free(w);
}

/* Two threads use the connection: the older record comes last. */
static void test_counts_do_not_go_back(void **state)
{
	struct world *w = world_new(&ticks);
	struct link l = link_counting(w, 43010, 10, 20, TKS_ACCEPT_WAIT_UNKNOWN);

	(void)state;
	ask_json(&l, CHAT, "{}");
	l.tcp.retransmits = 14;
	l.tcp.rwnd_limited_ticks = 21;
	answer(&l, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
	l.tcp.retransmits = 9;
	l.tcp.rwnd_limited_ticks = 19;
	answer(&l, "{}");
	assert_growth(&w->records[0], 4, 0.004);
	world_free(w);
}

/* ------------------------------------------------------------------ the client leaves */

/* The request ends when the client leaves: what is written, and sent again, after that is counted apart or not at all. */
static void test_bytes_after_close(void **state)
{
	struct world *w = world_new(&ticks);
	struct link l = link_counting(w, 43020, 0, 0, 1500);

	(void)state;
	ask_json(&l, CHAT, "{\"stream\":true}");
	answer(&l, SSE_HEAD);
	l.tcp.retransmits = 2;
	chunk(&l, TOKEN);
	link_state(&l, CLOSE_WAIT, 0);
	l.tcp.retransmits = 9;
	l.tcp.rwnd_limited_ticks = 9;
	chunk(&l, TOKEN);
	chunk(&l, TOKEN);
	link_result(&l, TKS_SEND, -32);
	assert_int_equal(w->count, 1);
	assert_int_equal(w->records[0].outcome, OUTCOME_ABORTED);
	assert_growth(&w->records[0], 2, 0);
	assert_int_equal(w->records[0].bytes_after_close, 2 * strlen(TOKEN));
	assert_int_equal(w->records[0].bytes_out, 3 * strlen(TOKEN));
	world_free(w);
}

/* The kernel tells of the end before the record of a send that was under way: those bytes were written before. */
static void test_bytes_written_before_an_end_told_early(void **state)
{
	struct world *w = world_new(&ticks);
	struct link l = link_counting(w, 43021, 0, 0, 1500);
	const char *token = "4\r\nwxyz\r\n";

	(void)state;
	ask_json(&l, CHAT, "{\"stream\":true}");
	answer(&l, SSE_HEAD);
	link_move(&l, TKS_SEND, strlen(token));
	link_state(&l, CLOSE_WAIT, 0);
	link_move(&l, TKS_SEND, -strlen(token));
	l.tcp.retransmits = 1;
	answer(&l, token);
	l.tcp.retransmits = 5;
	answer(&l, "3\r\nabc\r\n");
	link_state(&l, LAST_ACK, 0);
	assert_int_equal(w->records[0].outcome, OUTCOME_ABORTED);
	assert_growth(&w->records[0], 1, 0);
	assert_int_equal(w->records[0].bytes_after_close, 3);
	assert_int_equal(w->records[0].bytes_out, 7);
	world_free(w);
}

/* Where nothing tells of states: the server reads the end. */
static void test_end_that_was_read(void **state)
{
	struct world *w = world_new(&ticks);
	struct link l = link_counting(w, 43022, 0, 0, 1500);

	(void)state;
	ask_json(&l, CHAT, "{\"stream\":true}");
	l.tcp.retransmits = 3;
	link_result(&l, TKS_RECV, 0);
	l.tcp.retransmits = 4;
	answer(&l, SSE_HEAD);
	chunk(&l, TOKEN);
	link_state(&l, LAST_ACK, 0);
	assert_int_equal(w->records[0].outcome, OUTCOME_ABORTED);
	assert_growth(&w->records[0], 3, 0);
	assert_int_equal(w->records[0].bytes_after_close, strlen(TOKEN));
	world_free(w);
}

static void test_nothing_after_close(void **state)
{
	struct world *w = world_new(&ticks);
	struct link l = link_counting(w, 43023, 0, 0, 1500);

	(void)state;
	ask_json(&l, CHAT, "{\"stream\":true}");
	answer(&l, SSE_HEAD);
	chunk(&l, TOKEN);
	link_result(&l, TKS_SEND, -104);
	assert_int_equal(w->records[0].outcome, OUTCOME_ABORTED);
	assert_int_equal(w->records[0].bytes_after_close, 0);
	world_free(w);
}

/* ------------------------------------------------------------------ what is not known */

static const char request[] = "POST " CHAT " HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
static const char response[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

static void test_unix(void **state)
{
	struct world *w = world_new(&ticks);
	struct link l = link_unix(w, 7);

	(void)state;
	exchange(&l, 0, 0);
	ask_json(&l, CHAT, "{\"stream\":true}");
	answer(&l, SSE_HEAD);
	link_result(&l, TKS_RECV, 0);
	chunk(&l, TOKEN);
	link_result(&l, TKS_SEND, -32);
	assert_int_equal(w->count, 2);
	assert_int_equal(w->records[1].outcome, OUTCOME_ABORTED);
	assert_nothing_known(&w->records[0]);
	assert_nothing_known(&w->records[1]);
	world_free(w);
}

static void test_decode_knows_nothing(void **state)
{
	struct world *w = world_new(&ticks);

	(void)state;
	w->server.id = 0;
	tracker_decode(&world_ops, w, (const uint8_t *)request, strlen(request),
		       (const uint8_t *)response, strlen(response));
	assert_int_equal(w->count, 1);
	assert_nothing_known(&w->records[0]);
	world_free(w);
}

/* The connection of a client is not the server's. */
static void test_clients_end(void **state)
{
	struct world *w = world_new(&ticks);
	struct link server = link_counting(w, 43030, 0, 0, TKS_ACCEPT_WAIT_UNKNOWN);
	struct link client = link_peer(&server, 200);

	(void)state;
	link_bytes(&client, TKS_SEND, request, strlen(request), 0);
	link_bytes(&client, TKS_RECV, response, strlen(response), 0);
	assert_int_equal(w->count, 1);
	assert_int_equal(w->records[0].leg, LEG_INTERNAL);
	assert_nothing_known(&w->records[0]);
	world_free(w);
}

static void test_figures_that_are_missing(void **state)
{
	struct world *w = world_new(NULL); /* no tick */
	struct link l = link_counting(w, 43031, 0, 0, 1500);

	(void)state;
	l.tcp.srtt_us = 0;
	exchange(&l, 1, 5);
	assert_int_equal(w->records[0].retransmits, 1);
	assert_true(isnan(w->records[0].send_stall_s));
	assert_true(isnan(w->records[0].srtt_s));
	world_free(w);
}

static void test_end_that_is_not_known(void **state)
{
	struct world *w = world_new(&ticks);
	struct link l = link_counting(w, 43032, 0, 0, 1500);

	(void)state;
	ask_json(&l, CHAT, "{\"stream\":true}");
	answer(&l, SSE_HEAD);
	l.tcp.retransmits = 1;
	chunk(&l, TOKEN);
	world_end(w);
	assert_int_equal(w->records[0].outcome, OUTCOME_UNKNOWN);
	assert_no_growth_known(&w->records[0]);
	assert_seconds(w->records[0].srtt_s, 0.00025);
	assert_seconds(w->records[0].accept_wait_s, 0.0015);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests_of_an_accepted_connection),
		cmocka_unit_test(test_no_wait_is_a_wait_of_zero),
		cmocka_unit_test(test_connection_older_than_the_agent),
		cmocka_unit_test(test_first_seen_in_mid_stream),
		cmocka_unit_test(test_first_request_was_lost),
		cmocka_unit_test(test_first_request_is_none_of_ours),
		cmocka_unit_test(test_request_line_in_two_records),
		cmocka_unit_test(test_request_in_two_records_after_another),
		cmocka_unit_test(test_counts_wrap),
		cmocka_unit_test(test_counts_do_not_go_back),
		cmocka_unit_test(test_bytes_after_close),
		cmocka_unit_test(test_bytes_written_before_an_end_told_early),
		cmocka_unit_test(test_end_that_was_read),
		cmocka_unit_test(test_nothing_after_close),
		cmocka_unit_test(test_unix),
		cmocka_unit_test(test_decode_knows_nothing),
		cmocka_unit_test(test_clients_end),
		cmocka_unit_test(test_figures_that_are_missing),
		cmocka_unit_test(test_end_that_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
