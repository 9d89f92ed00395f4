/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a request's time goes: from probes in the engine where a pack has them, else from the wire where headers or content
 * have a meaning of their own. Private to user/track.
 */
#ifndef TRACK_PHASES_H
#define TRACK_PHASES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/keyed_hash.h"
#include "probe/event.h"
#include "track/record.h"

struct request;
struct tracker;

/* What an engine calls a request by, while it does. */
enum handle_kind {
	HANDLE_THREAD, /* the thread that has read it, until another is read there */
	HANDLE_ID,     /* from queued to started */
	HANDLE_SLOT,   /* from started to finished */
	HANDLE_KINDS,
};

struct handle_key {
	uint64_t id;
	uint32_t tgid;
	uint32_t kind; /* enum handle_kind */
};

struct handle {
	UT_hash_handle hh; /* tracker.handles */
	struct handle_key key;
	struct request *request; /* NULL: not in the table */
};

/* Stamps are CLOCK_MONOTONIC, 0: not seen. */
struct phases {
	struct handle handles[HANDLE_KINDS];
	uint64_t tokenize_ns; /* a duration */
	uint64_t tokenize, queued, started, token, finished;
};

/* All of rq was read, by the thread of the record under way. */
void phases_request_read(struct request *rq);
/* rq is about to be freed: the engine's names for it mean nothing any more. */
void phases_request_gone(struct request *rq);
/* Fills r->phase_s and r->phase_start_s; duration_s, ttft_s and time_to_headers_s are there already. */
void phases_summary(const struct request *rq, struct request_record *r, uint64_t end_ns);

#endif
