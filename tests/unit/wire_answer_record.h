/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What answer.c says about a body, as text: one sign an event ("." no content, "c" content of choice 0, "c" and the
 * set of choices in hex where it is another, "!" an error, "~" a gap), then those of the facts that are known.
 * Include after cmocka.h.
 */
#ifndef TESTS_WIRE_ANSWER_RECORD_H
#define TESTS_WIRE_ANSWER_RECORD_H

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "wire/answer.h"

struct answer_record {
	struct buf out;
	uint64_t events, content;
};

static inline void record_event(void *ctx, const struct answer_event *ev)
{
	struct answer_record *r = ctx;

	r->events++;
	r->content += ev->content;
	assert_int_equal(ev->content, ev->choices != 0);
	if (ev->error)
		buf_puts(&r->out, "!");
	else if (ev->choices > 1)
		buf_printf(&r->out, "c%x", ev->choices);
	else
		buf_puts(&r->out, ev->content ? "c" : ".");
}

static inline void record_text(struct buf *out, const char *name, const char *text)
{
	if (text[0])
		buf_printf(out, " %s=%s", name, text);
}

static inline void record_number(struct buf *out, const char *name, int64_t n)
{
	assert_true(n >= -1);
	if (n >= 0)
		buf_printf(out, " %s=%" PRId64, name, n);
}

static inline void record_facts(struct answer_record *r, const struct answer_facts *f)
{
	assert_int_equal(f->events, r->events);
	assert_int_equal(f->content_events, r->content);
	record_text(&r->out, "model", f->model);
	record_text(&r->out, "finish", f->finish_reason);
	record_number(&r->out, "in", f->input_tokens);
	record_number(&r->out, "out", f->output_tokens);
	record_number(&r->out, "cached", f->cached_tokens);
	if (f->stream >= 0)
		buf_puts(&r->out, f->stream ? " stream" : " no-stream");
	record_number(&r->out, "n", f->choices);
	buf_puts(&r->out, f->error ? " error" : "");
	buf_puts(&r->out, f->done ? " done" : "");
	buf_puts(&r->out, f->in_sync ? "" : " lost");
}

/* A tilde in the body stands for a gap. Pieces come in memory of their own, so that a sanitizer sees reads beyond. */
static inline void record_feed(struct answer_record *r, struct answer *a, const char *text,
			       size_t len)
{
	const char *gap;

	while ((gap = memchr(text, '~', len))) {
		record_feed(r, a, text, gap - text);
		answer_gap(a, 5);
		buf_puts(&r->out, "~");
		len -= gap + 1 - text;
		text = gap + 1;
	}
	if (len) {
		uint8_t *piece = malloc(len);

		assert_non_null(piece);
		memcpy(piece, text, len);
		answer_feed(a, piece, len);
		free(piece);
	}
}

/* A first piece of `first` bytes, then pieces of `step`. */
static inline void check_cut(struct answer *a, struct answer_record *r, const char *body,
			     const char *want, size_t first, size_t step)
{
	size_t len = strlen(body);

	assert_non_null(a);
	buf_puts(&r->out, "");
	for (size_t at = 0, n; at < len; at += n) {
		n = at ? step : first;
		n = n < len - at ? n : len - at;
		record_feed(r, a, body + at, n);
	}
	answer_end(a);
	record_facts(r, answer_facts(a));
	answer_free(a);
	assert_string_equal(r->out.data + (r->out.data[0] == ' '), want);
	buf_reset(&r->out);
	r->events = r->content = 0;
}

/* Whole, in two pieces at every place, byte by byte. */
static inline void check_body(enum dialect dialect, bool response, enum body_format format,
			      const char *body, const char *want)
{
	static const struct answer_events events = { .event = record_event };
	struct answer_record r = { .out = BUF_INIT };
	size_t len = strlen(body);

	for (size_t first = 1; first <= len; first++)
		check_cut(answer_new(dialect, response, format, &events, &r), &r, body, want, first,
			  len);
	check_cut(answer_new(dialect, response, format, &events, &r), &r, body, want, 1, 1);
	buf_free(&r.out);
}

#endif
