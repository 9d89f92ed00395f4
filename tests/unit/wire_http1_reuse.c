// SPDX-License-Identifier: Apache-2.0
/* One parser for many messages: nothing of one message reaches the next, nor survives a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "wire/http1.h"

struct seen {
	int heads, ends;
	size_t body;
	char request_id[HTTP1_ID_MAX + 1];
};

static int on_head(void *ctx, const struct http1_head *h)
{
	struct seen *s = ctx;

	s->heads++;
	strcpy(s->request_id, h->request_id);
	return HTTP1_BODY_NORMAL;
}

static void on_body(void *ctx, const uint8_t *data, size_t len)
{
	(void)data;
	((struct seen *)ctx)->body += len;
}

static void on_body_gap(void *ctx, uint64_t len)
{
	(void)ctx;
	(void)len;
}

static void on_end(void *ctx, enum http1_end how)
{
	((struct seen *)ctx)->ends += how == HTTP1_END_COMPLETE;
}

static const struct http1_events events = {
	.head = on_head, .body = on_body, .body_gap = on_body_gap, .end = on_end
};

static int feed(struct http1 *p, const char *text, size_t len)
{
	return http1_feed(p, (const uint8_t *)text, len);
}

static const char chunked[] = "HTTP/1.1 200 OK\r\nX-Request-Id: first\r\n folded\r\n"
			      "Transfer-Encoding: gzip, chunked\r\n\r\n"
			      "10;ext=1\r\n0123456789abcdef\r\n1\r\nx\r\n0\r\nTrailer: t\r\n\r\n";

/* Left anywhere, by a restart or by the sender's end: the next message is read as if it were the first. */
static void test_leave_anywhere(void **state)
{
	(void)state;
	for (size_t cut = 0; cut < 2 * sizeof(chunked); cut++) {
		size_t len = cut / 2;
		struct seen s = { 0 };
		struct http1 p;

		http1_init(&p, HTTP1_RESPONSE, &events, &s);
		assert_int_equal(feed(&p, chunked, len < sizeof(chunked) ? len : 0), 0);
		if (cut % 2)
			http1_restart(&p);
		else
			http1_eof(&p);
		assert_true(http1_idle(&p));
		s = (struct seen){ 0 };
		assert_int_equal(feed(&p, chunked, sizeof(chunked) - 1), 0);
		assert_int_equal(s.heads, 1);
		assert_int_equal(s.ends, 1);
		assert_int_equal(s.body, 17);
	}
}

/* HTTP1_BLOCK_MAX is for one header block, not for all that a connection sees. */
static void test_many_messages(void **state)
{
	static const char request[] =
		"POST /x HTTP/1.1\r\nCookie: 0123456789abcdef0123456789abcdef\r\n"
		"Content-Length: 1\r\n\r\nx";
	const int count = 2 * HTTP1_BLOCK_MAX / (int)sizeof(request);
	struct seen s = { 0 };
	struct http1 p;

	(void)state;
	http1_init(&p, HTTP1_REQUEST, &events, &s);
	for (int i = 0; i < count; i++)
		assert_int_equal(feed(&p, request, sizeof(request) - 1), 0);
	assert_int_equal(s.heads, count);
	assert_int_equal(s.ends, count);
	assert_int_equal(s.body, count);
}

/* As many chunk extensions and trailers as may be; one message's do not count for the next. */
static void test_many_chunks(void **state)
{
	static const char chunk[] = "1;ext=0123456789abcdef0123456789abcdef\r\nx\r\n";
	const int count = 2 * HTTP1_BLOCK_MAX / (int)sizeof(chunk);
	struct seen s = { 0 };
	struct http1 p;

	(void)state;
	http1_init(&p, HTTP1_RESPONSE, &events, &s);
	assert_int_equal(feed(&p, chunked, strstr(chunked, "10;") - chunked), 0);
	for (int i = 0; i < count; i++)
		assert_int_equal(feed(&p, chunk, sizeof(chunk) - 1), 0);
	assert_int_equal(feed(&p, "0\r\n\r\n", 5), 0);
	assert_int_equal(s.ends, 1);
	assert_int_equal(s.body, count);
}

/* What a second header line, or message, does not say is not taken from the first. */
static void test_request_ids(void **state)
{
	static const char twice[] = "GET / HTTP/1.1\r\nX-Request-Id: a longer one\r\n"
				    "X-Request-Id: b c\r\n\r\n";
	static const char none[] = "GET / HTTP/1.1\r\n\r\n";
	struct seen s = { 0 };
	struct http1 p;

	(void)state;
	http1_init(&p, HTTP1_REQUEST, &events, &s);
	assert_int_equal(feed(&p, twice, sizeof(twice) - 1), 0);
	assert_string_equal(s.request_id, "b c");
	assert_int_equal(feed(&p, none, sizeof(none) - 1), 0);
	assert_string_equal(s.request_id, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leave_anywhere),
		cmocka_unit_test(test_many_messages),
		cmocka_unit_test(test_many_chunks),
		cmocka_unit_test(test_request_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
