// SPDX-License-Identifier: Apache-2.0
/* The first bytes of a stream, and the path of a request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire/classify.h"
#include "wire/route.h"

/* `full` decides; every shorter prefix asks for more. */
static void check_decided_at(const char *full, size_t len, enum protocol want)
{
	for (size_t n = 0; n < len; n++)
		assert_int_equal(classify_bytes((const uint8_t *)full, n), PROTOCOL_MORE);
	assert_int_equal(classify_bytes((const uint8_t *)full, len), want);
}

static void test_protocols(void **state)
{
	(void)state;
	check_decided_at("POST /", 6, PROTOCOL_HTTP1_REQUEST);
	check_decided_at("PUT /", 5, PROTOCOL_HTTP1_REQUEST);
	check_decided_at("PATCH /", 7, PROTOCOL_HTTP1_REQUEST);
	check_decided_at("GET h", 5, PROTOCOL_HTTP1_REQUEST);
	check_decided_at("OPTIONS *", 9, PROTOCOL_HTTP1_REQUEST);
	check_decided_at("CONNECT a", 9, PROTOCOL_HTTP1_REQUEST);
	check_decided_at("HTTP/1.1", 8, PROTOCOL_HTTP1_RESPONSE);
	check_decided_at("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24, PROTOCOL_HTTP2);
	check_decided_at("\x16\x03\x01\x02\x00\x01", 6, PROTOCOL_TLS);
	check_decided_at("\x16\x03\x03\x00\x7a\x02", 6, PROTOCOL_TLS);
	check_decided_at("\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f", 10, PROTOCOL_ZMTP);
	assert_int_equal(
		classify_bytes((const uint8_t *)"POST /v1/chat/completions HTTP/1.1", CLASSIFY_MAX),
		PROTOCOL_HTTP1_REQUEST);
}

static void test_unknown_bytes(void **state)
{
	static const char *const texts[] = {
		"X",	     "POS /",	 "POSTS /",
		"POST  /",   "POST x",	 "post /",
		"HTTP/2",    "HTTP/1.x", "PRI * HTTP/2.1\r\n",
		"\x16\x02",  "\x17",	 "\x16\x03\x05",
		"GETX",	     "GET \x01", "\xff...........",
		"{\"a\":1}", "\n\n",
	};
	static const uint8_t tls_too_long[] = { 0x16, 3, 1, 0x40, 0x01, 1 };
	static const uint8_t tls_no_hello[] = { 0x16, 3, 1, 0, 0x20, 11 };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_int_equal(classify_bytes((const uint8_t *)texts[i], strlen(texts[i])),
				 PROTOCOL_UNKNOWN);
	assert_int_equal(classify_bytes((const uint8_t *)"\0", 1), PROTOCOL_UNKNOWN);
	assert_int_equal(classify_bytes((const uint8_t *)"GET \0", 5), PROTOCOL_UNKNOWN);
	assert_int_equal(classify_bytes(tls_too_long, sizeof(tls_too_long)), PROTOCOL_UNKNOWN);
	assert_int_equal(classify_bytes(tls_no_hello, sizeof(tls_no_hello)), PROTOCOL_UNKNOWN);
}

static void test_no_prefix_waits_beyond_the_maximum(void **state)
{
	static const uint8_t tls[CLASSIFY_MAX] = { 0x16, 3 };
	uint8_t data[CLASSIFY_MAX];

	(void)state;
	for (int first = 0; first < 256; first++) {
		memset(data, first, sizeof(data));
		assert_int_not_equal(classify_bytes(data, sizeof(data)), PROTOCOL_MORE);
	}
	assert_int_not_equal(classify_bytes(tls, sizeof(tls)), PROTOCOL_MORE);
}

static void test_protocol_names(void **state)
{
	(void)state;
	assert_string_equal(protocol_name(PROTOCOL_HTTP1_REQUEST), "http1");
	assert_string_equal(protocol_name(PROTOCOL_HTTP1_RESPONSE), "http1");
	assert_string_equal(protocol_name(PROTOCOL_TLS), "tls");
	assert_string_equal(protocol_name(PROTOCOL_HTTP2), "http2");
	assert_string_equal(protocol_name(PROTOCOL_ZMTP), "zmtp");
	assert_string_equal(protocol_name(PROTOCOL_UNKNOWN), "unknown");
	assert_string_equal(protocol_name(PROTOCOL_MORE), "unknown");
}

static void test_method_names(void **state)
{
	(void)state;
	assert_string_equal(http1_method_name(HTTP1_POST), "POST");
	assert_string_equal(http1_method_name(HTTP1_CONNECT), "CONNECT");
	assert_string_equal(http1_method_name(HTTP1_METHOD_OTHER), "_OTHER");
	assert_string_equal(http1_method_name(99), "_OTHER");
}

static void test_routes(void **state)
{
	static const struct {
		const char *path, *pattern, *operation, *provider, *model;
		enum dialect dialect;
	} cases[] = {
		{ "/v1/chat/completions", "/v1/chat/completions", "chat", "openai", "",
		  DIALECT_OPENAI_CHAT },
		{ "/v1/chat/completions/", "/v1/chat/completions", "chat", "openai", "",
		  DIALECT_OPENAI_CHAT },
		{ "/v1/completions", "/v1/completions", "text_completion", "openai", "",
		  DIALECT_OPENAI_COMPLETION },
		{ "/v1/responses", "/v1/responses", "chat", "openai", "",
		  DIALECT_OPENAI_RESPONSES },
		{ "/v1/embeddings", "/v1/embeddings", "embeddings", "openai", "",
		  DIALECT_OPENAI_EMBEDDINGS },
		{ "/v1/messages", "/v1/messages", "chat", "anthropic", "", DIALECT_ANTHROPIC },
		{ "/completion", "/completion", "text_completion", NULL, "", DIALECT_LLAMACPP },
		{ "/api/chat", "/api/chat", "chat", NULL, "", DIALECT_OLLAMA },
		{ "/", "/", "text_completion", NULL, "", DIALECT_TGI },
		{ "/generate_stream", "/generate_stream", "text_completion", NULL, "",
		  DIALECT_TGI },
		{ "/generate", "/generate", "text_completion", NULL, "", DIALECT_SGLANG },
		{ "/rerank", "/rerank", "rerank", NULL, "", DIALECT_OPENAI_EMBEDDINGS },
		{ "/v2/models/m.1/generate_stream", "/v2/models/{model}/generate_stream",
		  "text_completion", NULL, "m.1", DIALECT_KSERVE },
		{ "/v2/models/abcdefghijklmnop/versions/3/infer/",
		  "/v2/models/{model}/versions/{version}/infer", "infer", NULL, "abcdefg",
		  DIALECT_KSERVE },
		{ "/predictions/m", "/predictions/{model}", "predict", NULL, "m", DIALECT_NONE },
		{ "/predictions/m/2.0", "/predictions/{model}/{version}", "predict", NULL, "m",
		  DIALECT_NONE },
	};
	char model[8];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct route *r =
			route_match(HTTP1_POST, cases[i].path, model, sizeof(model));

		assert_non_null(r);
		assert_string_equal(r->pattern, cases[i].pattern);
		assert_string_equal(r->operation, cases[i].operation);
		assert_int_equal(r->dialect, cases[i].dialect);
		assert_string_equal(model, cases[i].model);
		assert_int_equal(!r->provider, !cases[i].provider);
		if (r->provider)
			assert_string_equal(r->provider, cases[i].provider);
		assert_ptr_equal(route_match(HTTP1_POST, cases[i].path, NULL, 0), r);
	}
}

static void test_not_routes(void **state)
{
	static const char *const paths[] = {
		"",
		"*",
		"/v1/chat/completions//",
		"/v1/chat/completions/x",
		"/v1/chat/completion",
		"/v1/chat/completionsx",
		"/V1/chat/completions",
		"/x/v1/chat/completions",
		"v1/chat/completions",
		"/v1/messages/count_tokens",
		"/tokenize",
		"/health_generate",
		"/v1/chat/completions/render",
		"/v1/completions/render",
		"/metrics",
		"/v1/models",
		"/v2/models//infer",
		"/v2/models/m",
		"/v2/models/a/b/infer",
		"/v2/models/m/versions//infer",
		"/predictions/",
	};
	char model[8] = "before", four[4];

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		assert_null(route_match(HTTP1_POST, paths[i], model, sizeof(model)));
		assert_string_equal(model, "");
	}
	/* a name as long as the buffer leaves no room for its end */
	assert_non_null(route_match(HTTP1_POST, "/predictions/abcd", four, sizeof(four)));
	assert_string_equal(four, "abc");
	assert_null(route_match(HTTP1_GET, "/v1/chat/completions", NULL, 0));
	assert_null(route_match(HTTP1_OPTIONS, "/v1/chat/completions", NULL, 0));
	assert_null(route_match(HTTP1_PUT, "/v1/chat/completions", NULL, 0));
	assert_null(route_match(HTTP1_METHOD_OTHER, "/", NULL, 0));
	assert_null(route_match(HTTP1_GET, "/", NULL, 0));
	assert_non_null(route_match(HTTP1_PUT, "/generate", NULL, 0));
}

/* Whatever the table grows to: templates find themselves, and no two are the same. */
static void test_every_template_finds_itself(void **state)
{
	static const char *const patterns[] = {
#define ROUTE(pattern, methods, dialect, operation, provider) pattern,
#include "wire/routes.def"
#undef ROUTE
	};

	(void)state;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++) {
		const struct route *r = route_match(HTTP1_POST, patterns[i], NULL, 0);

		assert_non_null(r);
		assert_string_equal(r->pattern, patterns[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_protocols),
		cmocka_unit_test(test_unknown_bytes),
		cmocka_unit_test(test_no_prefix_waits_beyond_the_maximum),
		cmocka_unit_test(test_protocol_names),
		cmocka_unit_test(test_method_names),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_not_routes),
		cmocka_unit_test(test_every_template_finds_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
