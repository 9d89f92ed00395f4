/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies: reads a request's or an answer's JSON, SSE or NDJSON body in one pass, in any cut, without ever holding it.
 *
 * The JSON scanner (json_scan.h) pushes values through the dialect's table of fields (dialects.def); what an event or a
 * document says is collected in struct answer_facts. Strings of the body never leave except through the few fields of
 * answer_facts, each bounded.
 */
#ifndef WIRE_ANSWER_H
#define WIRE_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/http1.h"
#include "wire/route.h"

#define ANSWER_MODEL_MAX   128
#define ANSWER_REASON_MAX  32
#define ANSWER_CHOICES_MAX 8 /* choice indexes told apart in ITL; higher ones share the last */

/* What the whole body has said so far. Numbers are -1 while unknown; strings are "" while unknown. */
struct answer_facts {
	char model[ANSWER_MODEL_MAX +
		   1]; /* depth-1 "model" (or the dialect's place), scanner in sync, allowed
						 characters only (design.md 6, Bounds); else "" */
	char finish_reason[ANSWER_REASON_MAX + 1]; /* [a-z_]+ only */
	int64_t input_tokens;			   /* GenAI convention: cached ones included */
	int64_t output_tokens;
	int64_t cached_tokens;
	int stream;	 /* request bodies: 1 true, 0 false, -1 not said */
	int64_t choices; /* request bodies: n, -1 not said */
	bool error;	 /* an error object or error event was seen */
	bool done; /* the dialect's own terminator was seen ([DONE], done:true, message_stop, ...) */
	bool in_sync; /* false once a gap or malformed JSON broke the scan: counts are not to be trusted */
	uint64_t events; /* SSE / NDJSON data events, [DONE] included */
	uint64_t content_events;
};

/* One finished SSE / NDJSON data event. */
struct answer_event {
	bool content; /* carries content of any choice */
	bool error;
	uint8_t choices; /* bit i: choice i carried content (bit 7: 7 and above); 1 where there is no index */
};

struct answer_events {
	void (*event)(void *ctx, const struct answer_event *ev); /* may be NULL */
};

struct answer; /* ~2 KiB; allocated once per message, by answer_new */

/*
 * `response` false: a request body. `format` as the head said (an answer with BODY_OTHER is not looked into).
 * Returns NULL when memory is out. Owned by the caller.
 */
struct answer *answer_new(enum dialect dialect, bool response, enum body_format format,
			  const struct answer_events *events, void *ctx);
void answer_free(struct answer *a); /* NULL is fine; zeroes its windows */

void answer_feed(struct answer *a, const uint8_t *data, size_t len);
/* len bytes are missing: facts.in_sync becomes false; SSE and NDJSON find the next event boundary and go on. */
void answer_gap(struct answer *a, uint64_t len);
/* End of the body: a last unterminated NDJSON line or JSON document is evaluated. */
void answer_end(struct answer *a);

const struct answer_facts *answer_facts(const struct answer *a);

#endif
