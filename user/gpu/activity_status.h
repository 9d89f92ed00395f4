/* SPDX-License-Identifier: Apache-2.0 */
/* How libtokscope_cupti.so fares in each process: its states and counters as metrics. */
#ifndef GPU_ACTIVITY_STATUS_H
#define GPU_ACTIVITY_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "gpu/activity_owner.h"
#include "metric/registry.h"
#include "tks_cupti.h"

struct activity_status;

struct activity_status *activity_status_new(struct registry *r); /* NULL: out of memory */
void activity_status_free(struct activity_status *s);

/*
 * What the counters have grown by since the last time goes to the registry. Returns 1 where work was lost meanwhile, 0
 * where none was, -ENOSPC: there is no room for the process.
 */
int activity_status_told(struct activity_status *s, uint32_t tgid,
			 const struct tks_cupti_status *now, const struct activity_owner *o);
void activity_status_process_gone(struct activity_status *s, uint32_t tgid,
				  const struct activity_owner *o);
/* The numbers of processes, by server and state. */
void activity_status_publish(struct activity_status *s, activity_owner_fn owner, void *ctx);

#endif
