/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Joins the calls that launch GPU work with the work, by process and CUPTI's correlation id. Either may be told first; several
 * pieces of work may have one call (the kernels of a graph), of which the first counts.
 */
#ifndef GPU_LAUNCHES_H
#define GPU_LAUNCHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct launch {
	uint32_t tgid, correlation;
	uint16_t device;  /* ordinal, of the work */
	uint64_t call_ns; /* when the call began; 0: not told yet */
	uint64_t work_ns; /* when the work began; 0: not told yet */
};

struct launches;

/* max: as many wait at most, and of one process a quarter; then the oldest are given up. NULL: out of memory. */
struct launches *launches_new(size_t max);
void launches_free(struct launches *l);

/*
 * now_ns: when it was told (CLOCK_MONOTONIC). True: this completes a pair, which is in *pair.
 */
bool launches_call(struct launches *l, uint32_t tgid, uint32_t correlation, uint64_t call_ns,
		   uint64_t now_ns, struct launch *pair);
/* Also gives the call's beginning to work that is not the first of it: in *pair, though the result is false; else 0. */
bool launches_work(struct launches *l, uint32_t tgid, uint32_t correlation, uint16_t device,
		   uint64_t work_ns, uint64_t now_ns, struct launch *pair);

/* Gives up what was told before this time. */
void launches_expire(struct launches *l, uint64_t before_ns);
void launches_process_gone(struct launches *l, uint32_t tgid);

struct launches_stats {
	uint64_t unmatched_calls; /* given up: no work of theirs was told */
	uint64_t unmatched_works; /* given up: the call was not told */
	uint64_t no_memory;
	uint64_t waiting; /* now, matched ones that wait for more work included */
};
void launches_get_stats(const struct launches *l, struct launches_stats *stats);

#endif
