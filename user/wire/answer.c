// SPDX-License-Identifier: Apache-2.0
#include "wire/answer.h"

#include <stdlib.h>
#include <string.h>

#include "wire/answer_state.h"

/* Ends OpenAI-shaped streams in place of a JSON document. */
static const char done_marker[] = "[DONE]";
#define DONE_LEN (sizeof(done_marker) - 1)

static void document_reset(struct answer *a)
{
	a->now = (struct current){ .output = -1 };
	a->number[ROLE_INDEX] = -1;
	a->number[ROLE_CHOICE_INDEX] = -1;
	a->matched = 0;
	json_reset(&a->json);
}

static int64_t first_known(int64_t a, int64_t b, int64_t c)
{
	return a >= 0 ? a : b >= 0 ? b : c;
}

static int64_t or_zero(int64_t n)
{
	return n >= 0 ? n : 0;
}

/*
 * Usage wins over llama.cpp's timings, whose prompt_n leaves out what came from the cache. Where each of several
 * choices has its own numbers, the last ones say nothing about all.
 */
static void settle_tokens(struct answer *a)
{
	struct answer_facts *f = &a->facts;
	const int64_t *n = a->number;

	f->choices = n[ROLE_CHOICES];
	f->output_tokens =
		first_known(n[ROLE_OUTPUT], n[ROLE_TIMING_OUTPUT], n[ROLE_OUTPUT_SO_FAR]);
	f->cached_tokens = first_known(n[ROLE_CACHED], n[ROLE_CACHE_READ], n[ROLE_TIMING_CACHED]);
	f->input_tokens = -1;
	if (n[ROLE_INPUT] >= 0)
		f->input_tokens = n[ROLE_INPUT] + or_zero(n[ROLE_CACHE_READ]) +
				  or_zero(n[ROLE_CACHE_CREATION]);
	else if (n[ROLE_TIMING_INPUT] >= 0 && n[ROLE_TIMING_CACHED] >= 0)
		f->input_tokens = n[ROLE_TIMING_INPUT] + n[ROLE_TIMING_CACHED];
	if (a->many)
		f->input_tokens = f->output_tokens = f->cached_tokens = -1;
}

/* SGLang: more text than this choice had, or more tokens. */
static bool has_grown(struct answer *a, unsigned int slot)
{
	bool grown = a->now.text_len > a->text_seen[slot] || a->now.output > a->output_seen[slot];

	a->text_seen[slot] = a->now.text_len;
	if (a->now.output >= 0)
		a->output_seen[slot] = a->now.output;
	return grown;
}

/* The choices that the current event carried content of. */
static uint8_t content_choices(struct answer *a)
{
	unsigned int slot = answer_slot(a->number[ROLE_INDEX]);
	bool content = a->now.content || (a->now.delta && a->now.delta_type);

	if (a->dialect == DIALECT_SGLANG && has_grown(a, slot))
		content = true;
	return a->now.choices | (content ? 1u << slot : 0);
}

static void unmatch(struct answer *a)
{
	json_feed(&a->json, (const uint8_t *)done_marker, a->matched);
	a->matched = 0;
}

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Data of an event. The bytes of done_marker are withheld from the scanner until one differs. */
static void event_data(void *ctx, const uint8_t *data, size_t len)
{
	struct answer *a = ctx;

	for (; len && json_blank(&a->json); data++, len--) {
		if (a->matched < DONE_LEN && *data == done_marker[a->matched])
			a->matched++;
		else if (!is_space(*data) || (a->matched && a->matched < DONE_LEN))
			break;
	}
	if (!len)
		return;
	if (a->matched)
		unmatch(a);
	json_feed(&a->json, data, len);
}

/* Whether the data so far is the marker or one whole document. */
static bool event_whole(struct answer *a)
{
	if (a->matched == DONE_LEN)
		return true;
	if (a->matched)
		unmatch(a);
	return json_end(&a->json);
}

static void event_end(struct answer *a, bool failed)
{
	struct answer_event ev = { .error = failed };

	if (json_blank(&a->json) && !a->matched)
		return document_reset(a); /* no data: no event */
	if (event_whole(a)) {
		ev.choices = content_choices(a);
		ev.content = ev.choices != 0;
		ev.error |= a->now.error;
		a->facts.done |= a->now.done || a->matched == DONE_LEN;
	} else {
		a->facts.in_sync = false;
	}
	a->facts.error |= ev.error;
	a->facts.events++;
	a->facts.content_events += ev.content;
	settle_tokens(a);
	document_reset(a);
	if (a->events && a->events->event)
		a->events->event(a->ctx, &ev);
}

static void sse_dispatch(void *ctx)
{
	struct answer *a = ctx;

	event_end(a, sse_failed(&a->sse));
}

static void ndjson_feed(struct answer *a, const uint8_t *data, size_t len)
{
	const uint8_t *end = data + len;

	while (data < end) {
		const uint8_t *lf = memchr(data, '\n', end - data);

		if (!a->lost)
			event_data(a, data, (lf ? lf : end) - data);
		if (!lf)
			return;
		if (!a->lost)
			event_end(a, false);
		a->lost = false;
		data = lf + 1;
	}
}

static void document_feed(struct answer *a, const uint8_t *data, size_t len)
{
	if (a->lost)
		return;
	json_feed(&a->json, data, len);
	a->facts.in_sync &= json_in_sync(&a->json);
}

static void document_end(struct answer *a)
{
	if (a->lost || json_blank(&a->json))
		return;
	if (!json_end(&a->json)) {
		a->facts.in_sync = false;
		return;
	}
	a->facts.error |= a->now.error;
	a->facts.done |= a->now.done;
}

struct answer *answer_new(enum dialect dialect, bool response, enum body_format format,
			  const struct answer_events *events, void *ctx)
{
	static const struct json_events values = { .value = answer_value };
	static const struct sse_events lines = { .data = event_data, .dispatch = sse_dispatch };
	struct answer *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->dialect = dialect;
	/* curl -d and others send JSON under any type, and servers read it; it is told from the rest by its text. */
	a->format = response ? format : BODY_JSON;
	a->events = events;
	a->ctx = ctx;
	a->facts = (struct answer_facts){ .stream = -1, .in_sync = true };
	memset(a->number, 0xff, sizeof(a->number)); /* all -1 */
	settle_tokens(a);
	sse_init(&a->sse, &lines, a);
	json_init(&a->json, a->fields, dialect_fields(dialect, response, a->fields), &values, a);
	document_reset(a);
	return a;
}

void answer_free(struct answer *a)
{
	if (!a)
		return;
	explicit_bzero(a, sizeof(*a));
	free(a);
}

void answer_feed(struct answer *a, const uint8_t *data, size_t len)
{
	switch (a->format) {
	case BODY_JSON:
		document_feed(a, data, len);
		break;
	case BODY_SSE:
		sse_feed(&a->sse, data, len);
		break;
	case BODY_NDJSON:
		ndjson_feed(a, data, len);
		break;
	case BODY_OTHER:
		break;
	}
}

void answer_gap(struct answer *a, uint64_t len)
{
	if (!len)
		return;
	a->facts.in_sync = false;
	a->lost = true;
	settle_tokens(a);
	document_reset(a);
	sse_gap(&a->sse);
}

void answer_end(struct answer *a)
{
	bool pending = a->format == BODY_SSE ? sse_pending(&a->sse) : !a->lost;

	if (a->format == BODY_JSON)
		document_end(a);
	else if (pending && event_whole(a))
		event_end(a, a->format == BODY_SSE && sse_failed(&a->sse));
	else if (pending && !json_blank(&a->json))
		a->facts.in_sync = false; /* cut in the middle of an event */
	settle_tokens(a);
}

const struct answer_facts *answer_facts(const struct answer *a)
{
	return &a->facts;
}
