// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "wire/json_scan.h"

/* Roles are letters; text is wanted by capitals. */
static const struct json_field table[] = {
	{ .path = { "model" }, .role = 'M', .text = true },
	{ .path = { "n" }, .role = 'n' },
	{ .path = { "choices" }, .role = 'c' },
	{ .path = { "choices", "[]" }, .role = 'e' },
	{ .path = { "choices", "[]", "text" }, .role = 't' },
	{ .path = { "choices", "[]", "delta", "tool", "[]", "x" }, .role = 'X', .text = true },
	{ .path = { "usage", "in" }, .role = 'i' },
};
#define FIELDS (sizeof(table) / sizeof(*table))

/* One letter a type, then what is known of the value: "M'name'", "n=3", "t\"4" (a string of 4 bytes). */
static void on_value(void *ctx, const struct json_field *field, const struct json_value *v)
{
	static const char letters[] = "0-+=\"[{.";
	struct buf *out = ctx;

	buf_printf(out, "%c", field->role);
	if (v->type == JSON_STRING && v->text)
		buf_printf(out, "'%s'", v->text);
	else if (v->type == JSON_STRING)
		buf_printf(out, "\"%d", (int)v->len);
	else if (v->type == JSON_NUMBER)
		buf_printf(out, "=%lld", (long long)v->number);
	else
		buf_printf(out, "%c", letters[v->type]);
	buf_puts(out, " ");
}

static const struct json_events events = { .value = on_value };

static void setup(struct json_scan *s, const struct json_field **fields, struct buf *out)
{
	for (size_t i = 0; i < FIELDS; i++)
		fields[i] = &table[i];
	json_init(s, fields, FIELDS, &events, out);
}

/* Whole, in two pieces at every place, byte by byte: `want`, and whether it is one whole document. */
static void check(const char *text, size_t len, const char *want, bool whole)
{
	const struct json_field *fields[FIELDS];
	struct buf out = BUF_INIT;
	struct json_scan s;

	setup(&s, fields, &out);
	for (size_t cut = 0; cut <= len + 1; cut++) {
		json_reset(&s);
		buf_reset(&out);
		buf_puts(&out, "");
		if (cut <= len) {
			json_feed(&s, (const uint8_t *)text, cut);
			json_feed(&s, (const uint8_t *)text + cut, len - cut);
		} else {
			for (size_t i = 0; i < len; i++)
				json_feed(&s, (const uint8_t *)text + i, 1);
		}
		assert_int_equal(json_end(&s), whole);
		assert_int_equal(json_end(&s), whole); /* asking again changes nothing */
		if (whole)
			assert_true(json_in_sync(&s));
		assert_string_equal(out.data, want);
	}
	buf_free(&out);
}

#define CHECK(text, want)     check(text, strlen(text), want, true)
#define CHECK_BAD(text, want) check(text, strlen(text), want, false)

static void test_values(void **state)
{
	(void)state;
	CHECK("{\"model\":\"m\",\"n\":3}", "M'm' n=3 ");
	CHECK(" {\t\"n\" : 0 ,\r\n\"model\" : null } \n", "n=0 M0 ");
	CHECK("{\"model\":true,\"n\":false}", "M+ n- ");
	CHECK("{\"model\":{\"model\":\"deep\"},\"x\":{\"model\":\"deep\"},\"n\":[1]}",
	      "M{ M. n[ n. ");
	CHECK("{\"usage\":{\"in\":7,\"out\":8},\"in\":9}", "i=7 ");
	CHECK("{\"n\":1,\"n\":2}", "n=1 n=2 ");
	CHECK("[{\"model\":\"m\"}]", "");
	CHECK("\"model\"", "");
	CHECK("12", "");
	CHECK("true", "");
}

static void test_containers(void **state)
{
	(void)state;
	CHECK("{\"choices\":[]}", "c. ");
	CHECK("{\"choices\":[{}]}", "c[ e. c. ");
	CHECK("{\"choices\":[{\"text\":\"abcd\",\"a\":[[{}]]},{\"text\":\"\"},5]}",
	      "c[ e{ t\"4 e. e{ t\"0 e. e=5 c. ");
	CHECK("{\"choices\":[{\"delta\":{\"tool\":[{\"x\":\"y\"},{\"x\":\"z\"}]}}]}",
	      "c[ e{ X'y' X'z' e. c. ");
	CHECK("{\"choices\":{\"text\":\"no array\"}}", "c{ c. ");
	CHECK("{\"choices\":[[{\"text\":\"x\"}]]}", "c[ e[ e. c. ");
	/* below the longest path nothing matches, and nothing breaks */
	CHECK("{\"choices\":[{\"delta\":{\"tool\":[{\"x\":[[[{\"x\":1}]]]}]}}]}",
	      "c[ e{ X[ X. e. c. ");
	CHECK("{\"choices\":[{\"delta\":{\"tool\":[{\"x\":{\"x\":{\"x\":{\"n\":1}}}}]}}]}",
	      "c[ e{ X{ X. e. c. ");
}

/* Text in a string is never a key, whatever it looks like. */
static void test_strings_are_not_keys(void **state)
{
	(void)state;
	CHECK("{\"a\":\"\\\"model\\\":\\\"x\\\"\",\"n\":1}", "n=1 ");
	CHECK("{\"a\":\"}\",\"b\":\"{\\\"n\\\":5}\",\"c\":\"\\\\\",\"n\":2}", "n=2 ");
	CHECK("{\"model\":\"\\\",\\\"n\\\":9,\\\"\"}", "M'\",\"n\":9,\"' ");
	CHECK("{\"choices\":[\"choices\",\"model\"]}", "c[ e\"7 e\"5 c. ");
}

static void test_escapes(void **state)
{
	(void)state;
	CHECK("{\"mod\\u0065l\":\"\\u006D\\/\\\\\\\"\\n\"}", "M'm/\\\"\n' ");
	CHECK("{\"\\u006d\\u006f\\u0064\\u0065\\u006c\":1}", "M=1 ");
	CHECK("{\"model\\u0000\":1,\"model\\u0000x\":2}", "");
	CHECK("{\"model\":\"a\\u0000b\"}", "M'a\xff"
					   "b' ");
	CHECK("{\"model\":\"\\u004a\\u004F\"}", "M'JO' ");
	CHECK("{\"model\":\"\\ud83d\\ude00\\u00e9\"}", "M'\xff\xff\xff' ");
	CHECK("{\"model\":\"\xc3\xa9\"}", "M'\xc3\xa9' ");
	CHECK("{\"choices\":[{\"text\":\"\\u00e9\\n\"}]}", "c[ e{ t\"8 e. c. ");
	CHECK_BAD("{\"model\":\"\\x\"}", "");
	CHECK_BAD("{\"model\":\"\\u00g0\"}", "");
	CHECK_BAD("{\"model\":\"\\\0\"}", "");
	check("{\"model\":\"\\\0\"}", 13, "", false);
}

static void test_long_strings(void **state)
{
	char text[1024], name[JSON_TEXT_MAX + 2], want[512];

	(void)state;
	memset(name, 'a', sizeof(name));
	name[JSON_TEXT_MAX] = '\0';
	snprintf(text, sizeof(text), "{\"model\":\"%s\",\"n\":1}", name);
	snprintf(want, sizeof(want), "M'%s' n=1 ", name);
	CHECK(text, want);
	name[JSON_TEXT_MAX] = 'b';
	name[JSON_TEXT_MAX + 1] = '\0';
	snprintf(text, sizeof(text), "{\"model\":\"%s\",\"n\":1}", name);
	CHECK(text, "M\"129 n=1 ");
	snprintf(text, sizeof(text), "{\"%s\":1,\"n\":1}", name);
	CHECK(text, "n=1 ");
	snprintf(text, sizeof(text), "{\"choices\":[{\"text\":\"%s\"}]}", name);
	CHECK(text, "c[ e{ t\"129 e. c. ");
}

static void test_numbers(void **state)
{
	(void)state;
	CHECK("{\"n\":9223372036854775807}", "n=9223372036854775807 ");
	CHECK("{\"n\":9223372036854775808}", "n=-1 ");
	CHECK("{\"n\":99999999999999999999999}", "n=-1 ");
	CHECK("{\"n\":-1}", "n=-1 ");
	CHECK("{\"n\":-0}", "n=-1 ");
	CHECK("{\"n\":-12}", "n=-1 ");
	CHECK_BAD("{\"n\":-012}", "n=-1 ");
	CHECK("{\"n\":1.0}", "n=-1 ");
	CHECK("{\"n\":0.5}", "n=-1 ");
	CHECK("{\"n\":1e3}", "n=-1 ");
	CHECK("{\"n\":1E+3}", "n=-1 ");
	CHECK("{\"n\":12.5e-3}", "n=-1 ");
	CHECK("{\"n\":NaN}", "n=-1 ");
	CHECK("{\"n\":-Infinity}", "n=-1 ");
	CHECK("{\"n\":Infinity}", "n=-1 ");
}

static void test_malformed(void **state)
{
	static const char *const texts[] = {
		"{",	       "}",	   "]",		 "[1,]",      "{,}",
		"{\"a\"}",     "{\"a\":}", "{\"a\":1,}", "{a:1}",     "{'a':1}",
		"[1 2]",       "[1}",	   "{\"a\":1]",	 "{\"a\" 1}", "{\"a\"::1}",
		"{\"a\",1}",   "nul",	   "nulL",	 "truex",     "01",
		"-",	       "-x",	   "1.",	 "1.e1",      "1e",
		"1e+",	       "+1",	   ".5",	 "--1",	      "1-2",
		"\"a",	       "\"\n\"",   "\"\t\"",	 "{} {}",     "1 2",
		"{}x",	       "data",	   "",		 " ",	      "[[]",
		"{\"a\":[1}}", ",",	   ":",		 "{1:2}",     "{\"a\":1 \"b\":2}",
		"[,1]",	       "NaNs",	   "-Infinit",	 "\x01",      "\xef\xbb\xbf{}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		CHECK_BAD(texts[i], "");
	CHECK_BAD("{\"n\":1,\"model\":\"m\" \"n\":2}", "n=1 M'm' ");
	check("{\"a\":\"\0\"}", 9, "", false);
}

static void test_depth(void **state)
{
	char text[2 * JSON_DEPTH_MAX + 8];
	size_t n;

	(void)state;
	memset(text, '[', JSON_DEPTH_MAX);
	memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	check(text, 2 * JSON_DEPTH_MAX, "", true);
	memset(text, '[', JSON_DEPTH_MAX + 1);
	memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	check(text, 2 * JSON_DEPTH_MAX + 2, "", false);

	/* types are remembered down to the last level */
	for (n = 0; n < JSON_DEPTH_MAX; n++)
		text[n] = '[';
	text[n++] = '}';
	check(text, n, "", false);
}

static void test_reset_and_blank(void **state)
{
	const struct json_field *fields[FIELDS];
	struct buf out = BUF_INIT;
	struct json_scan s;

	(void)state;
	setup(&s, fields, &out);
	assert_true(json_blank(&s));
	json_feed(&s, (const uint8_t *)" \r\n", 3);
	assert_true(json_blank(&s));
	json_feed(&s, (const uint8_t *)"{\"model\":\"secret", 16);
	assert_false(json_blank(&s));
	assert_non_null(memmem(&s, sizeof(s), "secret", 6));
	json_reset(&s);
	assert_null(memmem(&s, sizeof(s), "secret", 6));
	json_feed(&s, (const uint8_t *)"{\"n\":4}", 7);
	assert_false(json_blank(&s));
	assert_true(json_end(&s));
	assert_string_equal(out.data, "n=4 ");
	json_feed(&s, (const uint8_t *)"x", 1);
	assert_false(json_in_sync(&s));
	buf_free(&out);
}

/* What a field does not want is not even copied; what it wants is gone when the string is used. */
static void test_windows_are_zeroed(void **state)
{
	static const char text[] = "{\"choices\":[{\"text\":\"secret";
	static const char rest[] = " words\"}],\"model\":\"secret\",\"secret\":\"secret\"}";
	const struct json_field *fields[FIELDS];
	struct buf out = BUF_INIT;
	struct json_scan s;

	(void)state;
	setup(&s, fields, &out);
	json_feed(&s, (const uint8_t *)text, strlen(text));
	assert_null(memmem(&s, sizeof(s), "secret", 6));
	json_feed(&s, (const uint8_t *)rest, strlen(rest));
	assert_true(json_end(&s));
	assert_null(memmem(&s, sizeof(s), "secret", 6));
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_containers),
		cmocka_unit_test(test_strings_are_not_keys),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_long_strings),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_reset_and_blank),
		cmocka_unit_test(test_windows_are_zeroed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
