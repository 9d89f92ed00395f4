// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "wire/http1.h"

/*
 * What the parser said, as text: "[POST /x 5]" a request head with its length (c: chunked, -1: none), "[200 5]" an
 * answer's, "(100)" an interim one, "~7~" a gap, "<0>" an end and how; body bytes stand as they are.
 */
struct record {
	struct buf out;
	struct http1_head head;
	int reply;
	int ends;
};

static int on_head(void *ctx, const struct http1_head *h)
{
	struct record *r = ctx;

	r->head = *h;
	if (h->status)
		buf_printf(&r->out, "[%d ", h->status);
	else
		buf_printf(&r->out, "[%s %s ", http1_method_name(h->method), h->target);
	if (h->chunked)
		buf_puts(&r->out, "c]");
	else
		buf_printf(&r->out, "%lld]", (long long)h->content_length);
	return r->reply;
}

static void on_interim(void *ctx, int status)
{
	buf_printf(&((struct record *)ctx)->out, "(%d)", status);
}

static void on_body(void *ctx, const uint8_t *data, size_t len)
{
	assert_int_not_equal(len, 0);
	buf_append(&((struct record *)ctx)->out, data, len);
}

static void on_body_gap(void *ctx, uint64_t len)
{
	buf_printf(&((struct record *)ctx)->out, "~%d~", (int)len);
}

static void on_end(void *ctx, enum http1_end how)
{
	struct record *r = ctx;

	r->ends++;
	buf_printf(&r->out, "<%d>", how);
}

static const struct http1_events events = { on_head, on_interim, on_body, on_body_gap, on_end };

static void start(struct http1 *p, struct record *r, enum http1_kind kind)
{
	buf_free(&r->out);
	r->ends = 0;
	buf_puts(&r->out, "");
	http1_init(p, kind, &events, r);
}

static int feed(struct http1 *p, const char *text)
{
	return http1_feed(p, (const uint8_t *)text, strlen(text));
}

/* Feeds text in pieces of `step` bytes after a first one of `first`. */
static int feed_cut(struct http1 *p, const char *text, size_t first, size_t step)
{
	size_t len = strlen(text), n;
	int err = 0;

	for (size_t at = 0; at < len && !err; at += n) {
		n = at ? step : first;
		if (n > len - at)
			n = len - at;
		err = http1_feed(p, (const uint8_t *)text + at, n);
	}
	return err;
}

static void check_once(struct record *r, enum http1_kind kind, const char *text, const char *want,
		       int err, size_t first, size_t step)
{
	struct http1 p;

	start(&p, r, kind);
	assert_int_equal(feed_cut(&p, text, first, step), err);
	assert_int_equal(p.state == HTTP1_S_BROKEN, err != 0);
	http1_eof(&p);
	assert_string_equal(r->out.data, want);
}

/* Whole, in two pieces at every place, and byte by byte. The head of the whole one is left in r. */
static void check_reply(struct record *r, enum http1_kind kind, const char *text, const char *want,
			int err)
{
	check_once(r, kind, text, want, err, 1, 1);
	for (size_t first = 1; first < strlen(text); first++)
		check_once(r, kind, text, want, err, first, strlen(text));
	check_once(r, kind, text, want, err, strlen(text), 1);
	buf_free(&r->out);
}

static struct http1_head check(enum http1_kind kind, const char *text, const char *want)
{
	struct record r = { .reply = HTTP1_BODY_NORMAL };

	check_reply(&r, kind, text, want, 0);
	return r.head;
}

static void check_malformed(enum http1_kind kind, const char *text, const char *want)
{
	struct record r = { .reply = HTTP1_BODY_NORMAL };

	check_reply(&r, kind, text, want, -EPROTO);
}

#define REQ  HTTP1_REQUEST
#define RESP HTTP1_RESPONSE

static void test_bodies(void **state)
{
	(void)state;
	check(REQ, "POST /x HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", "[POST /x 5]hello<0>");
	check(REQ, "GET /x HTTP/1.1\r\n\r\n", "[GET /x -1]<0>");
	check(REQ, "POST /x HTTP/1.1\r\ncontent-length:\t0 \r\n\r\n", "[POST /x 0]<0>");
	check(RESP, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "[200 2]hi<0>");
	check(RESP, "HTTP/1.1 200\r\n\r\nuntil the end", "[200 -1]until the end<1>");
	check(RESP, "HTTP/1.0 200 OK\r\n\r\n", "[200 -1]<1>");
	check(RESP, "HTTP/1.1 204 No Content\r\n\r\n", "[204 -1]<0>");
	check(RESP, "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "[304 9]<0>");
	check(RESP, "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc", "[200 -1]abc<1>");
	check(RESP, "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nhi",
	      "[200 2]hi<0>");
}

static void test_chunked(void **state)
{
	(void)state;
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	check(RESP, CHUNKED "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "[200 c]hello world<0>");
	check(RESP, CHUNKED "00a\r\n0123456789\r\n000\r\n\r\n", "[200 c]0123456789<0>");
	check(RESP, CHUNKED "3;name=value;q=\"x\"\r\nabc\r\n0;last\r\nTrailer: x\r\nB: y\r\n\r\n",
	      "[200 c]abc<0>");
	check(RESP, CHUNKED "3 \r\nabc\r\n0\r\n\r\n", "[200 c]abc<0>");
	check(RESP, CHUNKED "A\nabcdefghij\n0\n\n", "[200 c]abcdefghij<0>");
	check(REQ, "POST / HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
	      "[POST / c]x<0>");
	check_malformed(RESP, CHUNKED "5\r\nhelloX\r\n", "[200 c]hello");
	check_malformed(RESP, CHUNKED "5\r\nhello\r\r\n", "[200 c]hello");
	check_malformed(RESP, CHUNKED "\r\n", "[200 c]");
	check_malformed(RESP, CHUNKED "-1\r\n", "[200 c]");
	check_malformed(RESP, CHUNKED "5x\r\n", "[200 c]");
	check_malformed(RESP, CHUNKED "fffffffffffffffff\r\n", "[200 c]");
	check_malformed(RESP, CHUNKED "8000000000000000\r\n", "[200 c]");
	check(RESP, CHUNKED "7fffffffffffffff\r\nab", "[200 c]ab<2>");
}

static void test_truncated(void **state)
{
	(void)state;
	check(REQ, "POST /x HTTP/1.1\r\nContent-Length: 5\r\n\r\nhell", "[POST /x 5]hell<2>");
	check(RESP, CHUNKED "5\r\nhel", "[200 c]hel<2>");
	check(RESP, CHUNKED "5\r\nhello\r\n0\r\n", "[200 c]hello<2>");
	check(RESP, CHUNKED, "[200 c]<2>");
	check(RESP, "HTTP/1.1 200 OK\r\nContent-", "");
	check(RESP, "HTTP/1.", "");
	check(RESP, "", "");
}

static void test_interim_and_upgrade(void **state)
{
	struct http1_head h;

	(void)state;
	check(RESP,
	      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
	      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
	      "(100)(103)[200 1]x<0>");
	h = check(
		RESP,
		"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n\x81\x05HTTP/1.1 200 OK\r\n",
		"[101 -1]<0>");
	assert_true(h.upgrade);
	h = check(
		REQ,
		"GET /ws HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"[GET /ws -1]<0>");
	assert_true(h.upgrade);
	assert_true(h.keep_alive);
	h = check(
		RESP,
		"HTTP/1.1 426 Upgrade Required\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n",
		"[426 0]<0>");
	assert_false(h.upgrade);
	h = check(REQ, "POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\nx",
		  "[POST / 1]x<0>");
	assert_true(h.expect_continue);
}

static void test_replies(void **state)
{
	struct record r = { .reply = HTTP1_NO_BODY };

	(void)state;
	check_reply(&r, RESP, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/1.1 404 N\r\n\r\n",
		    "[200 5]<0>[404 -1]<0>", 0);
	r.reply = HTTP1_TUNNEL;
	check_reply(&r, RESP, "HTTP/1.1 200 OK\r\n\r\n\x16\x03\x01 anything\r\n\r\n", "[200 -1]<0>",
		    0);
	check_reply(&r, REQ, "CONNECT host:443 HTTP/1.1\r\nHost: host:443\r\n\r\n\x16\x03\x01",
		    "[CONNECT host:443 -1]<0>", 0);
}

static void test_pipelining(void **state)
{
	(void)state;
	check(REQ,
	      "\r\n\nPOST /a HTTP/1.1\r\nContent-Length: 1\r\n\r\n1\r\nGET /b HTTP/1.1\r\n\r\n"
	      "PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n34\r\n0\r\n\r\n\r\n",
	      "[POST /a 1]1<0>[GET /b -1]<0>[PUT /c c]34<0>");
	check_malformed(REQ, "GET /a HTTP/1.1\r\n\r\n\x16\x03\x01\n", "[GET /a -1]<0>");
}

static void test_line_ends_and_folds(void **state)
{
	struct http1_head h;

	(void)state;
	check(REQ, "POST /x HTTP/1.1\nContent-Length: 2\n\nhi", "[POST /x 2]hi<0>");
	check(REQ, "POST /x HTTP/1.1\r\nContent-Length:\r\n  2\r\n\r\nhi", "[POST /x 2]hi<0>");
	h = check(
		RESP,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip,\r\n\tchunked\r\nX: y\r\n\r\n0\r\n\r\n",
		"[200 c]<0>");
	assert_true(h.encoded);
	check_malformed(REQ, "GET / HTTP/1.1\r\n folded: start line\r\n\r\n", "");
	check_malformed(REQ, "GET / HTTP/1.1\r\nno colon\r\n\r\n", "");
	check_malformed(REQ, "GET / HTTP/1.1\r\n: no name\r\n\r\n", "");
	check_malformed(REQ, "GET / HTTP/1.1\r\nContent-Length : 5\r\n\r\n", "");
}

static void test_length_conflicts(void **state)
{
	struct http1_head h;

	(void)state;
#define POST "POST /x HTTP/1.1\r\n"
	h = check(REQ,
		  POST
		  "Content-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
		  "[POST /x c]x<0>");
	assert_int_equal(h.content_length, -1);
	assert_false(h.encoded);
	check(REQ, POST "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi", "[POST /x 2]hi<0>");
	check(REQ, POST "Content-Length: 2, 2\r\n\r\nhi", "[POST /x 2]hi<0>");
	check_malformed(REQ, POST "Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi", "");
	check_malformed(REQ, POST "Content-Length: 2, 3\r\n\r\nhi", "");
	check_malformed(REQ, POST "Content-Length: +2\r\n\r\nhi", "");
	check_malformed(REQ, POST "Content-Length: -2\r\n\r\nhi", "");
	check_malformed(REQ, POST "Content-Length: 2x\r\n\r\nhi", "");
	check_malformed(REQ, POST "Content-Length:\r\n\r\nhi", "");
	check_malformed(REQ, POST "Content-Length: 9223372036854775808\r\n\r\nhi", "");
	check(REQ, POST "Content-Length: 9223372036854775807\r\n\r\nhi",
	      "[POST /x 9223372036854775807]hi<2>");
	check_malformed(REQ, POST "Transfer-Encoding: chunked, gzip\r\n\r\nhi", "");
}

static void test_start_lines(void **state)
{
	static const char *const bad_requests[] = {
		"GET / HTTP/2.0\r\n",	  "GET / HTTP/1.\r\n",	   "GET /\r\n",
		"GET  HTTP/1.1\r\n",	  "G@T / HTTP/1.1\r\n",	   " / HTTP/1.1\r\n",
		"GET /\x01 HTTP/1.1\r\n", "GET /a b HTTP/1.1\r\n", "GET / http/1.1\r\n",
		"PRI * HTTP/2.0\r\n",	  "HTTP/1.1 200 OK\r\n",   "GET\r\n",
	};
	static const char *const bad_answers[] = {
		"HTTP/1.1 20 OK\r\n",  "HTTP/1.1 2000 OK\r\n",
		"HTTP/1.1 099 OK\r\n", "HTTP/1.1  200 OK\r\n",
		"HTTP/2.0 200 OK\r\n", "HTTP/1.1 2x0 OK\r\n",
		"HTTP/1.1\r\n",	       "garbage\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad_requests) / sizeof(*bad_requests); i++)
		check_malformed(REQ, bad_requests[i], "");
	for (size_t i = 0; i < sizeof(bad_answers) / sizeof(*bad_answers); i++)
		check_malformed(RESP, bad_answers[i], "");
	check(REQ, "PURGE /x HTTP/1.1\r\n\r\n", "[_OTHER /x -1]<0>");
	check(REQ, "post /x HTTP/1.1\r\n\r\n", "[_OTHER /x -1]<0>");
}

static void test_targets(void **state)
{
	(void)state;
	check(REQ, "GET /x?key=secret HTTP/1.1\r\n\r\n", "[GET /x -1]<0>");
	check(REQ, "GET /x#f HTTP/1.1\r\n\r\n", "[GET /x -1]<0>");
	check(REQ, "GET http://host:80/v1/x?y HTTP/1.1\r\n\r\n", "[GET /v1/x -1]<0>");
	check(REQ, "GET HTTPS://host/ HTTP/1.1\r\n\r\n", "[GET / -1]<0>");
	check(REQ, "GET http://host HTTP/1.1\r\n\r\n", "[GET / -1]<0>");
	check(REQ, "GET http://host?x=/y HTTP/1.1\r\n\r\n", "[GET / -1]<0>");
	check(REQ, "GET http:// HTTP/1.1\r\n\r\n", "[GET / -1]<0>");
	check(REQ, "OPTIONS * HTTP/1.1\r\n\r\n", "[OPTIONS * -1]<0>");
}

static void test_long_lines(void **state)
{
	char text[8192], target[HTTP1_TARGET_MAX + 8], want[2048], filler[5000];
	struct http1_head h;

	(void)state;
	memset(filler, 'q', sizeof(filler) - 1);
	filler[sizeof(filler) - 1] = '\0';
	snprintf(text, sizeof(text),
		 "POST /v1/x?%s HTTP/1.0\r\nX-Big: %s\r\nContent-Length: 1\r\n\r\nz", filler,
		 filler + 2500);
	h = check(REQ, text, "[POST /v1/x 1]z<0>");
	assert_int_equal(h.minor, 0);

	memset(target, 'a', sizeof(target));
	target[0] = '/';
	target[HTTP1_TARGET_MAX - 1] = '\0';
	memset(text, 'a', 700);
	memcpy(text, "GET /", 5);
	strcpy(text + 700, " HTTP/1.1\r\n\r\n");
	snprintf(want, sizeof(want), "[GET %s -1]<0>", target);
	check(REQ, text, want);

	/* Framing cannot be known without the whole value; other headers may be cut. */
	snprintf(text, sizeof(text), "POST / HTTP/1.1\r\nContent-Length: 1%*s\r\n\r\n", 1100, "");
	check_malformed(REQ, text, "");
	snprintf(text, sizeof(text), "POST / HTTP/1.1\r\nContent-Type: application/json;%s\r\n\r\n",
		 filler);
	h = check(REQ, text, "[POST / -1]<0>");
	assert_int_equal(h.format, BODY_OTHER);
}

static void test_block_limit(void **state)
{
	struct record r = { 0 };
	char line[1002];
	struct http1 p;
	int err = 0, lines = 0;

	(void)state;
	memset(line, 'x', sizeof(line) - 1);
	line[1] = ':';
	line[sizeof(line) - 2] = '\n';
	line[sizeof(line) - 1] = '\0';
	start(&p, &r, REQ);
	assert_int_equal(feed(&p, "GET / HTTP/1.1\r\n"), 0);
	for (; lines < 1000 && !err; lines++)
		err = feed(&p, line);
	assert_int_equal(err, -EPROTO);
	assert_int_equal(lines, (HTTP1_BLOCK_MAX - 16) / 1001 + 1);
	assert_string_equal(r.out.data, "");
	assert_int_equal(feed(&p, "GET / HTTP/1.1\r\n\r\n"), -EPROTO);
	http1_restart(&p);
	assert_int_equal(feed(&p, "GET / HTTP/1.1\r\n\r\n"), 0);
	assert_string_equal(r.out.data, "[GET / -1]<0>");
	buf_free(&r.out);
}

static void test_headers_that_matter(void **state)
{
	static const struct {
		const char *type;
		enum body_format format;
	} types[] = {
		{ "application/json", BODY_JSON },
		{ "Application/JSON; charset=utf-8", BODY_JSON },
		{ "application/problem+json", BODY_JSON },
		{ "text/event-stream;charset=utf-8", BODY_SSE },
		{ "application/x-ndjson", BODY_NDJSON },
		{ "text/plain", BODY_OTHER },
		{ "application/jsonp", BODY_OTHER },
	};
	struct http1_head h;
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		snprintf(text, sizeof(text),
			 "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: 0\r\n\r\n",
			 types[i].type);
		assert_int_equal(check(RESP, text, "[200 0]<0>").format, types[i].format);
	}
	h = check(RESP, "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 0\r\n\r\n",
		  "[200 0]<0>");
	assert_true(h.encoded);
	h = check(RESP,
		  "HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Length: 0\r\n\r\n",
		  "[200 0]<0>");
	assert_false(h.encoded);
	assert_true(h.keep_alive);
	h = check(REQ, "GET / HTTP/1.0\r\nX-Request-ID:  abc-1 \r\n\r\n", "[GET / -1]<0>");
	assert_string_equal(h.request_id, "abc-1");
	assert_false(h.keep_alive);
	h = check(REQ, "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\nX-Request-Id: a\x01z\r\n\r\n",
		  "[GET / -1]<0>");
	assert_true(h.keep_alive);
	assert_string_equal(h.request_id, "");
	assert_false(check(REQ, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "[GET / -1]<0>")
			     .keep_alive);
}

static void test_traceparent(void **state)
{
#define TRACE "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	static const struct {
		const char *value, *want;
	} cases[] = {
		{ TRACE, TRACE },
		{ "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
		  "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" },
		{ TRACE "-more", "" },
		{ "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.", "" },
		{ "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "" },
		{ "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "" },
		{ "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", "" },
		{ "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "" },
		{ "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-011", "" },
		{ "00", "" },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\ntraceparent: %s\r\n\r\n",
			 cases[i].value);
		assert_string_equal(check(REQ, text, "[GET / -1]<0>").traceparent, cases[i].want);
	}
}

static void test_gaps(void **state)
{
	struct record r = { 0 };
	struct http1 p;

	(void)state;
	start(&p, &r, RESP);
	assert_int_equal(feed(&p, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab"), 0);
	assert_int_equal(http1_gap(&p, 0), 0);
	assert_int_equal(http1_gap(&p, 5), 0);
	assert_int_equal(feed(&p, "hij"), 0);
	assert_string_equal(r.out.data, "[200 10]ab~5~hij<0>");
	assert_true(http1_idle(&p));

	start(&p, &r, RESP); /* a gap up to the very end of the body: the next message is read */
	assert_int_equal(feed(&p, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"), 0);
	assert_int_equal(http1_gap(&p, 4), 0);
	assert_int_equal(feed(&p, "HTTP/1.1 204 N\r\n\r\n"), 0);
	assert_string_equal(r.out.data, "[200 4]~4~<0>[204 -1]<0>");

	start(&p, &r, RESP); /* inside a chunk, then up to the end of its data */
	assert_int_equal(feed(&p, CHUNKED "a\r\n01"), 0);
	assert_int_equal(http1_gap(&p, 3), 0);
	assert_int_equal(feed(&p, "5"), 0);
	assert_int_equal(http1_gap(&p, 4), 0);
	assert_int_equal(feed(&p, "\r\n0\r\n\r\n"), 0);
	assert_string_equal(r.out.data, "[200 c]01~3~5~4~<0>");

	start(&p, &r, RESP);
	assert_int_equal(feed(&p, "HTTP/1.0 200 OK\r\n\r\nab"), 0);
	assert_int_equal(http1_gap(&p, 1ull << 40), 0);
	http1_eof(&p);
	assert_int_equal(r.ends, 1);
	buf_free(&r.out);
}

/* Gaps that framing cannot cross. */
static void test_gaps_lost(void **state)
{
	static const char *const before[] = {
		"",
		"HTTP/1.1 20",
		"HTTP/1.1 200 OK\r\nContent-Len",
		CHUNKED,
		CHUNKED "5\r\nhello",
		CHUNKED "5;ext",
		CHUNKED "0\r\n",
		CHUNKED "2\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
	};
	struct record r = { 0 };
	struct http1 p;

	(void)state;
	for (size_t i = 0; i < sizeof(before) / sizeof(*before); i++) {
		start(&p, &r, RESP);
		assert_int_equal(feed(&p, before[i]), 0);
		assert_int_equal(http1_gap(&p, 3), -ENODATA);
		assert_int_equal(p.state, HTTP1_S_BROKEN);
		assert_int_equal(http1_gap(&p, 3), -ENODATA);
		http1_eof(&p);
		assert_int_equal(r.ends, 0);
		http1_restart(&p);
		assert_true(http1_idle(&p));
	}
	start(&p, &r, RESP);
	assert_int_equal(feed(&p, "HTTP/1.1 101 S\r\n\r\n"), 0);
	assert_int_equal(http1_gap(&p, 3), 0); /* nothing is framed in a tunnel */
	buf_free(&r.out);
}

/* Nothing of a line or target stays behind once it has been used. */
static void test_windows_are_zeroed(void **state)
{
	struct record r = { 0 };
	struct http1 p;

	(void)state;
	start(&p, &r, REQ);
	assert_int_equal(feed(&p,
			      "POST /secret?secret HTTP/1.1\r\nAuthorization: secret\r\nA: b\r\n"
			      "Content-Length: 6\r\n\r\nsec"),
			 0);
	assert_null(memmem(&p, sizeof(p), "secret", 6));
	assert_null(memmem(&p, sizeof(p), "Author", 6));
	assert_int_equal(feed(&p, "ret\r\nPOST /secret"), 0);
	assert_non_null(memmem(&p, sizeof(p), "secret", 6));
	http1_eof(&p);
	assert_null(memmem(&p, sizeof(p), "secret", 6));
	/* not even where the header block turns out to be no HTTP, or the rest of it is missing */
	assert_int_equal(feed(&p, "POST /secret HTTP/1.1\r\nno colon\r\n\r\n"), -EPROTO);
	assert_null(memmem(&p, sizeof(p), "secret", 6));
	http1_restart(&p);
	assert_int_equal(feed(&p, "POST /secret HTTP/1.1\r\nCookie: secret"), 0);
	assert_int_equal(http1_gap(&p, 1), -ENODATA);
	assert_null(memmem(&p, sizeof(p), "secret", 6));
	buf_free(&r.out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_chunked),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_interim_and_upgrade),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_pipelining),
		cmocka_unit_test(test_line_ends_and_folds),
		cmocka_unit_test(test_length_conflicts),
		cmocka_unit_test(test_start_lines),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_block_limit),
		cmocka_unit_test(test_headers_that_matter),
		cmocka_unit_test(test_traceparent),
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_gaps_lost),
		cmocka_unit_test(test_windows_are_zeroed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
