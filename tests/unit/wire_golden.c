// SPDX-License-Identifier: Apache-2.0
/* Recorded exchanges of real servers (tests/golden/http): what they say, and that the cut of their bytes never shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <glob.h>

#include "base/cleanup.h"
#include "wire_log.h"

#define FOLDER	   "tests/golden/http/"
#define RECORD_MAX 8192

struct stream {
	uint8_t data[RECORD_MAX];
	size_t len;
};

static void load(struct stream *s, const char *name, const char *end)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[256];

	snprintf(path, sizeof(path), FOLDER "%s-%s.bin", name, end);
	f = fopen(path, "rb");
	if (!f)
		fail_msg("cannot open %s (run from the root of the tree)", path);
	s->len = fread(s->data, 1, sizeof(s->data), f);
	assert_in_range(s->len, 1, sizeof(s->data) - 1);
}

static void run(struct wire_log *l, const struct stream *s, wire_cut cut, void *ctx)
{
	buf_reset(&l->out);
	wire_log_stream(l, s->data, s->len, cut, ctx);
	assert_int_equal(l->out.err, 0);
}

static size_t cut_pieces(void *ctx, size_t at, size_t left)
{
	size_t size = *(size_t *)ctx;

	(void)at;
	return size < left ? size : left;
}

/* l has run over the whole stream in one piece: any other cut must read the same. */
static void check_cuts(struct wire_log *l, const struct stream *s)
{
	static const size_t sizes[] = { 1, 3, 7, 64 };
	_cleanup_free_ char *want = strdup(l->out.data);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		size_t size = sizes[i];

		run(l, s, cut_pieces, &size);
		assert_string_equal(l->out.data, want);
	}
	for (size_t first = 1; first < s->len; first++) {
		run(l, s, wire_cut_at, &first);
		assert_string_equal(l->out.data, want);
	}
}

static void put_text(struct buf *out, const char *text)
{
	buf_printf(out, " %s", text[0] ? text : "-");
}

static void put_number(struct buf *out, int64_t n)
{
	if (n < 0)
		buf_puts(out, " -");
	else
		buf_printf(out, " %" PRId64, n);
}

static void put_request(struct buf *out, const struct wire_log *l)
{
	char model[ANSWER_MODEL_MAX + 1] = "";

	if (l->route)
		route_match(l->head.method, l->head.target, model, sizeof(model));
	put_text(out, l->route ? l->route->pattern : "");
	put_text(out, model[0] ? model : l->facts.model);
	put_number(out, l->facts.stream);
	put_number(out, l->facts.choices);
}

static void put_answer(struct buf *out, const struct wire_log *l)
{
	static const char *const formats[] = { "other", "json", "sse", "ndjson" };
	const struct answer_facts *f = &l->facts;

	buf_printf(out, " %d %s", l->head.status, formats[l->head.format]);
	buf_printf(out, " %" PRIu64 " %" PRIu64 " %x", f->events, f->content_events, l->choices);
	put_text(out, f->model);
	put_text(out, f->finish_reason);
	put_number(out, f->input_tokens);
	put_number(out, f->output_tokens);
	put_number(out, f->cached_tokens);
	put_text(out, f->error && f->done ? "error,done"
		      : f->error	  ? "error"
		      : f->done		  ? "done"
					  : "");
}

/* One direction: its log, whole, and that it ended where a message ends. */
static void run_whole(struct wire_log *l, const struct stream *s)
{
	run(l, s, wire_cut_none, NULL);
	assert_non_null(strstr(l->out.data, "end 0 ")); /* HTTP1_END_COMPLETE */
	assert_non_null(strstr(l->out.data, "\nstate 0 err 0\n"));
	assert_true(l->facts.in_sync);
}

/* The line of expected.txt that the recorded bytes amount to. */
static void exchange(const char *name, struct buf *line)
{
	struct wire_log request = { .response = false }, answer = { .response = true };
	struct stream s;

	buf_puts(line, name);
	load(&s, name, "request");
	run_whole(&request, &s);
	put_request(line, &request);
	check_cuts(&request, &s);

	load(&s, name, "response");
	answer.dialect = request.route ? request.route->dialect : DIALECT_NONE;
	run_whole(&answer, &s);
	put_answer(line, &answer);
	check_cuts(&answer, &s);
	wire_log_free(&request);
	wire_log_free(&answer);
}

/* Columns are aligned with spaces. */
static void squeeze(char *s)
{
	char *to = s;

	for (; *s && *s != '\n'; s++)
		if (*s != ' ' || s[1] != ' ')
			*to++ = *s;
	*to = '\0';
}

static void check_line(char *want)
{
	char name[64];
	struct buf line = BUF_INIT;

	squeeze(want);
	assert_int_equal(sscanf(want, "%63s", name), 1);
	exchange(name, &line);
	assert_string_equal(line.data, want);
	buf_free(&line);
}

static void test_exchanges(void **state)
{
	_cleanup_fclose_ FILE *f = fopen(FOLDER "expected.txt", "r");
	char want[512];
	size_t count = 0;
	glob_t found;

	(void)state;
	assert_non_null(f);
	while (fgets(want, sizeof(want), f)) {
		if (want[0] == '#')
			continue;
		check_line(want);
		count++;
	}
	/* None of the recorded files is left out. */
	assert_int_equal(glob(FOLDER "*.bin", 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 2 * count);
	globfree(&found);
}

/* One connection kept alive: all answers one after another read as they do alone. */
static void test_keep_alive(void **state)
{
	static const char *const names[] = { "tf-chat-nostream", "fastapi-h11-stream",
					     "llama-chat-stream-usage", "llama-error" };
	struct wire_log l = { .response = true, .dialect = DIALECT_OPENAI_CHAT };
	struct stream all = { .len = 0 }, one;
	size_t ends = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		load(&one, names[i], "response");
		assert_true(all.len + one.len <= sizeof(all.data));
		memcpy(all.data + all.len, one.data, one.len);
		all.len += one.len;
	}
	run_whole(&l, &all);
	for (const char *at = l.out.data; (at = strstr(at, "end 0 ")); at++)
		ends++;
	assert_int_equal(ends, 4);
	assert_non_null(strstr(l.out.data, "in=26 out=12 cached=25"));
	check_cuts(&l, &all);
	wire_log_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exchanges),
		cmocka_unit_test(test_keep_alive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
