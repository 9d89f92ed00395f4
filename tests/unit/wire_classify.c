// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/classify.h"

/* In memory of its own, so that a sanitizer sees reads beyond len. */
static enum protocol classify(const char *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	enum protocol p;

	assert_non_null(copy);
	memcpy(copy, data, len);
	p = classify_bytes(copy, len);
	free(copy);
	return p;
}

/* MORE before `decided` bytes, `want` from there on. */
static void check_bytes(const char *data, size_t len, enum protocol want, size_t decided)
{
	assert_in_range(decided, 1, CLASSIFY_MAX);
	assert_in_range(decided, 1, len);
	for (size_t n = 0; n <= len; n++)
		if (classify(data, n) != (n < decided ? PROTOCOL_MORE : want))
			fail_msg("'%s': %d after %zu bytes", data, classify(data, n), n);
}

#define CHECK(literal, want, decided) \
	check_bytes(literal, sizeof(literal) - 1, PROTOCOL_##want, decided)

static void test_requests(void **state)
{
	(void)state;
	CHECK("GET / HTTP/1.1\r\n", HTTP1_REQUEST, 5);
	CHECK("HEAD /x HTTP/1.1\r\n", HTTP1_REQUEST, 6);
	CHECK("POST /v1/chat/completions HTTP/1.1\r\n", HTTP1_REQUEST, 6);
	CHECK("PUT /generate HTTP/1.1\r\n", HTTP1_REQUEST, 5);
	CHECK("PATCH /x HTTP/1.1\r\n", HTTP1_REQUEST, 7);
	CHECK("DELETE /x HTTP/1.0\r\n", HTTP1_REQUEST, 8);
	CHECK("OPTIONS * HTTP/1.1\r\n", HTTP1_REQUEST, 9);
	CHECK("CONNECT proxy:443 HTTP/1.1\r\n", HTTP1_REQUEST, 9);
	CHECK("POST http://host/v1/completions HTTP/1.1\r\n", HTTP1_REQUEST, 6);
	CHECK("GET HTTP://host/ HTTP/1.1\r\n", HTTP1_REQUEST, 5);
}

static void test_no_requests(void **state)
{
	(void)state;
	CHECK("GETS /", UNKNOWN, 4);
	CHECK("GET  /", UNKNOWN, 5);
	CHECK("GET \0", UNKNOWN, 5);
	CHECK("GET x", UNKNOWN, 5);
	CHECK("CONNECT  ", UNKNOWN, 9);
	CHECK("get / HTTP/1.1\r\n", UNKNOWN, 1);
	CHECK("POST\t/", UNKNOWN, 5);
	CHECK("PRINT", UNKNOWN, 4);
}

static void test_responses(void **state)
{
	(void)state;
	CHECK("HTTP/1.1 200 OK\r\n", HTTP1_RESPONSE, 8);
	CHECK("HTTP/1.0 404 Not Found\r\n", HTTP1_RESPONSE, 8);
	CHECK("HTTP/2 200\r\n", UNKNOWN, 6);
	CHECK("HTTP/1.x 200\r\n", UNKNOWN, 8);
	CHECK("HTTPS", UNKNOWN, 5);
}

static void test_tls(void **state)
{
	(void)state;
	CHECK("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", TLS, 6); /* client hello */
	CHECK("\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03", TLS, 6); /* server hello */
	CHECK("\x16\x03\x04\x40\x00\x01", TLS, 6);
	CHECK("\x16\x03\x01\x40\x01\x01", UNKNOWN, 5); /* longer than a record may be */
	CHECK("\x16\x03\x01\x00\x03\x01", UNKNOWN, 5); /* shorter than a handshake header */
	CHECK("\x16\x03\x05\x00\x7a\x01", UNKNOWN, 3);
	CHECK("\x16\x02\x01\x00\x7a\x01", UNKNOWN, 2);
	CHECK("\x16\x03\x01\x00\x7a\x0b", UNKNOWN, 6); /* a certificate: not a first message */
	CHECK("\x17\x03\x03\x00\x20", UNKNOWN, 1);     /* application data: not a first record */
	CHECK("\x15\x03\x03\x00\x02", UNKNOWN, 1);     /* alert */
}

static void test_http2(void **state)
{
	(void)state;
	CHECK("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP2, 24);
	CHECK("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x12\x04", HTTP2, 24);
	CHECK("PRI * HTTP/2.0\r\n\r\nSM\r\nx", UNKNOWN, 23);
	CHECK("PRI * HTTP/1.1\r\n", UNKNOWN, 12);
}

static void test_zmtp(void **state)
{
	(void)state;
	CHECK("\xff\x00\x00\x00\x00\x00\x00\x00\x00\x7f\x03\x00NULL", ZMTP, 10);
	CHECK("\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f", ZMTP,
	      10); /* as version 1 peers need it */
	CHECK("\xff\x00\x00\x00\x00\x00\x00\x00\x00\x7e", UNKNOWN, 10);
}

static void test_unknown(void **state)
{
	(void)state;
	CHECK("\x00", UNKNOWN, 1);
	CHECK("SSH-2.0-OpenSSH_9.2\r\n", UNKNOWN, 1);
	CHECK("*1\r\n$4\r\nPING\r\n", UNKNOWN, 1);
	CHECK("{\"model\":\"m\"}", UNKNOWN, 1);
	CHECK("\r\nGET / HTTP/1.1\r\n", UNKNOWN, 1);
}

static void test_names(void **state)
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),  cmocka_unit_test(test_no_requests),
		cmocka_unit_test(test_responses), cmocka_unit_test(test_tls),
		cmocka_unit_test(test_http2),	  cmocka_unit_test(test_zmtp),
		cmocka_unit_test(test_unknown),	  cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
