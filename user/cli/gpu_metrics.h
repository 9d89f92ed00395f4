/* SPDX-License-Identifier: Apache-2.0 */
/* GPU driver calls as metrics: what the kernel side tells and counts becomes families of the registry. */
#ifndef CLI_GPU_METRICS_H
#define CLI_GPU_METRICS_H

#include "cli/session.h"
#include "gpu/inventory.h"
#include "metric/registry.h"

struct gpu_metrics;

/* Both stay the caller's. NULL: out of memory. */
struct gpu_metrics *gpu_metrics_new(struct registry *r, struct gpu_inventory *inventory);
void gpu_metrics_free(struct gpu_metrics *g);

/* All on the session's thread. */
void gpu_metrics_record(struct gpu_metrics *g, const struct discovery *d, const struct tks_gpu *r);
/* Before discovery forgets the process. */
void gpu_metrics_process_gone(struct gpu_metrics *g, const struct discovery *d, uint32_t tgid);
/* About once a second: brings the registry up to date. */
void gpu_metrics_update(struct gpu_metrics *g, const struct session *s);

#endif
