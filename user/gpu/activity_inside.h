/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of activity.h: what is taken in (activity.c) and told (activity_publish.c). */
#ifndef GPU_ACTIVITY_INSIDE_H
#define GPU_ACTIVITY_INSIDE_H

#include "base/clock.h"
#include "gpu/activity.h"
#include "gpu/activity_status.h"
#include "gpu/kernel_names.h"
#include "gpu/launches.h"

/* The library flushes once a second at the latest, and the ring is read 20 times a second. */
#define SETTLE_NS  (2 * NSEC_PER_SEC)
#define HISTORY_NS (10 * NSEC_PER_SEC)

struct activity {
	struct registry *registry;
	struct activity_config config;
	bool info;
	struct devices *devices;
	struct launches *launches;
	struct kernel_names *names;
	struct activity_status *status;
	uint64_t records[TKS_CUPTI_OVERHEAD + 1]; /* by kind */
	uint64_t discarded[DISCARDS];		  /* but those that tables count */
};

void activity_owner_of(const struct activity *a, uint32_t tgid, struct activity_owner *o);
/* For busy_forget() of a struct gpu_use: takes the step gap before the interval. */
void activity_settled(void *ctx, const struct interval *i);

#endif
