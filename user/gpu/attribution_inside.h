/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of attribution.h: what is told (attribution.c) and how it is divided (attribution_sweep.c). */
#ifndef GPU_ATTRIBUTION_INSIDE_H
#define GPU_ATTRIBUTION_INSIDE_H

#include "gpu/attribution.h"

#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

/*
 * Each request of a group gets the same of every nanosecond that it runs, so one sum per group is enough: a request's time is
 * what the sum has grown by between its start and its end.
 */
struct group {
	uint32_t id;
	uint64_t sum_ns;
	uint64_t running;
	bool covered;
	uint64_t covered_ns; /* since when */
	struct share *shares;
	UT_hash_handle hh;
};

struct request {
	uint64_t id;
	struct group *group;
	enum attribution_source source;
	uint64_t start_ns, end_ns;
	uint64_t sum_ns; /* the group's when it started; once settled, its own time */
	bool running, ended, settled, late;
	UT_hash_handle hh;
};

/* The work of one group on one GPU. */
struct share {
	struct group *group;
	struct gpu_time *gpu;
	struct busy *busy;
	bool active;			 /* at the time that the sweep has reached */
	struct share *of_gpu, *of_group; /* the next ones */
};

struct gpu_time {
	uint32_t id;
	uint64_t at_ns;	   /* its time before is divided */
	uint64_t carry_ns; /* left of divisions: less than there were requests */
	struct share *shares;
	UT_hash_handle hh;
};

enum moment {
	REQUEST_STARTS, /* before its own end, should it be the same time */
	REQUEST_ENDS,
	WORK_STARTS,
	WORK_ENDS,
};

struct event {
	uint64_t ns;
	enum moment moment;
	union {
		struct request *request;
		struct share *share;
	};
};

struct attribution {
	struct attribution_config config;
	const struct attribution_ops *ops;
	void *ctx;
	struct group *groups;
	struct gpu_time *gpus;
	struct request *requests;
	size_t shares;
	uint64_t watermark_ns;
	struct event *events; /* of one sweep */
	size_t event_count, event_room;
	struct attribution_stats stats;
};

void request_free(struct attribution *a, struct request *r);

#endif
