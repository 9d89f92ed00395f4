// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "wire/sse.h"

/* Data as it stands, "|" where an event ends, "!" before it where the event came as `error:`. */
struct record {
	struct buf out;
	struct sse sse;
};

static void on_data(void *ctx, const uint8_t *data, size_t len)
{
	buf_append(&((struct record *)ctx)->out, data, len);
}

static void on_dispatch(void *ctx)
{
	struct record *r = ctx;

	buf_puts(&r->out, sse_failed(&r->sse) ? "!|" : "|");
}

static const struct sse_events events = { .data = on_data, .dispatch = on_dispatch };

static void start(struct record *r)
{
	buf_reset(&r->out);
	buf_puts(&r->out, "");
	sse_init(&r->sse, &events, r);
}

static void feed(struct record *r, const char *text, size_t len)
{
	sse_feed(&r->sse, (const uint8_t *)text, len);
}

/* Whole, in two pieces at every place, byte by byte: `want`; `pending`: an event is left open. */
static void check_pending(const char *text, const char *want, bool pending)
{
	struct record r = { .out = BUF_INIT };
	size_t len = strlen(text);

	for (size_t first = 0; first <= len; first++) {
		start(&r);
		feed(&r, text, first);
		feed(&r, text + first, len - first);
		assert_string_equal(r.out.data, want);
		assert_int_equal(sse_pending(&r.sse), pending);
	}
	start(&r);
	for (size_t i = 0; i < len; i++)
		feed(&r, text + i, 1);
	assert_string_equal(r.out.data, want);
	assert_int_equal(sse_pending(&r.sse), pending);
	buf_free(&r.out);
}

static void check(const char *text, const char *want)
{
	check_pending(text, want, false);
}

static void test_events(void **state)
{
	(void)state;
	check("data: a\n\n", "a|");
	check("data:a\n\ndata:b\n\n", "a|b|");
	check("data:  a b : c\n\n", " a b : c|");
	check("data: {\"x\":\"data: y\"}\n\n", "{\"x\":\"data: y\"}|");
	check("\n\n\ndata: a\n\n\n\n", "a|");
	check("", "");
}

static void test_line_ends(void **state)
{
	(void)state;
	check("data: a\r\n\r\ndata: b\r\n\r\n", "a|b|");
	check("data: a\r\rdata: b\r\r", "a|b|");
	check("data: a\r\n\ndata: b\n\r\n", "a|b|");
	check("data: a\n\rdata: b\r\n\r", "a|b|");
}

static void test_many_lines(void **state)
{
	(void)state;
	check("data: a\ndata: b\n\n", "a\nb|");
	check("data\ndata\n\n", "\n|");
	check("data:\n\n", "|");
	check("data\n\n", "|");
	check("data: a\nevent: x\ndata: b\n\n", "a\nb|");
}

static void test_other_fields(void **state)
{
	(void)state;
	check(": comment\n\n", "");
	check(":\n\ndata: a\n\n", "a|");
	check(": data: a\n:\ndata: b\n\n", "b|");
	check("event: ping\nid: 1\nretry: 10\n\n", "");
	check("event: x\ndata: a\nid: 7\n\n", "a|");
	check(" data: a\n\n", "");
	check("Data: a\n\n", "");
	check("dat: a\n\n", "");
	check("data2: a\n\n", "");
	check("database: a\n\n", "");
	check("a-long-name-of-no-known-field: data: a\n\ndata: b\n\n", "b|");
	check("a-long-name-without-colon\ndata: b\n\n", "b|");
}

static void test_error_field(void **state)
{
	(void)state;
	check("error: {\"code\":500}\n\n", "{\"code\":500}!|");
	check("error: x\n\ndata: a\n\n", "x!|a|");
	check("data: a\nerror: x\n\ndata: b\n\n", "a\nx!|b|");
}

static void test_pending(void **state)
{
	(void)state;
	check_pending("data: a", "a", true);
	check_pending("data: a\n", "a", true);
	check_pending("data: a\n\ndata:", "a|", true);
	check_pending("data: a\n\ndat", "a|", false);
	check_pending("data: a\n\nevent: x\n", "a|", false);
}

/* `before`, a gap, `after`. */
static void check_gap(const char *before, const char *after, const char *want)
{
	struct record r = { .out = BUF_INIT };
	size_t len = strlen(after);

	for (size_t first = 0; first <= len; first++) {
		start(&r);
		feed(&r, before, strlen(before));
		sse_gap(&r.sse);
		assert_false(sse_pending(&r.sse));
		buf_puts(&r.out, "~");
		feed(&r, after, first);
		feed(&r, after + first, len - first);
		assert_string_equal(r.out.data, want);
	}
	buf_free(&r.out);
}

static void test_gaps(void **state)
{
	(void)state;
	check_gap("data: a\n\nda", "b\n\ndata: c\n\n", "a|~c|");
	check_gap("data: a", "b\ndata: c\n\ndata: d\n\n", "a~d|");
	check_gap("data: a", "\n\ndata: d\n\n", "a~d|");
	check_gap("data: a", "\r\n\r\ndata: d\r\n\r\n", "a~d|");
	check_gap("error: a", "\n\ndata: d\n\n", "a~d|");
	/* The gap may have ended anywhere: what looks like a line of data may be the end of another. */
	check_gap("data: a\n\n", "data: b\n\ndata: c\n\n", "a|~c|");
	check_gap("data: a\r", "\ndata: b\n\ndata: c\n\n", "a~c|");
	check_gap("", "data: b", "~");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events),	    cmocka_unit_test(test_line_ends),
		cmocka_unit_test(test_many_lines),  cmocka_unit_test(test_other_fields),
		cmocka_unit_test(test_error_field), cmocka_unit_test(test_pending),
		cmocka_unit_test(test_gaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
