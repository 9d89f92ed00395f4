// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire_answer_record.h"

#define D(json) "data: " json "\n\n"
#define DONE	D("[DONE]")

static void sse(enum dialect dialect, const char *body, const char *want)
{
	check_body(dialect, true, BODY_SSE, body, want);
}

static void json(enum dialect dialect, const char *body, const char *want)
{
	check_body(dialect, true, BODY_JSON, body, want);
}

static void ndjson(enum dialect dialect, const char *body, const char *want)
{
	check_body(dialect, true, BODY_NDJSON, body, want);
}

/* One event of a choice with this delta. */
#define DELTA(delta) D("{\"choices\":[{\"index\":0,\"delta\":{" delta "}}]}")

static void test_chat_content(void **state)
{
	const enum dialect chat = DIALECT_OPENAI_CHAT;

	(void)state;
	sse(chat, DELTA("\"role\":\"assistant\""), ".");
	sse(chat, DELTA("\"role\":\"assistant\",\"content\":\"\""), ".");
	sse(chat, DELTA("\"role\":\"assistant\",\"content\":null"), ".");
	sse(chat, DELTA(""), ".");
	sse(chat, DELTA("\"content\":\"a\""), "c");
	sse(chat, DELTA("\"content\":\" \""), "c");
	sse(chat, DELTA("\"reasoning_content\":\"a\",\"content\":null"), "c");
	sse(chat, DELTA("\"reasoning\":\"a\""), "c");
	sse(chat, DELTA("\"reasoning_content\":\"\",\"content\":\"\""), ".");
	sse(chat, DELTA("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"\"}}]"), "c");
	sse(chat, DELTA("\"tool_calls\":[]"), ".");
	sse(chat, DELTA("\"function_call\":{\"name\":\"f\"}"), "c");
	sse(chat, DELTA("\"refusal\":\"no\""), "c");
	sse(chat, DELTA("\"refusal\":null"), ".");
	sse(chat, DELTA("\"unknown\":\"text\""), ".");
	sse(chat, D("{\"choices\":[{\"index\":0,\"text\":\"a\"}]}"), "c"); /* /invocations */
	sse(chat, D("{\"choices\":[{\"index\":0,\"logprobs\":{\"content\":[1]},\"delta\":{}}]}"),
	    ".");
	sse(chat, D("{\"choices\":[]}") DONE ": ping\n\n", ".. done");
}

static void test_chat_numbers(void **state)
{
	const enum dialect chat = DIALECT_OPENAI_CHAT;

	(void)state;
	sse(chat,
	    D("{\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":26,\"completion_tokens\":12,"
	      "\"prompt_tokens_details\":{\"cached_tokens\":25}}}") DONE,
	    ".. model=m in=26 out=12 cached=25 done");
	/* continuous usage: the last one stands; null says nothing */
	sse(chat,
	    D("{\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}")
		    D("{\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}")
			    D("{\"usage\":null}"),
	    "... in=5 out=2");
	/* llama.cpp without usage: prompt_n leaves out what came from the cache */
	sse(chat, D("{\"timings\":{\"cache_n\":25,\"prompt_n\":1,\"predicted_n\":12}}"),
	    ". in=26 out=12 cached=25");
	sse(chat, D("{\"timings\":{\"prompt_n\":3,\"predicted_n\":1}}"), ". out=1");
	/* usage before timings, in any order */
	sse(chat,
	    D("{\"timings\":{\"cache_n\":9,\"prompt_n\":9,\"predicted_n\":12},"
	      "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":8}}"),
	    ". in=7 out=8 cached=9");
	json(chat,
	     "{\"choices\":[{\"finish_reason\":\"stop\",\"index\":0,\"message\":{\"content\":\"x\"}}],"
	     "\"model\":\"a/b\",\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}",
	     "model=a/b finish=stop in=1 out=2");
	json(DIALECT_OPENAI_EMBEDDINGS,
	     "{\"data\":[{\"index\":0}],\"usage\":{\"prompt_tokens\":8}}", "in=8");
	/* not whole numbers: not known */
	json(chat, "{\"usage\":{\"prompt_tokens\":1.5,\"completion_tokens\":-2}}", "");
	json(chat, "{\"usage\":{\"prompt_tokens\":\"5\",\"completion_tokens\":1e3}}", "");
	json(chat, "{\"usage\":{\"prompt_tokens\":9223372036854775808}}", "");
	json(chat, "{\"usage\":{\"prompt_tokens\":0,\"completion_tokens\":0}}", "in=0 out=0");
	/* too large for a count, or for a sum of counts */
	json(chat, "{\"usage\":{\"prompt_tokens\":1099511627777,\"completion_tokens\":1}}",
	     "out=1");
	json(DIALECT_ANTHROPIC,
	     "{\"usage\":{\"input_tokens\":1099511627776,\"cache_read_input_tokens\":1099511627776,"
	     "\"cache_creation_input_tokens\":9223372036854775807}}",
	     "in=2199023255552 cached=1099511627776");
}

static void test_chat_choices(void **state)
{
	const enum dialect chat = DIALECT_OPENAI_CHAT;

	(void)state;
#define CHOICE(index, text) "{\"index\":" #index ",\"delta\":{\"content\":\"" text "\"}}"
	sse(chat, D("{\"choices\":[" CHOICE(1, "a") "]}"), "c2");
	sse(chat, D("{\"choices\":[" CHOICE(0, "a") "," CHOICE(2, "b") "]}"), "c5");
	sse(chat, D("{\"choices\":[" CHOICE(0, "") "," CHOICE(1, "b") "]}"), "c2");
	sse(chat, D("{\"choices\":[" CHOICE(7, "a") "]}") D("{\"choices\":[" CHOICE(99, "a") "]}"),
	    "c80c80");
	sse(chat, D("{\"choices\":[{\"delta\":{\"content\":\"x\"},\"index\":3}]}"), "c8");
	sse(chat, D("{\"choices\":[{\"delta\":{\"content\":\"x\"}}]}"), "c");
	/* an index of an earlier choice does not stick */
	sse(chat, D("{\"choices\":[" CHOICE(1, "a") ",{\"delta\":{\"content\":\"x\"}}]}"), "c3");
}

static void test_completion(void **state)
{
	const enum dialect d = DIALECT_OPENAI_COMPLETION;

	(void)state;
	sse(d,
	    D("{\"choices\":[{\"text\":\"a\",\"index\":0,\"finish_reason\":null}]}")
		    D("{\"choices\":[{\"text\":\"\",\"index\":0,\"finish_reason\":\"length\"}]}")
			    DONE,
	    "c.. finish=length done");
	sse(d, D("{\"choices\":[{\"index\":1,\"text\":\"a\"}]}"), "c2");
	sse(d, DELTA("\"content\":\"a\""), ".");
}

static void test_responses(void **state)
{
	const enum dialect d = DIALECT_OPENAI_RESPONSES;

	(void)state;
	sse(d, D("{\"type\":\"response.output_text.delta\",\"delta\":\"a\"}"), "c");
	sse(d, D("{\"delta\":\"a\",\"type\":\"response.output_text.delta\"}"), "c");
	sse(d, D("{\"type\":\"response.reasoning_summary_text.delta\",\"delta\":\"a\"}"), "c");
	sse(d, D("{\"type\":\"response.function_call_arguments.delta\",\"delta\":\"{\"}"), "c");
	sse(d, D("{\"type\":\"response.output_text.delta\",\"delta\":\"\"}"), ".");
	sse(d, D("{\"type\":\"response.output_text.done\",\"text\":\"ab\"}"), ".");
	sse(d, D("{\"type\":\"response.content_part.added\",\"part\":{\"text\":\"ab\"}}"), ".");
	sse(d,
	    D("{\"type\":\"response.created\",\"response\":{\"model\":\"m\",\"status\":\"queued\"}}")
		    D("{\"type\":\"response.completed\",\"response\":{\"status\":\"completed\","
		      "\"usage\":{\"input_tokens\":36,\"input_tokens_details\":{\"cached_tokens\":16},"
		      "\"output_tokens\":20}}}"),
	    ".. model=m finish=completed in=36 out=20 cached=16 done");
	/* the reason says more than the status, whichever comes first */
	sse(d,
	    D("{\"type\":\"response.incomplete\",\"response\":{\"incomplete_details\":"
	      "{\"reason\":\"content_filter\"},\"status\":\"incomplete\"}}"),
	    ". finish=content_filter done");
	sse(d, D("{\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"x\"}}}"),
	    "! error done");
	sse(d, D("{\"type\":\"error\",\"code\":\"server_error\",\"message\":\"x\"}"), "! error");
	json(d,
	     "{\"error\":null,\"model\":\"m\",\"status\":\"incomplete\",\"incomplete_details\":"
	     "{\"reason\":\"max_output_tokens\"},\"usage\":{\"input_tokens\":1,\"output_tokens\":2}}",
	     "model=m finish=max_output_tokens in=1 out=2");
}

static void test_anthropic(void **state)
{
	const enum dialect d = DIALECT_ANTHROPIC;

	(void)state;
#define BLOCK(delta) D("{\"type\":\"content_block_delta\",\"index\":3,\"delta\":{" delta "}}")
	sse(d, BLOCK("\"type\":\"text_delta\",\"text\":\"a\""), "c");
	sse(d, BLOCK("\"type\":\"thinking_delta\",\"thinking\":\"a\""), "c");
	sse(d, BLOCK("\"type\":\"input_json_delta\",\"partial_json\":\"{\""), "c");
	sse(d, BLOCK("\"type\":\"input_json_delta\",\"partial_json\":\"\""), ".");
	sse(d, BLOCK("\"type\":\"signature_delta\",\"signature\":\"a\""), ".");
	sse(d, "event: ping\n" D("{\"type\": \"ping\"}"), ".");
	sse(d, D("{\"type\":\"content_block_start\",\"content_block\":{\"text\":\"\"}}"), ".");
	/* input = input + cache_read + cache_creation */
	sse(d,
	    D("{\"type\":\"message_start\",\"message\":{\"model\":\"claude\",\"usage\":{"
	      "\"input_tokens\":25,\"cache_creation_input_tokens\":10,"
	      "\"cache_read_input_tokens\":100,\"output_tokens\":1}}}")
		    D("{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},"
		      "\"usage\":{\"output_tokens\":15}}") D("{\"type\":\"message_stop\"}"),
	    "... model=claude finish=end_turn in=135 out=15 cached=100 done");
	json(d,
	     "{\"type\":\"message\",\"model\":\"claude\",\"stop_reason\":\"tool_use\",\"usage\":{"
	     "\"input_tokens\":9,\"cache_creation_input_tokens\":null,"
	     "\"cache_read_input_tokens\":4,\"output_tokens\":5}}",
	     "model=claude finish=tool_use in=13 out=5 cached=4");
	sse(d, "event: error\n" D("{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}"),
	    "! error");
}

static void test_llamacpp(void **state)
{
	const enum dialect d = DIALECT_LLAMACPP;

	(void)state;
	sse(d,
	    D("{\"index\":0,\"content\":\" a\",\"stop\":false,\"tokens_predicted\":1}")
		    D("{\"index\":0,\"content\":\"\",\"stop\":false,\"tokens_predicted\":2}")
			    D("{\"index\":0,\"content\":\"\",\"stop\":true,\"stop_type\":\"eos\","
			      "\"tokens_predicted\":2,\"tokens_cached\":10,\"model\":\"m.gguf\","
			      "\"generation_settings\":{\"stop\":[\"x\"]},"
			      "\"timings\":{\"cache_n\":1,\"prompt_n\":2,\"predicted_n\":2}}"),
	    "c.. model=m.gguf finish=eos in=3 out=2 cached=1 done");
	sse(d, D("{\"content\":\"a\",\"tokens_predicted\":7,\"tokens_evaluated\":3}"), "c out=7");
	/* two prompts in one request: each has numbers of its own, none of them is the sum */
	sse(d,
	    D("{\"index\":0,\"content\":\"a\",\"tokens_predicted\":1}")
		    D("{\"index\":1,\"content\":\"b\",\"tokens_predicted\":1}"),
	    "cc2");
	/* llama.cpp up to 2025: an error in a field of its own */
	sse(d, D("{\"content\":\"a\"}") "error: {\"code\":500,\"message\":\"x\"}\n\n", "c! error");
	json(d, "{\"content\":\"ab\",\"stop\":true,\"stop_type\":\"limit\",\"tokens_predicted\":2}",
	     "finish=limit out=2 done");
}

static void test_ollama(void **state)
{
	const enum dialect d = DIALECT_OLLAMA;

	(void)state;
	ndjson(d,
	       "{\"model\":\"l:1b\",\"message\":{\"role\":\"assistant\",\"content\":\"a\"},\"done\":false}\n"
	       "{\"model\":\"l:1b\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":false}\n"
	       "{\"message\":{\"content\":\"\",\"thinking\":\"b\"},\"done\":false}\n"
	       "{\"message\":{\"content\":\"\",\"tool_calls\":[{\"function\":{}}]},\"done\":false}\r\n"
	       "\n"
	       "{\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\","
	       "\"prompt_eval_count\":26,\"eval_count\":282}\n",
	       "c.cc. model=l:1b finish=stop in=26 out=282 done");
	ndjson(d, "{\"response\":\"a\"}\n{\"response\":\"\"}\n{\"thinking\":\"a\"}", "c.c");
	ndjson(d, "{\"response\":\"a\"}\n{\"error\":\"model runner has stopped\"}\n", "c! error");
	json(d, "{\"response\":\"ab\",\"done\":true,\"prompt_eval_count\":5,\"eval_count\":2}",
	     "in=5 out=2 done");
}

static void test_tgi(void **state)
{
	const enum dialect d = DIALECT_TGI;

	(void)state;
	sse(d,
	    ":\n\n"
	    "data:{\"index\":1,\"token\":{\"text\":\"a\"},\"generated_text\":null,\"details\":null}\n\n"
	    "data:{\"index\":2,\"token\":{\"text\":\"\"},\"generated_text\":\"a\",\"details\":{"
	    "\"finish_reason\":\"eos_token\",\"generated_tokens\":2,\"input_length\":7}}\n\n",
	    "cc finish=eos_token in=7 out=2 done");
	sse(d, "data:{\"error\":\"x\",\"error_type\":\"generation\"}\n\n", "! error");
	json(d,
	     "[{\"generated_text\":\"\",\"details\":{\"finish_reason\":\"length\",\"generated_tokens\":3}}]",
	     "finish=length out=3 done");
	json(DIALECT_SGLANG, "{\"generated_text\":\"a\",\"details\":{\"generated_tokens\":3}}",
	     "out=3 done");
}

static void test_kserve(void **state)
{
	const enum dialect d = DIALECT_KSERVE;

	(void)state;
	sse(d,
	    D("{\"model_name\":\"tiny\",\"text_output\":\"A\"}")
		    D("{\"model_name\":\"tiny\",\"text_output\":\"\"}"),
	    "c. model=tiny");
	json(d, "{\"model_name\":\"tiny\",\"outputs\":[{\"data\":[1]}]}", "model=tiny");
	json(d, "{\"error\":\"unknown model\"}", "error");
}

static void test_sglang(void **state)
{
	const enum dialect d = DIALECT_SGLANG;

	(void)state;
#define TEXT(text, n, more)   \
	D("{\"text\":\"" text \
	  "\",\"meta_info\":{\"prompt_tokens\":6,\"completion_tokens\":" #n more "}}")
	/* cumulative: content where the text or the count has grown (a token may add no text yet) */
	sse(d,
	    TEXT("A", 1, "") TEXT("A b", 3, "") TEXT("A b", 4, "")
		    TEXT("A b", 4, ",\"cached_tokens\":2,\"finish_reason\":{\"type\":\"length\"}")
			    DONE,
	    "ccc.. finish=length in=6 out=4 cached=2 done");
	/* --incremental-streaming-output: deltas, the next one no longer than the last */
	sse(d, TEXT("abc", 1, "") TEXT("de", 2, "") TEXT("", 2, ""), "cc. in=6 out=2");
	sse(d, D("{\"text\":\"A\"}") D("{\"text\":\"A\"}") D("{\"text\":\"AB\"}"), "c.c");
	/* choices grow apart */
	sse(d,
	    D("{\"text\":\"AB\",\"index\":0}") D("{\"text\":\"A\",\"index\":1}")
		    D("{\"text\":\"AB\",\"index\":0}") D("{\"index\":1,\"text\":\"AB\"}"),
	    "cc2.c2");
	json(DIALECT_OPENAI_CHAT, "{\"object\":\"error\",\"message\":\"too long\",\"code\":400}",
	     "error");
}

static void test_errors(void **state)
{
	(void)state;
	for (enum dialect d = DIALECT_NONE; d < DIALECT_MAX; d++) {
		json(d, "{\"error\":{\"message\":\"x\"}}", "error");
		json(d, "{\"error\":\"x\"}", "error");
		json(d, "{\"error\":null}", "");
		json(d, "{\"error\":\"\"}", "");
		json(d, "{\"error\":{}}", "");
		json(d, "{\"x\":{\"error\":\"x\"}}", "");
		sse(d, D("{\"error\":{\"message\":\"x\"}}") DONE, "!. error done");
	}
}

/* The facts can be asked for at any time: a client that leaves early must not cost what is known. */
static void test_facts_so_far(void **state)
{
	static const char first[] = D("{\"model\":\"m\",\"usage\":{\"prompt_tokens\":3}}");
	static const char rest[] = "data: {\"usage\":{\"completion_tokens\":2}}\n";
	struct answer *a = answer_new(DIALECT_OPENAI_CHAT, true, BODY_SSE, NULL, NULL);

	(void)state;
	assert_non_null(a);
	assert_int_equal(answer_facts(a)->input_tokens, -1);
	answer_feed(a, (const uint8_t *)first, sizeof(first) - 1);
	assert_string_equal(answer_facts(a)->model, "m");
	assert_int_equal(answer_facts(a)->input_tokens, 3);
	assert_int_equal(answer_facts(a)->output_tokens, -1);
	answer_feed(a, (const uint8_t *)rest, sizeof(rest) - 1);
	assert_int_equal(answer_facts(a)->events, 1); /* its blank line is still to come */
	answer_feed(a, (const uint8_t *)"\n", 1);
	assert_int_equal(answer_facts(a)->events, 2);
	assert_int_equal(answer_facts(a)->output_tokens, 2);
	answer_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chat_content), cmocka_unit_test(test_chat_numbers),
		cmocka_unit_test(test_chat_choices), cmocka_unit_test(test_completion),
		cmocka_unit_test(test_responses),    cmocka_unit_test(test_anthropic),
		cmocka_unit_test(test_llamacpp),     cmocka_unit_test(test_ollama),
		cmocka_unit_test(test_tgi),	     cmocka_unit_test(test_kserve),
		cmocka_unit_test(test_sglang),	     cmocka_unit_test(test_errors),
		cmocka_unit_test(test_facts_so_far),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
