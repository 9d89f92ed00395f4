/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Feeds one connection, or one body, in any cut, and writes what the wire layer said as text: tests and fuzzers
 * compare these texts, because the cut must never show. Body bytes are joined before they are written.
 */
#ifndef TESTS_WIRE_LOG_H
#define TESTS_WIRE_LOG_H

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "wire/answer.h"
#include "wire/http1.h"
#include "wire/route.h"

struct wire_log {
	struct buf out;
	uint64_t body_len;
	uint32_t body_hash;   /* FNV-1a */
	enum dialect dialect; /* of answers */
	const struct route *route;
	bool response;
	bool no_body; /* every answer is one to HEAD */
	struct answer *answer;
	struct http1_head head;	   /* the last one; target included */
	struct answer_facts facts; /* of the last message that ended */
	uint8_t choices;	   /* of all its events */
};

static inline void wire_log_facts(struct buf *out, const struct answer_facts *f)
{
	buf_printf(out, "model=%s finish=%s in=%" PRId64 " out=%" PRId64 " cached=%" PRId64,
		   f->model, f->finish_reason, f->input_tokens, f->output_tokens, f->cached_tokens);
	buf_printf(out,
		   " stream=%d n=%" PRId64 " error=%d done=%d sync=%d events=%" PRIu64 "/%" PRIu64
		   "\n",
		   f->stream, f->choices, f->error, f->done, f->in_sync, f->content_events,
		   f->events);
}

static inline void wire_log_event(void *ctx, const struct answer_event *ev)
{
	struct wire_log *l = ctx;

	l->choices |= ev->choices;
	buf_printf(&l->out, "event content=%d error=%d choices=%x\n", ev->content, ev->error,
		   ev->choices);
}

static const struct answer_events wire_log_answer_events = { .event = wire_log_event };

static inline void wire_log_body_flush(struct wire_log *l)
{
	if (l->body_len)
		buf_printf(&l->out, "body %" PRIu64 " %08x\n", l->body_len, l->body_hash);
	l->body_len = 0;
	l->body_hash = 2166136261u;
}

static inline int wire_log_head(void *ctx, const struct http1_head *h)
{
	struct wire_log *l = ctx;

	buf_printf(&l->out, "head %s '%s' %d 1.%d len=%" PRId64 " chunked=%d",
		   http1_method_name(h->method), h->target, h->status, h->minor, h->content_length,
		   h->chunked);
	buf_printf(&l->out, " keep=%d upgrade=%d expect=%d encoded=%d format=%d trace=%s id=%s\n",
		   h->keep_alive, h->upgrade, h->expect_continue, h->encoded, h->format,
		   h->traceparent, h->request_id);
	l->head = *h;
	wire_log_body_flush(l);
	answer_free(l->answer);
	l->choices = 0;
	if (!l->response) {
		char model[64];

		l->route = route_match(h->method, h->target, model, sizeof(model));
		buf_printf(&l->out, "route %s %s\n", l->route ? l->route->pattern : "-", model);
	}
	l->answer = answer_new(l->dialect, l->response, h->encoded ? BODY_OTHER : h->format,
			       &wire_log_answer_events, l);
	return l->no_body ? HTTP1_NO_BODY : HTTP1_BODY_NORMAL;
}

static inline void wire_log_interim(void *ctx, int status)
{
	struct wire_log *l = ctx;

	buf_printf(&l->out, "interim %d\n", status);
}

static inline void wire_log_body(void *ctx, const uint8_t *data, size_t len)
{
	struct wire_log *l = ctx;

	if (!len)
		abort(); /* an empty piece is no news */
	answer_feed(l->answer, data, len);
	l->body_len += len;
	for (size_t i = 0; i < len; i++)
		l->body_hash = (l->body_hash ^ data[i]) * 16777619u;
}

static inline void wire_log_body_gap(void *ctx, uint64_t len)
{
	struct wire_log *l = ctx;

	answer_gap(l->answer, len);
	wire_log_body_flush(l);
	buf_printf(&l->out, "gap %" PRIu64 "\n", len);
}

static inline void wire_log_end(void *ctx, enum http1_end how)
{
	struct wire_log *l = ctx;

	answer_end(l->answer);
	l->facts = *answer_facts(l->answer);
	wire_log_body_flush(l);
	buf_printf(&l->out, "end %d ", how);
	wire_log_facts(&l->out, &l->facts);
	answer_free(l->answer);
	l->answer = NULL;
}

static const struct http1_events wire_log_events = {
	.head = wire_log_head,
	.interim = wire_log_interim,
	.body = wire_log_body,
	.body_gap = wire_log_body_gap,
	.end = wire_log_end,
};

/* Where the next piece ends: at least 1 byte, at most what is left. */
typedef size_t (*wire_cut)(void *ctx, size_t at, size_t left);

static inline size_t wire_cut_none(void *ctx, size_t at, size_t left)
{
	(void)ctx;
	(void)at;
	return left;
}

static inline size_t wire_cut_bytes(void *ctx, size_t at, size_t left)
{
	(void)ctx;
	(void)at;
	(void)left;
	return 1;
}

/* Two pieces: the first is *(size_t *)ctx bytes long. */
static inline size_t wire_cut_at(void *ctx, size_t at, size_t left)
{
	size_t first = *(size_t *)ctx;

	return at < first && first - at < left ? first - at : left;
}

/* xorshift32 with the state in *(uint32_t *)ctx (never 0): pieces of 1 to 64 bytes. */
static inline size_t wire_cut_random(void *ctx, size_t at, size_t left)
{
	uint32_t *x = ctx;
	size_t n;

	(void)at;
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	n = 1 + *x % 64;
	return n < left ? n : left;
}

/* One direction of a connection from its first byte to the sender's end. Release with wire_log_free(). */
static inline void wire_log_stream(struct wire_log *l, const uint8_t *data, size_t len,
				   wire_cut cut, void *ctx)
{
	struct http1 p;
	int err = 0;

	wire_log_body_flush(l);
	http1_init(&p, l->response ? HTTP1_RESPONSE : HTTP1_REQUEST, &wire_log_events, l);
	for (size_t at = 0, n; at < len && !err; at += n) {
		uint8_t *piece;

		n = cut(ctx, at, len - at);
		piece = malloc(n); /* of its own, so that a sanitizer sees reads beyond it */
		if (!piece)
			abort();
		memcpy(piece, data + at, n);
		err = http1_feed(&p, piece, n);
		free(piece);
	}
	wire_log_body_flush(l);
	buf_printf(&l->out, "state %d err %d\n", p.state, err);
	http1_eof(&p);
}

static inline void wire_log_free(struct wire_log *l)
{
	answer_free(l->answer);
	buf_free(&l->out);
	memset(l, 0, sizeof(*l));
}

#endif
