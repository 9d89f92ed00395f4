// SPDX-License-Identifier: Apache-2.0
/* Bodies that are not whole: gaps, ends in the middle, bytes that are no JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "wire_answer_record.h"

#define A    "{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}"
#define D(x) "data: " x "\n\n"

static void sse(const char *body, const char *want)
{
	check_body(DIALECT_OPENAI_CHAT, true, BODY_SSE, body, want);
}

static void json(const char *body, const char *want)
{
	check_body(DIALECT_OPENAI_CHAT, true, BODY_JSON, body, want);
}

static void ndjson(const char *body, const char *want)
{
	check_body(DIALECT_OLLAMA, true, BODY_NDJSON, body, want);
}

static void test_sse_gap(void **state)
{
	(void)state;
	/* the event with the gap is lost, the next one is read */
	sse(D(A) "data: {\"choices\":[{\"delta\":{\"con~\":\"x\"}}]}\n\n" D(A), "c~c lost");
	sse(D(A) "data: {\"model\":\"ev~il\"}\n\n" D("{\"model\":\"m\"}"), "c~. model=m lost");
	sse("dat~{\"model\":\"evil\"}\n\n" D(A), "~c lost");
	sse(D(A) "~" D(A) D(A), "c~c lost"); /* the first after the gap may be the end of another */
	sse(D(A) "~~ \n\n" D(A), "c~~c lost");
	/* a gap in the marker, and behind it */
	sse(D(A) "data: [DO~NE]\n\n", "c~ lost");
	sse(D("[DONE]") "~", ".~ done lost");
	/* what was said before stays said */
	sse(D("{\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}") "~",
	    ".~ in=3 out=1 lost");
	/* the state of the lost event does not leak into the next */
	sse("error: {\"x\":~1}\n\n" D(A), "~c lost");
	sse("data: {\"choices\":[{\"index\":3,\"delta\":{\"content\":\"x\"~}}]}\n\n" D(A),
	    "~c lost");
	sse("data: {\"error\":1,~}\n\n" D(A), "~c lost");
}

static void test_ndjson_gap(void **state)
{
	(void)state;
	ndjson("{\"response\":\"a\"}\n{\"resp~onse\":\"b\"}\n{\"response\":\"c\"}\n", "c~c lost");
	ndjson("{\"response\":\"a\"}\n~{\"response\":\"b\"}\n{\"response\":\"c\"}", "c~c lost");
	ndjson("{\"response\":\"a\"}~\n{\"response\":\"c\",\"done\":true}\n", "~c done lost");
	ndjson("{\"response\":\"a\"}\n~{\"response\":\"b\"}", "c~ lost");
}

static void test_json_gap(void **state)
{
	(void)state;
	json("{\"model\":\"m\",\"choices\":[~],\"usage\":{\"prompt_tokens\":3}}", "~ model=m lost");
	json("~{\"model\":\"m\"}", "~ lost");
	json("{\"model\":\"m\"}~", "~ model=m lost");
	check_body(DIALECT_OPENAI_CHAT, false, BODY_JSON, "{\"model\":\"m\",~\"stream\":true}",
		   "~ model=m lost");
}

static void test_ends(void **state)
{
	(void)state;
	/* an event whose blank line never came counts if it is whole */
	sse("data: " A, "c");
	sse("data: " A "\n", "c");
	sse("data: [DONE]", ". done");
	sse("data: [DON", "lost");
	sse("data: {\"choices\":[{\"delta\":{\"content\":\"a\"", "lost");
	sse(D(A) "data:", "c");
	sse(D(A) "da", "c");
	sse(D(A) "event: x\n", "c");
	ndjson("{\"response\":\"a\"}\n{\"response\":\"b\"}", "cc");
	ndjson("{\"response\":\"a\"}\n{\"response\":\"b\"", "c lost");
	ndjson("{\"response\":\"a\"}\n \t\r\n\n", "c");
	json("{\"model\":\"m\"", "model=m lost");
	json("  ", "");
	json("{\"model\":\"m\"} {}", "model=m lost");
	json("12", "");
}

static void test_malformed(void **state)
{
	(void)state;
	/* an event that is no JSON is an event, but says nothing */
	sse(D("hello") D(A), ".c lost");
	sse(D("{'choices':1}") D("{\"model\":\"m\"}"), ".. model=m lost");
	sse(D("{\"error\":1") D(A), ".c lost");
	sse(D("{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}}") D(A), ".c lost");
	sse(D("[DONE") D("[DONE]x") D(A), "..c lost");
	sse(D("[DONE][DONE]"), ". lost");
	sse(D(" [DONE]\t "), ". done");
	sse("data: [DO\ndata: NE]\n\n", ". lost"); /* lines are joined by a line feed */
	sse(D("[]") D("[1]"), "..");
	sse("data: {\"choices\":\ndata: [{\"delta\":{\"content\":\"a\"}}]}\n\n", "c");
	sse("data:\n\n" D(A), "c");
	ndjson("hello\n{\"response\":\"b\"}\n", ".c lost");
	json("<html>", "lost");
	json("{\"model\":\"m\",}", "model=m lost");
}

/* Nesting beyond what the scanner follows is out of sync, not a guess. */
static void test_depth(void **state)
{
	char body[256] = "data: {\"x\":";
	size_t at = strlen(body);

	(void)state;
	memset(body + at, '[', 64);
	memset(body + at + 64, ']', 64);
	strcpy(body + at + 128, "}\n\n" D(A));
	sse(body, ".c lost");
	memmove(body + at + 63, body + at + 65, strlen(body + at + 65) + 1);
	sse(body, ".c");
}

static void test_not_looked_into(void **state)
{
	(void)state;
	check_body(DIALECT_OPENAI_CHAT, true, BODY_OTHER, "{\"model\":\"m\",~ " A, "~ lost");
	check_body(DIALECT_OPENAI_CHAT, true, BODY_OTHER, "{\"model\":", "");
	check_body(DIALECT_NONE, true, BODY_JSON, "{\"model\":\"m\"}", "");
	answer_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sse_gap),		cmocka_unit_test(test_ndjson_gap),
		cmocka_unit_test(test_json_gap),	cmocka_unit_test(test_ends),
		cmocka_unit_test(test_malformed),	cmocka_unit_test(test_depth),
		cmocka_unit_test(test_not_looked_into),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
