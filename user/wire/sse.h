/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server-sent events (WHATWG HTML, "Interpreting an event stream"): hands on the data of events as it comes, holding none
 * of it. Other fields are skipped: what dialects say in `event:` stands in the JSON too.
 */
#ifndef WIRE_SSE_H
#define WIRE_SSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sse_events {
	/* Part of the data of the current event; lines of one event are joined by "\n". */
	void (*data)(void *ctx, const uint8_t *data, size_t len);
	/* The blank line after an event that has data. */
	void (*dispatch)(void *ctx);
};

struct sse {
	const struct sse_events *events;
	void *ctx;
	uint8_t state; /* private to sse.c, as is what follows */
	uint8_t name_len;
	bool saw_cr;
	bool has_data;
	bool lost;   /* after a gap: skip to the next blank line */
	bool failed; /* the event's data came in an `error:` field */
	char name[8];
};

void sse_init(struct sse *s, const struct sse_events *events, void *ctx);
void sse_feed(struct sse *s, const uint8_t *data, size_t len);
/* Bytes are missing: the current event is dropped, and what follows up to the next blank line. */
void sse_gap(struct sse *s);

/* An event has data, but its blank line has not come. */
bool sse_pending(const struct sse *s);
/*
 * The current event was sent in the field `error`, not `data`: no standard, but llama.cpp up to 2025 reports errors in
 * mid-stream so.
 */
bool sse_failed(const struct sse *s);

#endif
