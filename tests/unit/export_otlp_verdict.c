// SPDX-License-Identifier: Apache-2.0
/* What an answer of a collector means, and when a message is sent again. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "export/base64.h"
#include "export/gzip.h"
#include "export/otlp_retry.h"
#include "export/otlp_rules.h"
#include "export/otlp_verdict.h"

#define COUNT(a)      (sizeof(a) / sizeof((a)[0]))
#define BYTES(text)   .body = (const uint8_t *)(text), .body_len = sizeof(text) - 1
#define DETAILS(text) .details = (const uint8_t *)(text), .details_len = sizeof(text) - 1

/* Export...ServiceResponse{partial_success{rejected: 7, error_message: "too old"}} */
#define PARTIAL "\x0a\x0b\x08\x07\x12\x07too old"
/* the same without a rejected item: a warning */
#define WARNING "\x0a\x09\x12\x07too old"
/* google.rpc.Status{code: 8, message: "slow down", details: RetryInfo{3.5 s}} */
#define STATUS "\x08\x08\x12\x09slow down"
#define RETRY_INFO \
	"\x1a\x36\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x0a\x0a\x08\x08\x03\x10\x80\xca\xb5\xee\x01"

struct answer_case {
	struct otlp_answer answer;
	enum otlp_result result;
	int64_t rejected;
	double retry_after_s; /* 0: none */
	const char *text;
};

static void check(const struct answer_case *c)
{
	struct otlp_answer a = c->answer;
	struct otlp_verdict v;

	if (!a.retry_after_s)
		a.retry_after_s = NAN;
	otlp_verdict(&a, &v);
	assert_string_equal(v.text, c->text);
	assert_int_equal(v.result, c->result);
	assert_int_equal(v.rejected, c->rejected);
	if (c->retry_after_s)
		assert_true(v.retry_after_s == c->retry_after_s);
	else
		assert_true(isnan(v.retry_after_s));
}

#define NO_RESPONSE "the answer is no OTLP response: does a collector listen there?"

static void test_http(void **state)
{
	static const struct answer_case cases[] = {
		{ { .http_status = 200 }, OTLP_DELIVERED, 0, 0, "" },
		{ { .http_status = 204 }, OTLP_DELIVERED, 0, 0, "" },
		{ { .http_status = 200, BYTES(PARTIAL) },
		  OTLP_DELIVERED,
		  7,
		  0,
		  "the collector refused 7 items: too old" },
		{ { .http_status = 200, BYTES(WARNING) },
		  OTLP_DELIVERED,
		  0,
		  0,
		  "the collector refused 0 items: too old" },
		{ { .http_status = 200, BYTES("<html>") }, OTLP_DELIVERED, 0, 0, NO_RESPONSE },
		{ { .http_status = 429, .retry_after_s = 9 }, OTLP_RETRY, 0, 9, "HTTP 429" },
		{ { .http_status = 502 }, OTLP_RETRY, 0, 0, "HTTP 502" },
		{ { .http_status = 503, BYTES(STATUS) }, OTLP_RETRY, 0, 0, "HTTP 503: slow down" },
		{ { .http_status = 504, BYTES("<html>") }, OTLP_RETRY, 0, 0, "HTTP 504" },
		{ { .http_status = 301 }, OTLP_REFUSED, 0, 0, "HTTP 301" },
		{ { .http_status = 400, BYTES(STATUS) },
		  OTLP_REFUSED,
		  0,
		  0,
		  "HTTP 400: slow down" },
		{ { .http_status = 401 }, OTLP_REFUSED, 0, 0, "HTTP 401" },
		{ { .http_status = 404 }, OTLP_REFUSED, 0, 0, "HTTP 404" },
		{ { .http_status = 408 }, OTLP_REFUSED, 0, 0, "HTTP 408" },
		{ { .http_status = 500 }, OTLP_REFUSED, 0, 0, "HTTP 500" },
		{ { .http_status = 501 }, OTLP_REFUSED, 0, 0, "HTTP 501" },
		{ { .http_status = 200, .failure = "timed\nout" },
		  OTLP_RETRY,
		  0,
		  0,
		  "no answer: timed?out" },
		{ { .http_status = 200, .too_long = true, .failure = "x" },
		  OTLP_REFUSED,
		  0,
		  0,
		  "the answer was longer than 4 MiB" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check(&cases[i]);
}

#define GRPC(status) .grpc = true, .http_status = 200, .grpc_status = (status)

static void test_grpc(void **state)
{
	static const struct answer_case cases[] = {
		{ { GRPC(0) }, OTLP_DELIVERED, 0, 0, "" },
		{ { GRPC(0), BYTES("\0\0\0\0\0") }, OTLP_DELIVERED, 0, 0, "" },
		{ { GRPC(0), BYTES("\0\0\0\0\x0d" PARTIAL) },
		  OTLP_DELIVERED,
		  7,
		  0,
		  "the collector refused 7 items: too old" },
		/* not one whole, plain message */
		{ { GRPC(0), BYTES("\0\0\0\0\x0e" PARTIAL) }, OTLP_DELIVERED, 0, 0, NO_RESPONSE },
		{ { GRPC(0), BYTES("\1\0\0\0\x0d" PARTIAL) }, OTLP_DELIVERED, 0, 0, NO_RESPONSE },
		{ { GRPC(0), BYTES("\0\0") }, OTLP_DELIVERED, 0, 0, NO_RESPONSE },
		{ { GRPC(14), .grpc_message = "100 %25 full%0a%" },
		  OTLP_RETRY,
		  0,
		  0,
		  "gRPC status 14 UNAVAILABLE: 100 % full?%" },
		{ { GRPC(8) }, OTLP_REFUSED, 0, 0, "gRPC status 8 RESOURCE_EXHAUSTED" },
		{ { GRPC(8), DETAILS(STATUS) },
		  OTLP_REFUSED,
		  0,
		  0,
		  "gRPC status 8 RESOURCE_EXHAUSTED" },
		{ { GRPC(8), DETAILS(STATUS RETRY_INFO) },
		  OTLP_RETRY,
		  0,
		  3.5,
		  "gRPC status 8 RESOURCE_EXHAUSTED" },
		{ { GRPC(14), DETAILS(STATUS RETRY_INFO) },
		  OTLP_RETRY,
		  0,
		  3.5,
		  "gRPC status 14 UNAVAILABLE" },
		{ { GRPC(8), DETAILS("garbage") },
		  OTLP_REFUSED,
		  0,
		  0,
		  "gRPC status 8 RESOURCE_EXHAUSTED" },
		{ { GRPC(99) }, OTLP_REFUSED, 0, 0, "gRPC status 99 UNKNOWN" },
		{ { GRPC(OTLP_GRPC_NO_STATUS) },
		  OTLP_REFUSED,
		  0,
		  0,
		  "an answer without a gRPC status: does a gRPC server listen there?" },
		{ { .grpc = true, .grpc_status = OTLP_GRPC_NO_STATUS, .http_status = 503 },
		  OTLP_RETRY,
		  0,
		  0,
		  "HTTP 503" },
		{ { .grpc = true, .grpc_status = OTLP_GRPC_NO_STATUS, .http_status = 404 },
		  OTLP_REFUSED,
		  0,
		  0,
		  "HTTP 404" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check(&cases[i]);
}

/* The table of the OTLP specification, by number. */
static void test_grpc_retryable(void **state)
{
	static const int retryable[] = { 1, 4, 10, 11, 14, 15 };
	struct otlp_verdict v;

	(void)state;
	for (int status = 1; status < 20; status++) {
		struct otlp_answer a = { GRPC(status) };
		bool expected = false;

		for (size_t i = 0; i < COUNT(retryable); i++)
			expected |= retryable[i] == status;
		otlp_verdict(&a, &v);
		assert_int_equal(v.result, expected ? OTLP_RETRY : OTLP_REFUSED);
	}
}

/* Where we send gzip, grpc-go answers with it; what it refused is in there. */
static void test_compressed(void **state)
{
	struct otlp_answer a = { GRPC(0) };
	struct buf message = BUF_INIT;
	uint8_t frame[256] = { 1 };
	struct otlp_verdict v;

	(void)state;
	buf_append(&message, PARTIAL, sizeof(PARTIAL) - 1);
	assert_int_equal(gzip_buf(&message), 0);
	assert_true(message.len < sizeof(frame) - 5);
	frame[4] = message.len;
	memcpy(frame + 5, message.data, message.len);
	a.body = frame;
	a.body_len = 5 + message.len;
	otlp_verdict(&a, &v);
	assert_string_equal(v.text, "the collector refused 7 items: too old");
	assert_int_equal(v.rejected, 7);
	/* cut short */
	a.body_len = 5 + --frame[4];
	otlp_verdict(&a, &v);
	assert_string_equal(v.text, NO_RESPONSE);
	assert_int_equal(v.result, OTLP_DELIVERED);
	buf_free(&message);
}

static void test_too_much_compressed(void **state)
{
	struct buf message = BUF_INIT, plain = BUF_INIT;
	static const char zeros[10000];

	(void)state;
	buf_append(&message, zeros, sizeof(zeros));
	assert_int_equal(gzip_buf(&message), 0);
	assert_int_equal(gunzip(&plain, (uint8_t *)message.data, message.len, sizeof(zeros) - 1),
			 -EBADMSG);
	buf_free(&plain);
	assert_int_equal(gunzip(&plain, (uint8_t *)message.data, message.len, sizeof(zeros)), 0);
	assert_int_equal(plain.len, sizeof(zeros));
	buf_free(&plain);
	buf_free(&message);
}

static void test_long_message(void **state)
{
	char message[2000];
	struct otlp_answer a = { GRPC(13), .grpc_message = message };
	struct otlp_verdict v;

	(void)state;
	memset(message, 'x', sizeof(message) - 1);
	message[sizeof(message) - 1] = '\0';
	otlp_verdict(&a, &v);
	assert_int_equal(strlen(v.text), sizeof(v.text) - 1);
}

static void test_base64(void **state)
{
	static const struct {
		const char *text, *decoded;
	} cases[] = {
		{ "", "" },
		{ "TQ==", "M" },
		{ "TQ", "M" },
		{ "TWE=", "Ma" },
		{ "TWFu", "Man" },
		{ "TWFuCg", "Man\n" },
		{ "+/A=", "\xfb\xf0" },
		{ "TW-u", "" },
		{ "TWFuTWFuTWFu", "" }, /* longer than there is room */
	};
	uint8_t out[8];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t len = strlen(cases[i].decoded);

		assert_int_equal(
			base64_decode(out, sizeof(out), cases[i].text, strlen(cases[i].text)), len);
		assert_memory_equal(out, cases[i].decoded, len);
	}
}

/* ------------------------------------------------------------------ when again */

static const struct otlp_rules rules = {
	.retry_first_ms = 5000,
	.retry_max_ms = 30000,
	.give_up_ms = 300000,
};

#define SECONDS(s) ((uint64_t)((s)*NSEC_PER_SEC))

/* 5 s, then half as much again up to 30 s, as long as it is not later than 300 s after the first attempt. */
static void test_backoff(void **state)
{
	static const double delays[] = { 5, 7.5, 11.25, 16.875, 25.3125, 30, 30 };
	uint64_t now = SECONDS(100);
	struct otlp_retry r;

	(void)state;
	otlp_retry_init(&r, &rules);
	assert_int_equal(r.at_ns, 0);
	otlp_retry_begin(&r, now);
	for (size_t i = 0; i < COUNT(delays); i++) {
		assert_true(otlp_retry_failed(&r, now, NAN, 0.5));
		assert_int_equal(r.at_ns, now + SECONDS(delays[i]));
		assert_false(r.asked);
		now = r.at_ns;
	}
	assert_true(otlp_retry_failed(&r, SECONDS(369.9), NAN, 0.5));
	assert_false(otlp_retry_failed(&r, SECONDS(370), NAN, 0.5));
	/* the next message finds the collector as the last one left it */
	otlp_retry_begin(&r, SECONDS(400));
	assert_true(otlp_retry_failed(&r, SECONDS(400), NAN, 0));
	assert_int_equal(r.at_ns, SECONDS(415));
	otlp_retry_answered(&r);
	assert_int_equal(r.at_ns, 0);
	assert_true(otlp_retry_failed(&r, SECONDS(500), NAN, 1));
	assert_int_equal(r.at_ns, SECONDS(507.5));
}

static void test_retry_after(void **state)
{
	struct otlp_retry r;

	(void)state;
	otlp_retry_init(&r, &rules);
	otlp_retry_begin(&r, SECONDS(100));
	assert_true(otlp_retry_failed(&r, SECONDS(100), 2.5, 1));
	assert_int_equal(r.at_ns, SECONDS(102.5));
	assert_true(r.asked);
	/* no backoff was used up */
	assert_true(otlp_retry_failed(&r, SECONDS(110), NAN, 0.5));
	assert_int_equal(r.at_ns, SECONDS(115));
	/* for ever is 300 s, which is too late for this message */
	assert_false(otlp_retry_failed(&r, SECONDS(120), 1e300, 0));
	assert_int_equal(r.at_ns, SECONDS(420));
	assert_true(otlp_retry_failed(&r, SECONDS(120), -5, 0));
	assert_int_equal(r.at_ns, SECONDS(120));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http),
		cmocka_unit_test(test_grpc),
		cmocka_unit_test(test_grpc_retryable),
		cmocka_unit_test(test_long_message),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_compressed),
		cmocka_unit_test(test_too_much_compressed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
