// SPDX-License-Identifier: Apache-2.0
/* The JSON scanner alone: any cut reads the same, and a document stays one under changes that keep it one. */
#include "base/buf.h"
#include "fuzz.h"
#include "wire/json_scan.h"

static const struct json_field table[] = {
	{ .path = { "model" }, .role = 'M', .text = true },
	{ .path = { "n" }, .role = 'n' },
	{ .path = { "a" }, .role = 'a' },
	{ .path = { "a", "[]" }, .role = 'e' },
	{ .path = { "a", "[]", "b" }, .role = 'B', .text = true },
	{ .path = { "a", "[]", "b", "[]", "c", "d" }, .role = 'd' },
	{ .path = { "[]", "[]" }, .role = '2' },
};
#define FIELDS (sizeof(table) / sizeof(*table))

struct reader {
	struct json_scan scan;
	const struct json_field *fields[FIELDS];
	struct buf out;
};

static void on_value(void *ctx, const struct json_field *field, const struct json_value *v)
{
	struct reader *r = ctx;

	fuzz_check(v->number >= -1);
	fuzz_check(v->type == JSON_NUMBER || v->number == -1);
	fuzz_check(!v->text || (v->type == JSON_STRING && field->text));
	fuzz_check(!v->text || strlen(v->text) <= JSON_TEXT_MAX);
	fuzz_check(!v->text || strlen(v->text) <= v->len);
	buf_printf(&r->out, "%c%d %lld %llu '%s'\n", field->role, v->type, (long long)v->number,
		   (unsigned long long)v->len, v->text ? v->text : "-");
}

static const struct json_events events = { .value = on_value };

static void start(struct reader *r)
{
	*r = (struct reader){ .out = BUF_INIT };
	for (size_t i = 0; i < FIELDS; i++)
		r->fields[i] = &table[i];
	json_init(&r->scan, r->fields, FIELDS, &events, r);
	buf_puts(&r->out, "");
}

static void feed(struct reader *r, const uint8_t *data, size_t len)
{
	uint8_t *piece = malloc(len ? len : 1); /* a sanitizer sees reads beyond it */

	if (!piece)
		abort();
	memcpy(piece, data, len);
	json_feed(&r->scan, piece, len);
	free(piece);
	for (size_t i = r->scan.text_len; i < sizeof(r->scan.text); i++)
		fuzz_check(!r->scan.text[i]); /* text that was used is wiped */
}

static bool end(struct reader *r)
{
	bool whole = json_end(&r->scan);

	fuzz_check(json_end(&r->scan) == whole);
	fuzz_check(!whole || json_in_sync(&r->scan));
	fuzz_check(!whole || !json_blank(&r->scan));
	return whole;
}

/* Pieces of `step` bytes. */
static void check_cut(const uint8_t *data, size_t len, size_t step, bool whole, const char *want)
{
	struct reader r;

	start(&r);
	for (size_t at = 0; at < len; at += step)
		feed(&r, data + at, step < len - at ? step : len - at);
	fuzz_check(end(&r) == whole);
	fuzz_same(r.out.data, want);
	buf_free(&r.out);
}

static bool is_whole(const char *before, const uint8_t *data, size_t len, const char *after)
{
	struct reader r;
	bool whole;

	start(&r);
	feed(&r, (const uint8_t *)before, strlen(before));
	feed(&r, data, len);
	feed(&r, (const uint8_t *)after, strlen(after));
	whole = end(&r);
	buf_free(&r.out);
	return whole;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reader r;
	bool whole;

	start(&r);
	feed(&r, data, len);
	whole = end(&r);
	check_cut(data, len, 1, whole, r.out.data);
	check_cut(data, len, 1 + fuzz_seed(data, len) % 16, whole, r.out.data);
	buf_free(&r.out);
	fuzz_check(is_whole(" ", data, len, "\n") == whole);
	if (!whole)
		return 0;
	fuzz_check(!is_whole("", data, len, "]"));
	fuzz_check(!is_whole("", data, len, " {}"));
	fuzz_check(!is_whole("[", data, len, "}"));
	/* One level more may be one too many, but no document is that deep twice over. */
	fuzz_check(is_whole("[", data, len, "]") == is_whole("{\"x\":[1],\"a\":", data, len, "}"));
	return 0;
}
