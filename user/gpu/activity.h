/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What GPU work means: records of libtokscope_cupti.so become metrics, and are handed on with what is known of them.
 *
 * Busy time is the union of all kernels, graphs, copies and fills of all processes on a GPU, however late a batch comes:
 * ten seconds back are remembered, what lies further back is cut and counted. A step gap is a time in which a process had
 * nothing to run on a GPU, and the call that launched the next work began only in it; it is told two seconds later, when
 * nothing can fill it any more. Gaps of a second and more are not between steps: there was nothing to do.
 */
#ifndef GPU_ACTIVITY_H
#define GPU_ACTIVITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gpu/activity_owner.h"
#include "gpu/activity_tally.h"
#include "gpu/devices.h"
#include "metric/registry.h"
#include "tks_cupti.h"

/* A record that has plausible times, and what is known of it. Valid during the call. */
struct activity_work {
	const struct tks_cupti_record *record;
	uint32_t tgid;
	const struct gpu_use *use; /* NULL: of launches */
	const char *name;	   /* of a kernel, mangled; NULL: not told, or not kept */
};

struct activity_config {
	activity_owner_fn owner;
	/* NULL: nobody wants to know. Kernels, graphs, copies, fills and launches. */
	void (*work)(void *ctx, const struct activity_work *w);
	/* NULL: nobody wants to know. What a batch tells of one GPU, at once; the items may be changed. */
	void (*busy)(void *ctx, const struct gpu_use *u, struct interval *items, size_t count);
	/* NULL: nobody wants to know. Work of this process that ended before now_ns will not be told. */
	void (*lost)(void *ctx, uint32_t tgid, uint64_t now_ns);
	/* NULL: nobody wants to know. What work of this process had ended before the last such call has been told. */
	void (*flushed)(void *ctx, uint32_t tgid, uint64_t now_ns);
	void *ctx;
	struct gpu_inventory *inventory; /* the caller's; NULL: no GPU has an index */
	bool keep_names;		 /* of kernels, for `work` */
};

struct activity;

/* r must outlive it. NULL: out of memory. */
struct activity *activity_new(struct registry *r, const struct activity_config *config);
void activity_free(struct activity *a);

/* A record of kind TKS_KIND_CUPTI_*, of h->size bytes: what does not fit in them is not read. Others are ignored. */
void activity_record(struct activity *a, const struct tks_header *h);
/* Before its owner is forgotten. */
void activity_process_gone(struct activity *a, uint32_t tgid);
/* About once a second (now_ns: CLOCK_MONOTONIC): settles, and brings the registry up to date. */
void activity_tick(struct activity *a, uint64_t now_ns);

/* From the next tick on: is tokscope_gpu_info ours to tell? At first it is. */
void activity_tell_info(struct activity *a, bool info);

/* For views: which GPUs, and which processes use them. */
const struct devices *activity_devices(const struct activity *a);

enum activity_discard {
#define DISCARD(id, label) DISCARD_##id,
#include "gpu/activity_kinds.def"
#undef DISCARD
	DISCARDS,
};
/* Records so far, by what of them was not measured. */
uint64_t activity_discarded(const struct activity *a, enum activity_discard reason);

#endif
