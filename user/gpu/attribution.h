/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose work was it? Each nanosecond in which a GPU was busy is divided equally among the requests that ran then, of the
 * groups (servers, with all their processes) whose work it was; a request's time is summed over the GPUs. All in whole
 * nanoseconds: the requests' times and the remainder (no request ran; what is left of a division and waits for the next) add up
 * to the busy unions exactly.
 *
 * Work and requests are told in any order; nothing is divided before the watermark passes it. What is told of the time
 * before the watermark comes too late. Then, and where work was not told or had no room, the requests that it concerns have
 * no known time: none is made up.
 */
#ifndef GPU_ATTRIBUTION_H
#define GPU_ATTRIBUTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gpu/busy.h"

/* What "running" means: as the engine tells, else from request complete to the last content. */
enum attribution_source {
	ATTRIBUTION_ENGINE,
	ATTRIBUTION_IN_FLIGHT,
};
/* "engine", "in_flight": gpu_source of the request record. */
const char *attribution_source_name(enum attribution_source s);

struct attribution_result {
	uint64_t request;
	uint32_t group;
	enum attribution_source source;
	bool known; /* false: gpu_ns says nothing */
	uint64_t gpu_ns;
};

struct attribution_ops {
	/* Of each request that has ended, once it is settled. No call of attribution_* from here. */
	void (*settled)(void *ctx, const struct attribution_result *r);
};

struct attribution_config {
	size_t max_requests;  /* 0: 65536 */
	size_t max_intervals; /* kept of one GPU and group; 0: 65536 */
};

struct attribution;

/* NULL: out of memory. */
struct attribution *attribution_new(const struct attribution_config *config,
				    const struct attribution_ops *ops, void *ctx);
void attribution_free(struct attribution *a);

/*
 * The group's processes tell all their work from this time on, or no more. A request that begins before it, or ends after
 * it, has no known time.
 */
void attribution_covered(struct attribution *a, uint32_t group, uint64_t from_ns);
void attribution_uncovered(struct attribution *a, uint32_t group);
/* Some of the group's work before this time is not known: neither is the time of requests that began before. */
void attribution_lost(struct attribution *a, uint32_t group, uint64_t until_ns);
/* The server is gone: its requests have no known time, and are not told of any more. */
void attribution_forget(struct attribution *a, uint32_t group);

/* -EEXIST: the id is in use. -ENOSPC, -ENOMEM: the request has no known time, and will not be told of. */
int attribution_request_start(struct attribution *a, uint64_t request, uint32_t group,
			      uint64_t start_ns, enum attribution_source source);
/* Not before its start. One that is not followed is ignored. */
void attribution_request_end(struct attribution *a, uint64_t request, uint64_t end_ns);

/* Work of a group on a GPU, whatever number that is; intervals as busy_add() takes them. 0 or -ENOMEM, -ENOSPC. */
int attribution_busy(struct attribution *a, uint32_t gpu, uint32_t group, struct interval *items,
		     size_t count);

/* Divides all time before the watermark, which never goes back. 0 or -ENOMEM: later. */
int attribution_settle(struct attribution *a, uint64_t watermark_ns);

struct attribution_stats {
	uint64_t requests;     /* followed now */
	uint64_t busy_ns;      /* unions of all GPUs, before the watermark */
	uint64_t requests_ns;  /* of them, what went to requests (running ones, too) */
	uint64_t remainder_ns; /* of them, what did not */
	uint64_t
		late; /* intervals that came, or reached back, behind the watermark; not in busy_ns */
	uint64_t late_requests; /* of covered groups: began or ended behind the watermark */
	uint64_t refused;	/* requests and work that there was no room for */
	uint64_t divisions;	/* of a GPU's time, for a change of who ran on it */
};
void attribution_get_stats(const struct attribution *a, struct attribution_stats *stats);

#endif
