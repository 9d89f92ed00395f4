// SPDX-License-Identifier: Apache-2.0
/* The record's one JSON shape, compared as text: order and presence of the keys are part of it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "export/record_json.h"

static struct request_record unknown(void)
{
	struct request_record r;

	request_record_init(&r);
	r.method = HTTP1_POST;
	return r;
}

static void assert_json(const struct request_record *r, const char *want)
{
	struct buf b = BUF_INIT;

	record_json_write(&b, r);
	assert_int_equal(b.err, 0);
	assert_string_equal(b.data, want);
	buf_free(&b);
}

static void test_everything_unknown_is_null(void **state)
{
	struct request_record r = unknown();

	(void)state;
	assert_json(
		&r,
		"{\"schema\":1,\"time\":null,\"server\":null,\"service_name\":null,\"container_id\":null,"
		"\"pod_uid\":null,\"pid\":null,\"address\":null,\"port\":null,\"provider\":null,"
		"\"operation\":null,\"method\":\"POST\",\"route\":null,\"status\":null,"
		"\"outcome\":\"unknown\",\"error_type\":null,\"leg\":\"server\",\"stream\":null,"
		"\"request_model\":null,\"response_model\":null,\"finish_reason\":null,"
		"\"trace_id\":null,\"span_id\":null,\"parent_span_id\":null,\"request_id\":null,"
		"\"duration_s\":null,\"ttft_s\":null,\"time_to_headers_s\":null,\"tpot_s\":null,"
		"\"itl_s\":{\"count\":null,\"min\":null,\"p50\":null,\"p99\":null,\"max\":null},"
		"\"events\":null,\"content_events\":null,\"input_tokens\":null,"
		"\"output_tokens\":null,\"cached_tokens\":null,\"wasted_tokens\":null,"
		"\"token_source\":null,\"bytes_in\":0,\"bytes_out\":0,"
		"\"phases_s\":{\"receive\":null,\"tokenize\":null,\"queue\":null,\"prefill\":null,"
		"\"decode\":null,\"other\":null},\"net\":{\"retransmits\":null,\"srtt_s\":null,"
		"\"send_stall_s\":null,\"accept_wait_s\":null,\"bytes_after_close\":null},"
		"\"gpu_s\":null,\"gpu_source\":null}\n");
}

static void test_everything_known(void **state)
{
	static const struct server server = { .id = 1,
					      .engine = "llama.cpp",
					      .service_name = "chat",
					      .address = "127.0.0.1",
					      .port = 8081,
					      .container_id = "c0ffee" };
	struct hist itl = { .count = 15 };
	struct request_record r = unknown();

	(void)state;
	r.server = &server;
	r.time_ns = 1763898766123456789ULL;
	r.pid = 7;
	r.route = route_match(HTTP1_POST, "/v1/chat/completions", NULL, 0);
	r.status = 200;
	r.outcome = OUTCOME_OK;
	r.stream = 1;
	strcpy(r.response_model, "m");
	strcpy(r.finish_reason, "length");
	strcpy(r.request_id, "a\"b\\c");
	r.duration_s = 0.5;
	r.ttft_s = 0.100000001;
	r.time_to_headers_s = 0;
	r.itl = &itl;
	r.itl_min_s = 0.009;
	r.events = 19;
	r.token_source = TOKENS_USAGE;
	r.bytes_in = 300;
	r.phase_s[PHASE_OTHER] = 0.5;
	r.retransmits = 2;
	r.srtt_s = 0.000123;
	r.send_stall_s = 0.204;
	r.accept_wait_s = 0;
	r.bytes_after_close = 0;
	assert_json(
		&r,
		"{\"schema\":1,\"time\":\"2025-11-23T11:52:46.123456789Z\",\"server\":\"llama.cpp\","
		"\"service_name\":\"chat\",\"container_id\":\"c0ffee\",\"pod_uid\":null,\"pid\":7,"
		"\"address\":\"127.0.0.1\",\"port\":8081,\"provider\":\"llama.cpp\","
		"\"operation\":\"chat\",\"method\":\"POST\",\"route\":\"/v1/chat/completions\","
		"\"status\":200,\"outcome\":\"ok\",\"error_type\":null,\"leg\":\"server\","
		"\"stream\":true,\"request_model\":null,\"response_model\":\"m\","
		"\"finish_reason\":\"length\",\"trace_id\":null,\"span_id\":null,"
		"\"parent_span_id\":null,\"request_id\":\"a\\\"b\\\\c\",\"duration_s\":0.5,"
		"\"ttft_s\":0.100000001,\"time_to_headers_s\":0.0,\"tpot_s\":null,"
		"\"itl_s\":{\"count\":15,\"min\":0.009,\"p50\":null,\"p99\":null,\"max\":null},"
		"\"events\":19,\"content_events\":null,\"input_tokens\":null,"
		"\"output_tokens\":null,\"cached_tokens\":null,\"wasted_tokens\":null,"
		"\"token_source\":\"usage\",\"bytes_in\":300,\"bytes_out\":0,"
		"\"phases_s\":{\"receive\":null,\"tokenize\":null,\"queue\":null,\"prefill\":null,"
		"\"decode\":null,\"other\":0.5},\"net\":{\"retransmits\":2,\"srtt_s\":0.000123,"
		"\"send_stall_s\":0.204,\"accept_wait_s\":0.0,\"bytes_after_close\":0},"
		"\"gpu_s\":null,\"gpu_source\":null}\n");
}

static void test_unix_socket_has_no_port(void **state)
{
	static const struct server server = { .id = 1,
					      .engine = "unknown",
					      .address = "/run/s.sock" };
	struct request_record r = unknown();
	struct buf b = BUF_INIT;

	(void)state;
	r.server = &server;
	r.route = route_match(HTTP1_POST, "/v1/messages", NULL, 0);
	record_json_write(&b, &r);
	assert_non_null(strstr(
		b.data, "\"address\":\"/run/s.sock\",\"port\":null,\"provider\":\"anthropic\""));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything_unknown_is_null),
		cmocka_unit_test(test_everything_known),
		cmocka_unit_test(test_unix_socket_has_no_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
