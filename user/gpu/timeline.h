/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GPU work as a picture: the latest records, written as JSON in Chrome's Trace Event Format, which Perfetto
 * (https://ui.perfetto.dev) and chrome://tracing open. A process has a track for each stream of each GPU, and for each thread
 * that launches; arrows lead from the calls to their work.
 */
#ifndef GPU_TIMELINE_H
#define GPU_TIMELINE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "gpu/activity.h"

struct timeline;

/* max_events: the latest are kept. NULL: out of memory. */
struct timeline *timeline_new(size_t max_events);
void timeline_free(struct timeline *t);

/* For activity_config.work, with keep_names. */
void timeline_add(struct timeline *t, const struct activity_work *w);

/*
 * Events that end at since_ns (CLOCK_MONOTONIC) or later. `process` names a process, for people; it may return NULL. Returns 0,
 * -ENOMEM, or -EIO when f has failed.
 */
int timeline_write(struct timeline *t, FILE *f, uint64_t since_ns,
		   const char *(*process)(void *ctx, uint32_t tgid), void *ctx);

struct timeline_stats {
	size_t events;	  /* kept now */
	uint64_t dropped; /* older than these, or there was no room */
};
void timeline_get_stats(const struct timeline *t, struct timeline_stats *stats);

#endif
