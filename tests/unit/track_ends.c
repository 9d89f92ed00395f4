// SPDX-License-Identifier: Apache-2.0
/* Who left first, what a connection is, and which of two ends tells. */
#include "track_world.h"

static void assert_disconnected(struct world *w)
{
	struct request_record *r = only(w);

	assert_int_equal(r->outcome, OUTCOME_ERROR);
	assert_string_equal(r->error_type, "server_disconnect");
}

/* ------------------------------------------------------------------ the client leaves */

static void test_client_fin(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 41001);

	(void)state;
	begin_stream(&l);
	w->now += 5 * MS;
	link_state(&l, CLOSE_WAIT, 0);
	assert_int_equal(w->count, 0); /* the server does not know yet, and goes on */
	chunk(&l, TOKEN);
	chunk(&l, TOKEN);
	link_state(&l, LAST_ACK, 0);
	assert_aborted(w, 3);
	assert_true(w->records[0].duration_s > 0.0079 && w->records[0].duration_s < 0.0081);
	world_free(w);
}

static void test_client_end_is_read(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_unix(w, 9);

	(void)state;
	begin_stream(&l);
	l.flags |= TKS_DATA_PEEK;
	link_result(&l, TKS_RECV, 0);
	l.flags = TKS_DATA_UNIX;
	chunk(&l, TOKEN);
	link_result(&l, TKS_SEND, -32);
	assert_aborted(w, 2);
	world_free(w);
}

static void test_client_reset(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 41006);

	(void)state;
	begin_stream(&l);
	link_state(&l, CLOSE, 104);
	assert_aborted(w, 1);
	world_free(w);
}

static void test_client_leaves_in_its_request(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 41007);

	(void)state;
	ask(&l, "POST " CHAT " HTTP/1.1\r\nContent-Length: 100\r\n\r\n{");
	link_state(&l, CLOSE_WAIT, 0);
	link_state(&l, LAST_ACK, 0);
	assert_aborted(w, -1);
	assert_int_equal(w->records[0].status, 0);
	world_free(w);
}

static void test_end_after_the_answer_is_no_abort(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 41008);

	(void)state;
	begin_stream(&l);
	answer(&l, LAST);
	link_state(&l, CLOSE_WAIT, 0);
	link_state(&l, LAST_ACK, 0);
	link_state(&l, CLOSE, 0);
	assert_int_equal(only(w)->outcome, OUTCOME_OK);
	world_free(w);
}

/* ------------------------------------------------------------------ the server leaves */

static void test_server_closes(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 41010);

	(void)state;
	begin_stream(&l);
	link_state(&l, FIN_WAIT1, 0);
	assert_disconnected(w);
	assert_int_equal(w->records[0].wasted_tokens, 1);
	world_free(w);
}

static void test_server_dies(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 41011);

	(void)state;
	begin_stream(&l);
	tracker_process_exit(w->tracker, SERVER_PID, w->now);
	assert_int_equal(w->count, 0); /* the socket may be shared: its own close decides */
	link_state(&l, FIN_WAIT1, 0);
	assert_disconnected(w);
	world_free(w);
}

static void test_server_on_a_unix_socket_dies(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_unix(w, 12);

	(void)state;
	begin_stream(&l);
	tracker_process_exit(w->tracker, SERVER_PID + 1, w->now);
	assert_int_equal(w->count, 0);
	tracker_process_exit(w->tracker, SERVER_PID, w->now);
	assert_disconnected(w);
	world_free(w);
}

static void close_delimited(struct link *l, const char *last)
{
	ask(l, "POST " CHAT " HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}");
	answer(l, "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
	answer(l, TOKEN);
	answer(l, last);
}

static void test_close_is_the_terminator(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 41012);

	(void)state;
	close_delimited(&l, TOKEN);
	link_state(&l, FIN_WAIT1, 0);
	assert_int_equal(only(w)->outcome, OUTCOME_OK);
	assert_int_equal(w->records[0].content_events, 2);
	world_free(w);
}

/* Nothing tells whether a death cut the answer, unless the dialect's own end came. */
static void test_death_is_no_terminator(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 41013), m = link_new(w, 41014);

	(void)state;
	close_delimited(&l, TOKEN);
	close_delimited(&m, DONE);
	tracker_process_exit(w->tracker, SERVER_PID, w->now);
	link_state(&l, FIN_WAIT1, 0);
	link_state(&m, FIN_WAIT1, 0);
	assert_int_equal(w->count, 2);
	assert_int_equal(w->records[0].outcome, OUTCOME_UNKNOWN);
	assert_int_equal(w->records[1].outcome, OUTCOME_OK);
	world_free(w);
}

/* What a client sends after "Connection: close" is read by lingering servers, and thrown away. */
static void test_request_after_connection_close_is_none(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 41016);

	(void)state;
	ask_json(&l, CHAT, "{}");
	answer(&l, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
	ask_json(&l, CHAT, "{}");
	assert_int_equal(w->in_flight, 0);
	link_state(&l, FIN_WAIT1, 0);
	assert_int_equal(only(w)->outcome, OUTCOME_OK);
	world_free(w);
}

/* llama-server promises keep-alive, shuts down after a stream all the same, and drains what clients still send. */
static void test_request_after_shutdown_is_none(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 41017);

	(void)state;
	begin_stream(&l);
	answer(&l, LAST);
	link_state(&l, FIN_WAIT1, 0);
	ask_json(&l, CHAT, "{}");
	link_result(&l, TKS_RECV, 0);
	link_state(&l, CLOSE, 0);
	assert_int_equal(only(w)->outcome, OUTCOME_OK);
	world_free(w);
}

static void test_agent_stops_first(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 41015);

	(void)state;
	begin_stream(&l);
	world_end(w);
	assert_int_equal(only(w)->outcome, OUTCOME_UNKNOWN);
	assert_int_equal(w->records[0].content_events, -1);
	world_free(w);
}

/* ------------------------------------------------------------------ what a connection is */

static void assert_first_bytes(const char *bytes, size_t len, enum tks_dir dir,
			       enum unparsed_reason reason)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 41020);

	link_bytes(&l, dir, bytes, len, 0);
	link_bytes(&l, dir, bytes, len, 0);
	for (int r = 0; r < UNPARSED_MAX; r++)
		assert_int_equal(w->unparsed[r], r == (int)reason);
	assert_int_equal(w->mode, TKS_SOCK_HEAD_TAIL);
	world_free(w);
}

static void test_protocols_are_named(void **state)
{
	(void)state;
	assert_first_bytes("\x16\x03\x01\x01\x00\x01", 6, TKS_RECV, UNPARSED_TLS);
	assert_first_bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24, TKS_RECV, UNPARSED_HTTP2);
	assert_first_bytes("\xff\0\0\0\0\0\0\0\x01\x7f", 10, TKS_RECV, UNPARSED_ZMTP);
	assert_first_bytes("anything", 8, TKS_RECV, UNPARSED_UNKNOWN);
	assert_first_bytes("data: x\n\n", 9, TKS_SEND, UNPARSED_MID_STREAM);
	assert_first_bytes("HTTP/1.1 200 OK\r\n", 17, TKS_SEND, UNPARSED_MID_STREAM);
}

static void test_attach_in_mid_stream(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 41021);

	(void)state;
	chunk(&l, TOKEN);
	chunk(&l, DONE);
	answer(&l, LAST);
	assert_int_equal(w->unparsed[UNPARSED_MID_STREAM], 1);
	begin_stream(&l);
	assert_int_equal(w->mode, 0);
	answer(&l, LAST);
	assert_int_equal(only(w)->outcome, OUTCOME_OK);
	assert_int_equal(w->records[0].content_events, 1);
	world_free(w);
}

static void test_upgrade(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 41022);

	(void)state;
	ask(&l, "GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
	answer(&l,
	       "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
	ask(&l, "POST " CHAT " HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(w->unparsed[UNPARSED_WEBSOCKET], 1);
	assert_int_equal(w->count, 0);
	world_free(w);
}

static void test_encoded_answer(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 41023);

	(void)state;
	ask_json(&l, CHAT, "{}");
	answer(&l, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
		   "Content-Length: 3\r\n\r\nxyz");
	assert_int_equal(only(w)->outcome, OUTCOME_OK);
	assert_int_equal(w->records[0].output_tokens, -1);
	assert_int_equal(w->unparsed[UNPARSED_ENCODED], 1);
	world_free(w);
}

/* What is not an answer of a model is kept from filling the ring. */
static void test_large_files_are_captured_by_head_and_tail(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 41024);

	(void)state;
	ask(&l, "GET /index.html HTTP/1.1\r\n\r\n");
	answer(&l, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
	assert_int_equal(w->mode, TKS_SOCK_HEAD_TAIL);
	link_bytes(&l, TKS_SEND, "<html>", 6, 999994);
	begin_stream(&l);
	assert_int_equal(w->mode, 0);
	answer(&l, LAST);
	assert_int_equal(only(w)->outcome, OUTCOME_OK);
	world_free(w);
}

static void test_oldest_connection_is_evicted(void **state)
{
	struct tracker_config config = { .max_connections = 2 };
	struct world *w = world_new(&config);
	struct link a = link_new(w, 41025), b = link_new(w, 41026), c = link_new(w, 41027);
	struct tracker_stats stats;

	(void)state;
	begin_stream(&a);
	begin_stream(&b);
	chunk(&a, TOKEN);
	begin_stream(&c); /* b is the least recently used */
	tracker_get_stats(w->tracker, &stats);
	assert_int_equal(stats.evicted, 1);
	assert_int_equal(stats.connections, 2);
	assert_int_equal(only(w)->outcome, OUTCOME_UNKNOWN);
	answer(&a, LAST);
	assert_int_equal(w->records[1].content_events, 2);
	world_free(w);
}

static void test_lingering_connection_is_no_eviction(void **state)
{
	struct tracker_config config = { .max_connections = 1 };
	struct world *w = world_new(&config);
	struct link a = link_new(w, 41040), b = link_new(w, 41041);
	struct tracker_stats stats;

	(void)state;
	begin_stream(&a);
	answer(&a, LAST);
	link_state(&a, CLOSE, 0);
	begin_stream(&b);
	tracker_get_stats(w->tracker, &stats);
	assert_int_equal(stats.evicted, 0);
	assert_int_equal(stats.connections, 1);
	world_free(w);
}

static void test_idle_and_closed_connections_go(void **state)
{
	struct world *w = world_new(NULL);
	struct link a = link_new(w, 41028), b = link_new(w, 41029);
	struct tracker_stats stats;

	(void)state;
	begin_stream(&a);
	answer(&a, LAST);
	begin_stream(&b);
	tracker_tick(w->tracker, w->now + 601000 * MS);
	tracker_get_stats(w->tracker, &stats);
	assert_int_equal(stats.connections, 1); /* b's request is open */
	link_state(&b, FIN_WAIT1, 0);
	link_state(&b, CLOSE, 0);
	tracker_tick(w->tracker, w->now + 2000 * MS);
	tracker_get_stats(w->tracker, &stats);
	assert_int_equal(stats.connections, 0);
	world_free(w);
}

/* ------------------------------------------------------------------ two ends */

static void test_request_between_traced_processes_is_told_once(void **state)
{
	struct world *w = world_new(NULL);
	struct link server = link_new(w, 41030), client = link_peer(&server, 200);
	static const char request[] = "POST " CHAT " HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
	static const char response[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

	(void)state;
	link_bytes(&client, TKS_SEND, request, strlen(request), 0);
	ask(&server, request);
	assert_int_equal(w->in_flight, 0);
	answer(&server, response);
	link_bytes(&client, TKS_RECV, response, strlen(response), 0);
	assert_int_equal(only(w)->leg, LEG_INTERNAL);
	assert_int_equal(w->records[0].pid, SERVER_PID);
	assert_int_equal(w->content + w->other, 0);
	world_free(w);
}

static void test_client_of_a_distant_server(void **state)
{
	struct world *w = world_new(NULL);
	struct link server = link_new(w, 41031), client = link_peer(&server, 200);
	static const char request[] = "POST " CHAT " HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";

	(void)state;
	link_bytes(&client, TKS_SEND, request, strlen(request), 0);
	assert_int_equal(w->in_flight, 0);
	link_bytes(&client, TKS_RECV, SSE_HEAD, strlen(SSE_HEAD), 0);
	link_result(&client, TKS_RECV, 0);
	assert_disconnected(w);
	assert_int_equal(w->records[0].leg, LEG_INTERNAL);
	assert_int_equal(w->records[0].pid, 200);
	world_free(w);
}

static void test_client_gives_up(void **state)
{
	struct world *w = world_new(NULL);
	struct link server = link_new(w, 41032), client = link_peer(&server, 200);
	static const char request[] = "POST " CHAT " HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";

	(void)state;
	link_bytes(&client, TKS_SEND, request, strlen(request), 0);
	link_bytes(&client, TKS_RECV, SSE_HEAD, strlen(SSE_HEAD), 0);
	link_state(&client, FIN_WAIT1, 0);
	assert_aborted(w, 0);
	world_free(w);
}

/* ------------------------------------------------------------------ wire decode */

static void test_decode(void **state)
{
	static const char request[] =
		"POST " CHAT " HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
		"POST /v1/completions HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
	static const char response[] =
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}"
		"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" TOKEN;
	struct world *w = world_new(NULL);

	(void)state;
	w->server.id = 0;
	assert_int_equal(tracker_decode(&world_ops, w, (const uint8_t *)request, strlen(request),
					(const uint8_t *)response, strlen(response)),
			 0);
	assert_int_equal(w->count, 2);
	assert_int_equal(w->records[0].outcome, OUTCOME_OK);
	assert_int_equal(w->records[0].time_ns, 0);
	assert_true(isnan(w->records[0].duration_s));
	assert_int_equal(w->records[1].outcome, OUTCOME_OK);
	assert_int_equal(w->records[1].events, 1);
	world_free(w);
}

static void test_decode_of_a_cut_recording(void **state)
{
	static const char request[] = "POST " CHAT " HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
	static const char response[] = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}";
	struct world *w = world_new(NULL);

	(void)state;
	w->server.id = 0;
	tracker_decode(&world_ops, w, (const uint8_t *)request, strlen(request),
		       (const uint8_t *)response, strlen(response));
	assert_int_equal(only(w)->outcome, OUTCOME_UNKNOWN);
	tracker_decode(&world_ops, w, (const uint8_t *)"junk", 4, (const uint8_t *)"", 0);
	assert_int_equal(w->unparsed[UNPARSED_UNKNOWN], 1);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client_fin),
		cmocka_unit_test(test_client_end_is_read),
		cmocka_unit_test(test_client_reset),
		cmocka_unit_test(test_client_leaves_in_its_request),
		cmocka_unit_test(test_end_after_the_answer_is_no_abort),
		cmocka_unit_test(test_server_closes),
		cmocka_unit_test(test_server_dies),
		cmocka_unit_test(test_server_on_a_unix_socket_dies),
		cmocka_unit_test(test_close_is_the_terminator),
		cmocka_unit_test(test_death_is_no_terminator),
		cmocka_unit_test(test_request_after_connection_close_is_none),
		cmocka_unit_test(test_request_after_shutdown_is_none),
		cmocka_unit_test(test_agent_stops_first),
		cmocka_unit_test(test_protocols_are_named),
		cmocka_unit_test(test_attach_in_mid_stream),
		cmocka_unit_test(test_upgrade),
		cmocka_unit_test(test_encoded_answer),
		cmocka_unit_test(test_large_files_are_captured_by_head_and_tail),
		cmocka_unit_test(test_oldest_connection_is_evicted),
		cmocka_unit_test(test_lingering_connection_is_no_eviction),
		cmocka_unit_test(test_idle_and_closed_connections_go),
		cmocka_unit_test(test_request_between_traced_processes_is_told_once),
		cmocka_unit_test(test_client_of_a_distant_server),
		cmocka_unit_test(test_client_gives_up),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_decode_of_a_cut_recording),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
