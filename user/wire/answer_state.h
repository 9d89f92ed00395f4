/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of struct answer, shared by answer.c (documents and events) and answer_value.c (what a value means). */
#ifndef WIRE_ANSWER_STATE_H
#define WIRE_ANSWER_STATE_H

#include "wire/answer.h"
#include "wire/dialect.h"
#include "wire/json_scan.h"
#include "wire/sse.h"

/* What the current event, or the one document, has said. */
struct current {
	bool content; /* at the root */
	bool choice_content;
	bool delta;	 /* there is a root "delta" ... */
	bool delta_type; /* ... and the type says that it is content */
	bool error;
	bool done;
	uint8_t choices;
	uint64_t text_len; /* ROLE_GROWING */
	int64_t output;	   /* ROLE_OUTPUT */
};

struct answer {
	enum dialect dialect;
	enum body_format format;
	bool lost;	 /* after a gap: skip to the next line (NDJSON), or for good (JSON) */
	bool many;	 /* events speak about more than one choice, each with its own numbers */
	bool status_why; /* ROLE_STATUS_WHY was seen */
	uint8_t matched; /* bytes of done_marker that the event begins with */
	const struct answer_events *events;
	void *ctx;
	struct answer_facts facts;
	struct current now;
	int64_t number[ROLE_NUMBERS]; /* -1: not said */
	uint64_t text_seen[ANSWER_CHOICES_MAX];
	int64_t output_seen[ANSWER_CHOICES_MAX];
	struct sse sse;
	struct json_scan json;
	const struct json_field *fields[JSON_FIELDS_MAX];
};

/* Where a choice index is kept; none (-1) is the first. */
static inline unsigned int answer_slot(int64_t index)
{
	if (index < 0)
		return 0;
	return index < ANSWER_CHOICES_MAX ? index : ANSWER_CHOICES_MAX - 1;
}

/* json_events.value; ctx is the struct answer. */
void answer_value(void *ctx, const struct json_field *field, const struct json_value *v);

#endif
