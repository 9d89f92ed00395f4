// SPDX-License-Identifier: Apache-2.0
/* Requests and answers on one connection: counts, times, order, boundaries, gaps. */
#include "track_world.h"

static void assert_seconds(double got, double want)
{
	assert_true(got > want - 1e-9 && got < want + 1e-9);
}

static void stream_of_three(struct link *l)
{
	ask_json(l, CHAT, "{\"model\":\"asked\",\"stream\":true}");
	answer(l, SSE_HEAD);
	chunk(l, ROLE);
	chunk(l, TOKEN);
	chunk(l, TOKEN);
	chunk(l, ": ping\n\n");
	chunk(l, TOKEN);
	chunk(l, USAGE);
	chunk(l, DONE);
	answer(l, LAST);
}

static void test_stream(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 40001);
	struct request_record *r = &w->records[0];

	(void)state;
	stream_of_three(&l);
	assert_int_equal(w->count, 1);
	assert_int_equal(r->outcome, OUTCOME_OK);
	assert_string_equal(r->error_type, "");
	assert_int_equal(r->status, 200);
	assert_int_equal(r->leg, LEG_SERVER);
	assert_int_equal(r->stream, 1);
	assert_string_equal(r->route->pattern, CHAT);
	assert_string_equal(r->request_model, "asked");
	assert_string_equal(r->response_model, "m");
	assert_int_equal(r->events, 6);
	assert_int_equal(r->content_events, 3);
	assert_int_equal(r->choices, 1);
	assert_int_equal(r->input_tokens, 7);
	assert_int_equal(r->output_tokens, 3);
	assert_int_equal(r->cached_tokens, -1);
	assert_int_equal(r->wasted_tokens, -1);
	assert_int_equal(r->token_source, TOKENS_USAGE);
	assert_seconds(r->time_to_headers_s, 0.001);
	assert_seconds(r->ttft_s, 0.003);
	assert_seconds(r->duration_s, 0.009);
	assert_seconds(r->tpot_s, 0.003);
	assert_int_equal(w->itl_count[0], 2);
	assert_seconds(r->itl_min_s, 0.001);
	assert_seconds(r->itl_max_s, 0.002);
	assert_int_equal(w->content, 3);
	assert_int_equal(w->other, 3);
	world_free(w);
}

static void test_gauges_follow(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 40001);

	(void)state;
	ask_json(&l, CHAT, "{}");
	assert_int_equal(w->in_flight, 1);
	assert_int_equal(w->awaiting, 1);
	answer(&l, SSE_HEAD);
	chunk(&l, ROLE);
	assert_int_equal(w->awaiting, 1);
	chunk(&l, TOKEN);
	assert_int_equal(w->awaiting, 0);
	assert_int_equal(w->in_flight, 1);
	chunk(&l, DONE);
	answer(&l, LAST);
	assert_int_equal(w->in_flight, 0);
	world_free(w);
}

static void test_plain_answers_on_one_connection(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 40002);

	(void)state;
	for (int i = 0; i < 3; i++) {
		ask_json(&l, CHAT, "{}");
		answer_json(
			&l, 200,
			"{\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":5,"
			"\"completion_tokens\":4,\"prompt_tokens_details\":{\"cached_tokens\":2}}}");
	}
	assert_int_equal(w->count, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(w->records[i].outcome, OUTCOME_OK);
		assert_int_equal(w->records[i].stream, 0);
		assert_int_equal(w->records[i].events, -1);
		assert_int_equal(w->records[i].input_tokens, 5);
		assert_int_equal(w->records[i].output_tokens, 4);
		assert_int_equal(w->records[i].cached_tokens, 2);
		assert_seconds(w->records[i].duration_s, 0.001);
		assert_true(isnan(w->records[i].ttft_s));
		assert_true(isnan(w->records[i].tpot_s));
	}
	world_free(w);
}

static void test_other_routes_are_no_requests(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 40003);

	(void)state;
	ask(&l, "GET /health HTTP/1.1\r\n\r\n");
	answer_json(&l, 200, "{\"status\":\"ok\"}");
	ask_json(&l, "/tokenize", "{\"content\":\"x\"}");
	assert_int_equal(w->in_flight, 0);
	answer_json(&l, 200, "{\"tokens\":[1]}");
	stream_of_three(&l);
	assert_int_equal(w->count, 1);
	assert_int_equal(w->records[0].output_tokens, 3);
	world_free(w);
}

static void test_answers_find_pipelined_requests(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 40004);

	(void)state;
	ask_json(&l, "/v1/completions", "{\"model\":\"first\"}");
	ask(&l, "HEAD /health HTTP/1.1\r\n\r\n");
	ask_json(&l, CHAT, "{\"model\":\"second\"}");
	assert_int_equal(w->in_flight, 2);
	answer_json(&l, 200, "{\"model\":\"a\"}");
	answer(&l, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"); /* to HEAD: no body */
	answer_json(&l, 404, "{\"model\":\"b\"}");
	assert_int_equal(w->count, 2);
	assert_string_equal(w->records[0].request_model, "first");
	assert_int_equal(w->records[0].outcome, OUTCOME_OK);
	assert_int_equal(w->records[1].status, 404);
	assert_int_equal(w->records[1].outcome, OUTCOME_ERROR);
	assert_string_equal(w->records[1].error_type, "404");
	world_free(w);
}

static void test_too_many_pipelined_requests_are_counted(void **state)
{
	struct tracker_config config = { .max_pipelined = 2 };
	struct world *w = world_new(&config);
	struct link l = link_new(w, 40005);
	struct tracker_stats stats;

	(void)state;
	for (int i = 0; i < 3; i++)
		ask_json(&l, CHAT, "{}");
	tracker_get_stats(w->tracker, &stats);
	assert_int_equal(stats.pipeline_overflow, 1);
	assert_int_equal(stats.open_requests, 0);
	assert_int_equal(w->count, 2);
	assert_int_equal(w->records[0].outcome, OUTCOME_UNKNOWN);
	world_free(w);
}

/* A client must not be able to make a label: its words count only when the server accepted them. */
static void test_model_of_a_refused_request_is_not_told(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 40006);

	(void)state;
	ask_json(&l, CHAT, "{\"model\":\"planted\"}");
	answer_json(&l, 404, "{\"error\":{\"message\":\"no planted\"},\"model\":\"planted\"}");
	ask_json(&l, CHAT, "{\"model\":\"two words\",\"messages\":[{\"model\":\"deep\"}]}");
	answer_json(&l, 200,
		    "{\"choices\":[{\"text\":\"\\\"model\\\":\\\"x\\\"\",\"model\":\"deep\"}]}");
	assert_int_equal(w->count, 2);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(w->records[i].request_model, "");
		assert_string_equal(w->records[i].response_model, "");
	}
	world_free(w);
}

static void test_choices_have_their_own_gaps(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 40007);

	(void)state;
	ask_json(&l, CHAT, "{\"stream\":true,\"n\":2}");
	answer(&l, SSE_HEAD);
	for (int i = 0; i < 6; i++)
		chunk(&l,
		      i % 2 ? "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"b\"}}]}\n\n"
			    : "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n");
	chunk(&l, USAGE);
	answer(&l, LAST);
	assert_int_equal(w->records[0].choices, 2);
	assert_int_equal(w->itl_count[0], 4);
	assert_seconds(w->records[0].itl_min_s, 0.002);
	assert_seconds(w->records[0].itl_max_s, 0.002);
	assert_true(isnan(w->records[0].tpot_s));
	world_free(w);
}

static void test_errors_in_the_answer(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 40008);

	(void)state;
	ask_json(&l, CHAT, "{\"stream\":true}");
	answer(&l, SSE_HEAD);
	chunk(&l, TOKEN);
	chunk(&l, "data: {\"error\":{\"code\":500,\"message\":\"boom\"}}\n\n");
	answer(&l, LAST);
	ask_json(&l, CHAT, "{}");
	answer_json(&l, 200, "{\"error\":{\"message\":\"boom\"}}");
	assert_int_equal(w->records[0].outcome, OUTCOME_ERROR);
	assert_string_equal(w->records[0].error_type, "stream_error");
	assert_int_equal(w->records[0].output_tokens, 1);
	assert_int_equal(w->records[0].token_source, TOKENS_EVENTS);
	assert_int_equal(w->records[0].wasted_tokens, 1);
	assert_true(isnan(w->records[0].tpot_s));
	assert_int_equal(w->records[1].outcome, OUTCOME_ERROR);
	assert_string_equal(w->records[1].error_type, "_OTHER");
	world_free(w);
}

/* vLLM puts all tokens that have come since the last event into one: without usage their number is not known. */
static void test_events_that_are_not_tokens(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 40018);

	(void)state;
	w->server.engine = "vllm";
	ask_json(&l, CHAT, "{\"stream\":true}");
	answer(&l, SSE_HEAD);
	chunk(&l, TOKEN);
	answer(&l, LAST);
	assert_int_equal(w->records[0].content_events, 1);
	assert_int_equal(w->records[0].output_tokens, -1);
	assert_int_equal(w->records[0].token_source, TOKENS_NONE);
	world_free(w);
}

static void test_many_events_in_one_write(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 40009);
	static char body[100 * sizeof(TOKEN) + 1], framed[sizeof(body) + 64];

	(void)state;
	for (int i = 0; i < 100; i++)
		strcat(body, TOKEN);
	snprintf(framed, sizeof(framed), "%zx\r\n%s\r\n", strlen(body), body);
	ask_json(&l, CHAT, "{\"stream\":true}");
	answer(&l, SSE_HEAD);
	answer(&l, framed);
	answer(&l, LAST);
	assert_int_equal(w->records[0].content_events, 100);
	assert_int_equal(w->itl_count[0], 99);
	assert_seconds(w->records[0].itl_max_s, 0);
	world_free(w);
}

/* ------------------------------------------------------------------ cuts */

static void feed_cut(struct link *l, enum tks_dir dir, const char *text, size_t piece)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i += piece)
		link_bytes(l, dir, text + i, len - i < piece ? len - i : piece, 0);
}

static void test_boundaries_never_matter(void **state)
{
	static const char request[] =
		"POST " CHAT " HTTP/1.1\r\nContent-Length: 15\r\nX-Request-Id: r1\r\n"
		"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"
		"\r\n{\"stream\":true}";
	static const char response[] =
		"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" TOKEN TOKEN USAGE DONE;

	(void)state;
	for (size_t piece = 1; piece < sizeof(response); piece++) {
		struct world *w = world_new(NULL);
		struct link l = link_new(w, 40010);
		struct request_record *r = &w->records[0];

		feed_cut(&l, TKS_RECV, request, piece);
		feed_cut(&l, TKS_SEND, response, piece);
		link_state(&l, 4, 0);
		assert_int_equal(w->count, 1);
		assert_int_equal(r->outcome, OUTCOME_OK);
		assert_int_equal(r->events, 4);
		assert_int_equal(r->content_events, 2);
		assert_int_equal(r->output_tokens, 3);
		assert_string_equal(r->request_id, "r1");
		assert_string_equal(r->trace_id, "0af7651916cd43dd8448eb211c80319c");
		assert_string_equal(r->parent_span_id, "b7ad6b7169203331");
		assert_int_equal(w->unparsed[UNPARSED_MALFORMED], 0);
		world_free(w);
	}
}

/* ------------------------------------------------------------------ gaps */

static void test_lost_record_in_a_stream(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 40011);
	struct tracker_stats stats;

	(void)state;
	ask_json(&l, CHAT, "{\"stream\":true}");
	answer(&l, SSE_HEAD);
	chunk(&l, TOKEN);
	link_lose(&l, TKS_SEND, 50);
	chunk(&l, TOKEN);
	chunk(&l, USAGE);
	answer(&l, LAST);
	/* Framing is lost: the end is not seen, the next request tells that it came. */
	assert_int_equal(w->count, 0);
	stream_of_three(&l);
	assert_int_equal(w->count, 2);
	assert_int_equal(w->records[0].outcome, OUTCOME_UNKNOWN);
	assert_int_equal(w->records[0].output_tokens, -1);
	assert_int_equal(w->records[0].events, -1);
	assert_int_equal(w->records[0].content_events, -1);
	assert_true(isnan(w->records[0].duration_s));
	assert_int_equal(w->itl_count[0], 0);
	assert_int_equal(w->records[1].outcome, OUTCOME_OK);
	assert_int_equal(w->records[1].output_tokens, 3);
	assert_int_equal(w->unparsed[UNPARSED_TRUNCATED], 1);
	tracker_get_stats(w->tracker, &stats);
	assert_int_equal(stats.gaps, 1);
	assert_int_equal(stats.gap_bytes, 50);
	world_free(w);
}

/* Inside a chunk the gap is crossed: the end is seen, but an error event may have been in it. */
static void test_bytes_missed_inside_a_chunk(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 40012);

	(void)state;
	ask_json(&l, CHAT, "{\"stream\":true}");
	answer(&l, SSE_HEAD "100\r\n");
	link_bytes(&l, TKS_SEND, TOKEN, strlen(TOKEN), 0x100 - strlen(TOKEN));
	answer(&l, "\r\n" LAST);
	assert_int_equal(w->count, 1);
	assert_int_equal(w->records[0].outcome, OUTCOME_UNKNOWN);
	assert_int_equal(w->records[0].output_tokens, -1);
	assert_int_equal(w->unparsed[UNPARSED_TRUNCATED], 0);
	stream_of_three(&l);
	assert_int_equal(w->records[1].outcome, OUTCOME_OK);
	world_free(w);
}

/* A plain answer that is larger than what is captured: its status and its end were seen. */
static void test_large_plain_answer(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 40013);

	(void)state;
	ask_json(&l, "/v1/embeddings", "{}");
	answer(&l,
	       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100002\r\n\r\n{");
	link_bytes(&l, TKS_SEND, NULL, 0, 100000);
	answer(&l, "}");
	assert_int_equal(w->count, 1);
	assert_int_equal(w->records[0].outcome, OUTCOME_OK);
	assert_int_equal(w->records[0].input_tokens, -1);
	assert_int_equal(w->records[0].bytes_out, 100002);
	world_free(w);
}

static void test_large_request(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 40014);
	static const char head[] =
		"POST " CHAT " HTTP/1.1\r\nContent-Length: 500000\r\n\r\n{\"model\":\"big\",";

	(void)state;
	link_bytes(&l, TKS_RECV, head, strlen(head), 500000 - 15);
	answer_json(&l, 200, "{\"model\":\"m\"}");
	assert_int_equal(w->count, 1);
	assert_int_equal(w->records[0].outcome, OUTCOME_OK);
	assert_int_equal(w->records[0].bytes_in, 500000);
	assert_string_equal(w->records[0].request_model, "big");
	world_free(w);
}

/* Both the end of one answer and the next request are lost: the next head is not the first answer's. */
static void test_lost_end_and_request(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 40017);

	(void)state;
	ask_json(&l, CHAT, "{\"stream\":true}");
	answer(&l, SSE_HEAD);
	link_lose(&l, TKS_SEND, 99);
	link_lose(&l, TKS_RECV, 99);
	answer_json(&l, 200, "{\"model\":\"m\"}");
	assert_int_equal(w->count, 1);
	assert_int_equal(w->records[0].outcome, OUTCOME_UNKNOWN);
	stream_of_three(&l);
	assert_int_equal(w->count, 2);
	assert_int_equal(w->records[1].outcome, OUTCOME_OK);
	world_free(w);
}

static void test_lost_request(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 40015);

	(void)state;
	stream_of_three(&l);
	link_lose(&l, TKS_RECV, 200);
	ask(&l, "rest of a body");
	answer_json(&l, 200, "{\"model\":\"m\"}"); /* nobody's */
	stream_of_three(&l);
	assert_int_equal(w->count, 2);
	assert_int_equal(w->records[1].outcome, OUTCOME_OK);
	assert_int_equal(w->records[1].output_tokens, 3);
	assert_int_equal(w->unparsed[UNPARSED_TRUNCATED], 1);
	world_free(w);
}

static void test_malformed(void **state)
{
	struct world *w = world_new(NULL);
	struct link l = link_new(w, 40016);

	(void)state;
	ask(&l, "POST " CHAT " HTTP/1.1\r\nContent-Length: twelve\r\n\r\n");
	assert_int_equal(w->unparsed[UNPARSED_MALFORMED], 1);
	stream_of_three(&l);
	assert_int_equal(w->count, 1);
	assert_int_equal(w->records[0].outcome, OUTCOME_OK);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_gauges_follow),
		cmocka_unit_test(test_plain_answers_on_one_connection),
		cmocka_unit_test(test_other_routes_are_no_requests),
		cmocka_unit_test(test_answers_find_pipelined_requests),
		cmocka_unit_test(test_too_many_pipelined_requests_are_counted),
		cmocka_unit_test(test_model_of_a_refused_request_is_not_told),
		cmocka_unit_test(test_choices_have_their_own_gaps),
		cmocka_unit_test(test_errors_in_the_answer),
		cmocka_unit_test(test_events_that_are_not_tokens),
		cmocka_unit_test(test_many_events_in_one_write),
		cmocka_unit_test(test_boundaries_never_matter),
		cmocka_unit_test(test_lost_record_in_a_stream),
		cmocka_unit_test(test_bytes_missed_inside_a_chunk),
		cmocka_unit_test(test_large_plain_answer),
		cmocka_unit_test(test_large_request),
		cmocka_unit_test(test_lost_end_and_request),
		cmocka_unit_test(test_lost_request),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
