// SPDX-License-Identifier: Apache-2.0
/* ExportTraceServiceRequest: one SERVER span a request, INTERNAL spans for its phases. */
#include "export_otlp.h"

#define KIND(word) OPENTELEMETRY__PROTO__TRACE__V1__SPAN__SPAN_KIND__SPAN_KIND_##word

static otlp_traces_request *encode(const struct kept_record *const *records, size_t count)
{
	struct buf out = BUF_INIT;
	otlp_traces_request *request;

	assert_int_equal(otlp_encode_traces(&out, records, count), 0);
	assert_int_equal(out.err, 0);
	request = DECODE(collector__trace__v1__export_trace_service_request, out);
	assert_non_null(request);
	buf_free(&out);
	return request;
}

static otlp_traces_request *encode_one(const struct kept_record *k)
{
	otlp_traces_request *request = encode(&k, 1);

	assert_int_equal(request->n_resource_spans, 1);
	assert_int_equal(request->resource_spans[0]->n_scope_spans, 1);
	return request;
}

static const otlp_span *span_at(const otlp_traces_request *request, size_t i)
{
	const otlp_scope_spans *scope = request->resource_spans[0]->scope_spans[0];

	assert_true(i < scope->n_spans);
	return scope->spans[i];
}

static void request_free(otlp_traces_request *request)
{
	protobuf_c_message_free_unpacked(&request->base, NULL);
}

static struct resource *server_resource_of(const char *service, const char *engine)
{
	const struct attribute attributes[] = { { "service.name", service, 0 },
						{ "tokscope.server", engine, 0 } };
	struct resource *r = resource_new(attributes, COUNT(attributes));

	assert_non_null(r);
	return r;
}

static void test_span_of_a_chat(void **state)
{
	struct resource *resource = server_resource_of("chat", "llama.cpp");
	struct kept_record k = chat_record(resource);
	otlp_traces_request *request = encode_one(&k);
	const otlp_span *s = span_at(request, 0);

	(void)state;
	assert_int_equal(request->resource_spans[0]->scope_spans[0]->n_spans, 1);
	assert_string_equal(request->resource_spans[0]->scope_spans[0]->scope->name, "tokscope");
	assert_text(request->resource_spans[0]->resource, "service.name", "chat");
	assert_string_equal(s->name, "chat m-7b");
	assert_int_equal(s->kind, KIND(SERVER));
	assert_bytes(s->trace_id, 0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb,
		     0x21, 0x1c, 0x80, 0x31, 0x9c);
	assert_bytes(s->span_id, 0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7);
	assert_bytes(s->parent_span_id, 0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31);
	assert_int_equal(s->flags, 0x303); /* sampled and random; the parent is remote */
	assert_int_equal(s->start_time_unix_nano, REQUEST_NS);
	assert_int_equal(s->end_time_unix_nano, REQUEST_NS + 500000000);
	assert_null(s->status);
	request_free(request);
	resource_put(resource);
}

static void test_attributes_of_a_chat(void **state)
{
	struct resource *resource = server_resource_of("chat", "llama.cpp");
	struct kept_record k = chat_record(resource);
	otlp_traces_request *request = encode_one(&k);
	const otlp_span *s = span_at(request, 0);

	(void)state;
	assert_text(s, "gen_ai.operation.name", "chat");
	assert_text(s, "gen_ai.provider.name", "llama.cpp");
	assert_text(s, "gen_ai.request.model", "asked");
	assert_text(s, "gen_ai.response.model", "m-7b");
	assert_bool(s, "gen_ai.request.stream", 1);
	assert_texts(s, "gen_ai.response.finish_reasons", "length");
	assert_integer(s, "gen_ai.usage.input_tokens", 18);
	assert_integer(s, "gen_ai.usage.output_tokens", 16);
	assert_integer(s, "gen_ai.usage.cache_read.input_tokens", 0);
	assert_double(s, "gen_ai.response.time_to_first_chunk", 0.125);
	assert_text(s, "http.request.method", "POST");
	assert_text(s, "http.route", "/v1/chat/completions");
	assert_integer(s, "http.response.status_code", 200);
	assert_integer(s, "http.request.body.size", 300);
	assert_integer(s, "http.response.body.size", 4000);
	assert_texts(s, "http.request.header.x-request-id", "req-1");
	assert_text(s, "url.scheme", "http");
	assert_text(s, "server.address", "127.0.0.1");
	assert_integer(s, "server.port", 8081);
	assert_absent(s, "error.type");
	assert_text(s, "tokscope.outcome", "ok");
	assert_text(s, "tokscope.leg", "server");
	assert_integer(s, "tokscope.process.pid", 7);
	assert_double(s, "tokscope.time_to_first_token", 0.125);
	assert_integer(s, "tokscope.inter_token_latency.count", 15);
	assert_double(s, "tokscope.inter_token_latency.min", 0.25);
	assert_double(s, "tokscope.inter_token_latency.p99", 0.75);
	assert_integer(s, "tokscope.events", 19);
	assert_integer(s, "tokscope.content_events", 16);
	assert_text(s, "tokscope.token.source", "usage");
	assert_integer(s, "tokscope.net.retransmits", 2);
	request_free(request);
	resource_put(resource);
}

static void test_unknown_values_are_left_out(void **state)
{
	struct kept_record k = unknown_record();
	otlp_traces_request *request = encode_one(&k);
	const otlp_span *s = span_at(request, 0);

	(void)state;
	assert_text(request->resource_spans[0]->resource, "service.name", "tokscope");
	assert_string_equal(s->name, "POST");
	assert_int_equal(s->trace_id.len, 0);
	assert_int_equal(s->flags, 0x100); /* it is known that there is no remote parent */
	assert_text(s, "http.request.method", "POST");
	assert_text(s, "tokscope.outcome", "unknown");
	/* And the scheme, the protocol, two sizes of bodies, the leg. */
	assert_int_equal(s->n_attributes, 7);
	request_free(request);
}

static void test_name_by_what_is_known(void **state)
{
	struct kept_record k = chat_record(NULL);
	otlp_traces_request *request;

	(void)state;
	*k.record.response_model = '\0';
	request = encode_one(&k);
	assert_string_equal(span_at(request, 0)->name, "chat asked");
	request_free(request);
	*k.record.request_model = '\0';
	request = encode_one(&k);
	assert_string_equal(span_at(request, 0)->name, "chat");
	request_free(request);
}

static void test_provider_of_a_gateway(void **state)
{
	struct resource *resource = server_resource_of("gateway", "unknown");
	struct kept_record k = chat_record(resource);
	otlp_traces_request *request = encode_one(&k);

	(void)state;
	assert_text(span_at(request, 0), "gen_ai.provider.name", k.record.route->provider);
	request_free(request);
	resource_put(resource);
}

static void test_status(void **state)
{
	static const struct {
		enum outcome outcome;
		int status;
		const char *error_type;
		bool error;
	} cases[] = {
		{ OUTCOME_ERROR, 500, "500", true },
		{ OUTCOME_ERROR, 200, "stream_error", true },
		{ OUTCOME_ERROR, 0, "server_disconnect", true },
		{ OUTCOME_ERROR, 429, "429", false },
		{ OUTCOME_ABORTED, 200, "", false },
		{ OUTCOME_UNKNOWN, 0, "", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct kept_record k = chat_record(NULL);
		otlp_traces_request *request;
		const otlp_span *s;

		k.record.outcome = cases[i].outcome;
		k.record.status = cases[i].status;
		strcpy(k.record.error_type, cases[i].error_type);
		request = encode_one(&k);
		s = span_at(request, 0);
		assert_text(s, "tokscope.outcome", outcome_name(cases[i].outcome));
		assert_int_equal(!!s->status, cases[i].error);
		if (s->status)
			assert_int_equal(
				s->status->code,
				OPENTELEMETRY__PROTO__TRACE__V1__STATUS__STATUS_CODE__STATUS_CODE_ERROR);
		if (*cases[i].error_type)
			assert_text(s, "error.type", cases[i].error_type);
		request_free(request);
	}
}

static void test_phases_are_children(void **state)
{
	struct kept_record k = chat_record(NULL);
	otlp_traces_request *request;
	const otlp_span *parent, *queue, *receive;

	(void)state;
	k.record.phase_s[PHASE_RECEIVE] = 0.125;
	k.record.phase_start_s[PHASE_RECEIVE] = -0.125;
	k.record.phase_s[PHASE_QUEUE] = 0.25;
	k.record.phase_start_s[PHASE_QUEUE] = 0.0625;
	k.record.phase_s[PHASE_OTHER] = 0.25; /* in pieces */
	request = encode_one(&k);
	assert_int_equal(request->resource_spans[0]->scope_spans[0]->n_spans, 3);
	parent = span_at(request, 0);
	receive = span_at(request, 1);
	queue = span_at(request, 2);
	assert_string_equal(receive->name, "receive");
	assert_int_equal(receive->start_time_unix_nano, REQUEST_NS - 125000000);
	assert_int_equal(receive->end_time_unix_nano, REQUEST_NS);
	assert_string_equal(queue->name, "queue");
	assert_text(queue, "tokscope.phase", "queue");
	assert_int_equal(queue->kind, KIND(INTERNAL));
	assert_int_equal(queue->start_time_unix_nano, REQUEST_NS + 62500000);
	assert_int_equal(queue->end_time_unix_nano, REQUEST_NS + 312500000);
	assert_int_equal(queue->flags, 0x103);
	assert_memory_equal(queue->trace_id.data, parent->trace_id.data, 16);
	assert_memory_equal(queue->parent_span_id.data, parent->span_id.data, 8);
	assert_int_equal(queue->span_id.len, 8);
	assert_memory_not_equal(queue->span_id.data, parent->span_id.data, 8);
	assert_memory_not_equal(queue->span_id.data, receive->span_id.data, 8);
	assert_double(parent, "tokscope.phase.queue", 0.25);
	assert_double(parent, "tokscope.phase.other", 0.25);
	request_free(request);
}

/* The id of the parent that would make its child's all zero. */
static void test_child_id_is_never_zero(void **state)
{
	struct kept_record k = chat_record(NULL);
	otlp_traces_request *request;

	(void)state;
	k.record.phase_s[PHASE_RECEIVE] = k.record.phase_start_s[PHASE_RECEIVE] = 0;
	strcpy(k.record.span_id, "0102030405060708");
	request = encode_one(&k);
	assert_bytes(span_at(request, 1)->span_id, 1, 0, 0, 0, 0, 0, 0, 0);
	request_free(request);
}

static void test_ids_that_are_none(void **state)
{
	static const char *const bad[] = { "", "00f067aa0ba902b", "00F067AA0BA902B7",
					   "00f067aa0ba902bx", "0000000000000000" };

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct kept_record k = chat_record(NULL);
		otlp_traces_request *request;

		strcpy(k.record.parent_span_id, bad[i]);
		request = encode_one(&k);
		assert_int_equal(span_at(request, 0)->parent_span_id.len, 0);
		assert_int_equal(span_at(request, 0)->flags, 0x103);
		request_free(request);
	}
}

static void test_address_that_is_no_utf8(void **state)
{
	struct kept_record k = chat_record(NULL);
	otlp_traces_request *request;

	(void)state;
	strcpy(k.address, "/run/\xff.sock");
	k.port = 0;
	request = encode_one(&k);
	assert_text(span_at(request, 0), "server.address", "/run/?.sock");
	assert_absent(span_at(request, 0), "server.port");
	request_free(request);
}

/* Records of one server need not stand together. */
static void test_grouped_by_resource(void **state)
{
	struct resource *a = server_resource_of("a", "vllm");
	struct resource *b = server_resource_of("b", "vllm");
	struct kept_record records[] = { chat_record(a), chat_record(b), chat_record(a),
					 chat_record(NULL) };
	const struct kept_record *list[COUNT(records)];
	static const char *const services[] = { "a", "b", "tokscope" };
	static const size_t spans[] = { 2, 1, 1 };
	otlp_traces_request *request;

	(void)state;
	for (size_t i = 0; i < COUNT(records); i++)
		list[i] = &records[i];
	request = encode(list, COUNT(list));
	assert_int_equal(request->n_resource_spans, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_text(request->resource_spans[i]->resource, "service.name", services[i]);
		assert_int_equal(request->resource_spans[i]->scope_spans[0]->n_spans, spans[i]);
	}
	request_free(request);
	resource_put(a);
	resource_put(b);
}

static void test_no_records(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(otlp_encode_traces(&out, NULL, 0), 0);
	assert_int_equal(out.len, 0);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_span_of_a_chat),
		cmocka_unit_test(test_attributes_of_a_chat),
		cmocka_unit_test(test_unknown_values_are_left_out),
		cmocka_unit_test(test_name_by_what_is_known),
		cmocka_unit_test(test_provider_of_a_gateway),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_phases_are_children),
		cmocka_unit_test(test_child_id_is_never_zero),
		cmocka_unit_test(test_ids_that_are_none),
		cmocka_unit_test(test_address_that_is_no_utf8),
		cmocka_unit_test(test_grouped_by_resource),
		cmocka_unit_test(test_no_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
