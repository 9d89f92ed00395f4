// SPDX-License-Identifier: Apache-2.0
/* What may leave a body as text: model names and finish reasons, nothing else, and never from inside a string. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "wire_answer_record.h"

#define D(json)	     "data: " json "\n\n"
#define DELTA(delta) D("{\"choices\":[{\"index\":0,\"delta\":{" delta "}}]}")

static void sse(enum dialect dialect, const char *body, const char *want)
{
	check_body(dialect, true, BODY_SSE, body, want);
}

static void json(enum dialect dialect, const char *body, const char *want)
{
	check_body(dialect, true, BODY_JSON, body, want);
}

/* Text that looks like JSON is still text. */
static void test_strings_hold_no_keys(void **state)
{
	const enum dialect chat = DIALECT_OPENAI_CHAT;

	(void)state;
	sse(chat, DELTA("\"content\":\"\\\"model\\\":\\\"evil\\\"\""), "c");
	sse(chat, DELTA("\"content\":\"}]}\\n\\ndata: {\\\"model\\\":\\\"evil\\\"}\""), "c");
	sse(chat, DELTA("\"content\":\"\\\\\\\",\\\"usage\\\":{\\\"completion_tokens\\\":99}\""),
	    "c");
	sse(chat, DELTA("\"content\":\"[DONE]\"") D("\"[DONE]\""), "c.");
	sse(chat, D("{\"text\":\"error\",\"x\":\"error\"}"), ".");
	json(chat, "{\"x\":\"{\\\"error\\\":1,\",\"model\":\"good\"}", "model=good");
}

static void test_model(void **state)
{
	const enum dialect chat = DIALECT_OPENAI_CHAT;
	char body[512], want[512], name[140];

	(void)state;
	json(chat, "{\"model\":\"Org/Name-1.5_b:q4@main+x\"}", "model=Org/Name-1.5_b:q4@main+x");
	json(chat, "{\"model\":\"longer\",\"model\":\"last\"}", "model=last");
	json(chat, "{\"model\":\"a\\/b\"}", "model=a/b");
	json(chat, "{\"model\":\"m\\u006f\"}", "model=mo");
	/* only at depth 1, only whole, only of the allowed characters */
	json(chat, "{\"choices\":[{\"model\":\"deep\"}],\"x\":{\"model\":\"deep\"}}", "");
	json(chat, "[{\"model\":\"m\"}]", "");
	json(chat, "{\"model\":\"a b\"}", "");
	json(chat, "{\"model\":\"a\\u0000b\"}", "");
	json(chat, "{\"model\":\"a\\nb\"}", "");
	json(chat, "{\"model\":\"caf\xc3\xa9\"}", "");
	json(chat, "{\"model\":\"caf\\u00e9\"}", "");
	json(chat, "{\"model\":\"a\\\"b\"}", "");
	json(chat, "{\"model\":\"{}\"}", "");
	json(chat, "{\"model\":\"\"}", "");
	json(chat, "{\"model\":[\"m\"]}", "");
	json(chat, "{\"model\":{\"model\":\"m\"}}", "");
	json(chat, "{\"model\":\"good\",\"model\":\"b a d\"}", "model=good");
	for (size_t len = ANSWER_MODEL_MAX; len <= ANSWER_MODEL_MAX + 1; len++) {
		memset(name, 'm', len);
		name[len] = '\0';
		snprintf(body, sizeof(body), "{\"model\":\"%s\"}", name);
		snprintf(want, sizeof(want), "model=%s", name);
		json(chat, body, len <= ANSWER_MODEL_MAX ? want : "");
	}
}

static void test_finish_reason(void **state)
{
	const enum dialect chat = DIALECT_OPENAI_CHAT;

	(void)state;
#define FINISH(reason) "{\"choices\":[{\"finish_reason\":" reason "}]}"
	json(chat, FINISH("\"tool_calls\""), "finish=tool_calls");
	json(chat, FINISH("null"), "");
	json(chat, FINISH("\"Stop\""), "");
	json(chat, FINISH("\"a reason with text\""), "");
	json(chat, FINISH("\"abcdefghijklmnopqrstuvwxyz_abcde\""),
	     "finish=abcdefghijklmnopqrstuvwxyz_abcde"); /* 32 */
	json(chat, FINISH("\"abcdefghijklmnopqrstuvwxyz_abcdef\""), "");
}

static void test_requests(void **state)
{
	(void)state;
	for (enum body_format f = BODY_OTHER; f <= BODY_NDJSON; f++) {
		check_body(
			DIALECT_OPENAI_CHAT, false, f,
			"{\"model\":\"m\",\"stream\":true,\"n\":2,\"messages\":[{\"content\":\"x\","
			"\"stream\":false,\"model\":\"deep\"}]}",
			"model=m stream n=2");
	}
#define REQUEST(body, want) check_body(DIALECT_SGLANG, false, BODY_JSON, body, want)
	REQUEST("{\"stream\":false}", "no-stream");
	REQUEST("{\"stream\":null}", "");
	REQUEST("{\"stream\":\"true\"}", "");
	REQUEST("{\"sampling_params\":{\"n\":2,\"stream\":true}}", "");
	REQUEST("{\"error\":{\"x\":1},\"usage\":{\"prompt_tokens\":3}}", "");
	REQUEST("{\"stream\":true,\"n\":0}", "stream n=0");
	REQUEST("a=b&stream=true", "lost");
	REQUEST("", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings_hold_no_keys),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_finish_reason),
		cmocka_unit_test(test_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
