// SPDX-License-Identifier: Apache-2.0
/* What collectors answer: by the book, garbled, hostile. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "export/otlp_encode.h"

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static void test_empty_response_is_full_success(void **state)
{
	struct otlp_partial p;

	(void)state;
	assert_int_equal(otlp_decode_response(NULL, 0, &p), 0);
	assert_int_equal(p.rejected, 0);
	assert_string_equal(p.message, "");
}

static void test_partial_success(void **state)
{
	struct otlp_partial p;

	(void)state;
	/* partial_success { rejected 300, error_message "no" } */
	assert_int_equal(otlp_decode_response(BYTES("\x0a\x07\x08\xac\x02\x12\x02no"), &p), 0);
	assert_int_equal(p.rejected, 300);
	assert_string_equal(p.message, "no");
	/* A warning: nothing rejected. Fields that nobody knows yet are skipped. */
	assert_int_equal(otlp_decode_response(BYTES("\x12\x01x\x0a\x04\x12\x02hm"), &p), 0);
	assert_int_equal(p.rejected, 0);
	assert_string_equal(p.message, "hm");
}

static void test_message_is_printable_and_bounded(void **state)
{
	uint8_t long_one[6 + 299];
	struct otlp_partial p;

	(void)state;
	assert_int_equal(otlp_decode_response(BYTES("\x0a\x08\x12\x06"
						    "a\n\x1b\xc3\xa9"
						    "b"),
					      &p),
			 0);
	assert_string_equal(p.message, "a????b");
	/* partial_success of 302 bytes: error_message of 299. */
	memset(long_one, 'x', sizeof(long_one));
	memcpy(long_one, "\x0a\xae\x02\x12\xab\x02", 6);
	assert_int_equal(otlp_decode_response(long_one, 6 + 299, &p), 0);
	assert_int_equal(strlen(p.message), sizeof(p.message) - 1);
}

static void test_what_is_no_response(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} cases[] = {
		{ "<html>", 6 },
		{ "{}", 2 },
		{ "\x0a", 1 },						    /* length is missing */
		{ "\x0a\x05\x08\x01", 4 },				    /* cut */
		{ "\x0a\xff\xff\xff\xff\x0f", 6 },			    /* 4 GiB are promised */
		{ "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12 }, /* endless number */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t *exact = malloc(cases[i].len);
		struct otlp_partial p;
		struct otlp_status s;

		memcpy(exact, cases[i].bytes, cases[i].len);
		assert_int_equal(otlp_decode_response(exact, cases[i].len, &p), -EBADMSG);
		assert_int_equal(p.rejected, 0);
		assert_string_equal(p.message, "");
		assert_int_equal(otlp_decode_status(exact, cases[i].len, &s), -EBADMSG);
		assert_int_equal(s.code, 0);
		assert_true(isnan(s.retry_s));
		free(exact);
	}
}

static void test_status(void **state)
{
	struct otlp_status s;

	(void)state;
	assert_int_equal(otlp_decode_status(BYTES("\x08\x0e\x12\x04"
						  "busy"),
					    &s),
			 0);
	assert_int_equal(s.code, 14);
	assert_string_equal(s.message, "busy");
	assert_true(isnan(s.retry_s));
	assert_int_equal(otlp_decode_status(NULL, 0, &s), 0);
	assert_int_equal(s.code, 0);
}

/* A Status with code 8 and one detail: type_url, and the bytes of a message of at most 100. */
static int decode_detail(const char *url, const char *value, size_t value_len,
			 struct otlp_status *s)
{
	uint8_t m[200] = { 0x08, 8, 0x1a, (uint8_t)(2 + strlen(url) + 2 + value_len) };
	size_t n = 4;

	m[n++] = 0x0a;
	m[n++] = (uint8_t)strlen(url);
	memcpy(m + n, url, strlen(url));
	n += strlen(url);
	m[n++] = 0x12;
	m[n++] = (uint8_t)value_len;
	memcpy(m + n, value, value_len);
	return otlp_decode_status(m, n + value_len, s);
}

#define RETRY_INFO "type.googleapis.com/google.rpc.RetryInfo"

static void test_retry_info(void **state)
{
	struct otlp_status s;

	(void)state;
	/* retry_delay { seconds 2, nanos 500 000 000 } */
	assert_int_equal(
		decode_detail(RETRY_INFO, "\x0a\x08\x08\x02\x10\x80\xca\xb5\xee\x01", 10, &s), 0);
	assert_int_equal(s.code, 8);
	assert_true(s.retry_s == 2.5);
	/* No delay: at once. A negative one likewise. */
	assert_int_equal(decode_detail(RETRY_INFO, "", 0, &s), 0);
	assert_true(s.retry_s == 0);
	assert_int_equal(decode_detail(RETRY_INFO,
				       "\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 13,
				       &s),
			 0);
	assert_true(s.retry_s == 0);
}

static void test_other_details(void **state)
{
	struct otlp_status s;

	(void)state;
	assert_int_equal(decode_detail("type.googleapis.com/google.rpc.DebugInfo",
				       "\x0a\x02\x08\x02", 4, &s),
			 0);
	assert_true(isnan(s.retry_s));
	assert_int_equal(decode_detail("RetryInfo", "\x0a\x02\x08\x02", 4, &s), 0);
	assert_true(isnan(s.retry_s));
	/* A RetryInfo that is none does not spoil the status. */
	assert_int_equal(decode_detail(RETRY_INFO, "\x0a\x09", 2, &s), 0);
	assert_int_equal(s.code, 8);
	assert_true(isnan(s.retry_s));
}

/* A megabyte of empty details would be some 100 MiB in memory. */
static void test_hostile_size(void **state)
{
	size_t len = 1 << 20;
	uint8_t *m = malloc(len);
	struct otlp_status s;

	(void)state;
	for (size_t i = 0; i < len; i += 2) {
		m[i] = 0x1a;
		m[i + 1] = 0;
	}
	assert_int_equal(otlp_decode_status(m, len, &s), -EBADMSG);
	assert_int_equal(otlp_decode_status(m, 200, &s), 0);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_response_is_full_success),
		cmocka_unit_test(test_partial_success),
		cmocka_unit_test(test_message_is_printable_and_bounded),
		cmocka_unit_test(test_what_is_no_response),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_retry_info),
		cmocka_unit_test(test_other_details),
		cmocka_unit_test(test_hostile_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
