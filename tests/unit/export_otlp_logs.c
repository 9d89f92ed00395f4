// SPDX-License-Identifier: Apache-2.0
/* ExportLogsServiceRequest: one record a request, with the attributes of its span. */
#include "export_otlp.h"

#define SEVERITY(word) OPENTELEMETRY__PROTO__LOGS__V1__SEVERITY_NUMBER__SEVERITY_NUMBER_##word

static otlp_logs_request *encode(const struct kept_record *const *records, size_t count)
{
	struct buf out = BUF_INIT;
	otlp_logs_request *request;

	assert_int_equal(otlp_encode_logs(&out, records, count), 0);
	request = DECODE(collector__logs__v1__export_logs_service_request, out);
	assert_non_null(request);
	buf_free(&out);
	return request;
}

static const otlp_log_record *only(const otlp_logs_request *request)
{
	assert_int_equal(request->n_resource_logs, 1);
	assert_int_equal(request->resource_logs[0]->n_scope_logs, 1);
	assert_int_equal(request->resource_logs[0]->scope_logs[0]->n_log_records, 1);
	return request->resource_logs[0]->scope_logs[0]->log_records[0];
}

static void request_free(otlp_logs_request *request)
{
	protobuf_c_message_free_unpacked(&request->base, NULL);
}

static void test_log_of_a_chat(void **state)
{
	struct kept_record k = chat_record(NULL);
	const struct kept_record *list[] = { &k };
	otlp_logs_request *request = encode(list, 1);
	const otlp_log_record *log = only(request);

	(void)state;
	assert_text(request->resource_logs[0]->resource, "service.name", "tokscope");
	assert_string_equal(request->resource_logs[0]->scope_logs[0]->scope->name, "tokscope");
	assert_string_equal(log->event_name, "tokscope.request");
	assert_int_equal(log->time_unix_nano, REQUEST_NS);
	assert_int_equal(log->observed_time_unix_nano, REQUEST_NS + 500000000);
	assert_int_equal(log->severity_number, SEVERITY(INFO));
	assert_string_equal(log->severity_text, "INFO");
	assert_string_equal(log->body->string_value, "chat ok 200");
	assert_bytes(log->trace_id, 0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48,
		     0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c);
	assert_bytes(log->span_id, 0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7);
	assert_int_equal(log->flags, 3);
	assert_text(log, "gen_ai.response.model", "m-7b");
	assert_integer(log, "gen_ai.usage.output_tokens", 16);
	assert_text(log, "tokscope.leg", "server");
	request_free(request);
}

static void test_severity_and_body(void **state)
{
	static const struct {
		enum outcome outcome;
		int status, severity;
		const char *text, *body;
	} cases[] = {
		{ OUTCOME_OK, 200, SEVERITY(INFO), "INFO", "chat ok 200" },
		{ OUTCOME_ERROR, 503, SEVERITY(ERROR), "ERROR", "chat error 503" },
		{ OUTCOME_ABORTED, 200, SEVERITY(WARN), "WARN", "chat aborted 200" },
		{ OUTCOME_UNKNOWN, 0, SEVERITY(WARN), "WARN", "chat unknown" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct kept_record k = chat_record(NULL);
		const struct kept_record *list[] = { &k };
		otlp_logs_request *request;

		k.record.outcome = cases[i].outcome;
		k.record.status = cases[i].status;
		request = encode(list, 1);
		assert_int_equal(only(request)->severity_number, cases[i].severity);
		assert_string_equal(only(request)->severity_text, cases[i].text);
		assert_string_equal(only(request)->body->string_value, cases[i].body);
		request_free(request);
	}
}

/* The flag tells whether there is a span to look for, whatever the caller wanted. */
static void test_flags_of_a_request_that_was_not_sampled(void **state)
{
	struct kept_record k = chat_record(NULL);
	const struct kept_record *list[] = { &k };
	otlp_logs_request *request;

	(void)state;
	k.record.sampled = false;
	request = encode(list, 1);
	assert_int_equal(only(request)->flags, 2);
	request_free(request);
	k.record.trace_flags = -1;
	request = encode(list, 1);
	assert_int_equal(only(request)->flags, 0);
	request_free(request);
}

static void test_internal_leg(void **state)
{
	struct kept_record k = unknown_record();
	const struct kept_record *list[] = { &k };
	otlp_logs_request *request;

	(void)state;
	k.record.leg = LEG_INTERNAL;
	request = encode(list, 1);
	assert_text(only(request), "tokscope.leg", "internal");
	assert_string_equal(only(request)->body->string_value, "POST unknown");
	assert_int_equal(only(request)->trace_id.len, 0);
	assert_int_equal(only(request)->span_id.len, 0);
	request_free(request);
}

static void test_grouped_by_resource(void **state)
{
	const struct attribute attributes[] = { { "service.name", "a", 0 } };
	struct resource *a = resource_new(attributes, 1);
	struct kept_record records[] = { chat_record(NULL), chat_record(a), chat_record(NULL) };
	const struct kept_record *list[] = { &records[0], &records[1], &records[2] };
	otlp_logs_request *request = encode(list, 3);

	(void)state;
	assert_int_equal(request->n_resource_logs, 2);
	assert_int_equal(request->resource_logs[0]->scope_logs[0]->n_log_records, 2);
	assert_text(request->resource_logs[1]->resource, "service.name", "a");
	assert_int_equal(request->resource_logs[1]->scope_logs[0]->n_log_records, 1);
	request_free(request);
	resource_put(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log_of_a_chat),
		cmocka_unit_test(test_severity_and_body),
		cmocka_unit_test(test_flags_of_a_request_that_was_not_sampled),
		cmocka_unit_test(test_internal_leg),
		cmocka_unit_test(test_grouped_by_resource),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
