/* SPDX-License-Identifier: Apache-2.0 */
/* What libtokscope_cupti.so tells of GPU work (gpu/activity.h), as metrics of the servers that discovery knows. */
#ifndef CLI_CUPTI_METRICS_H
#define CLI_CUPTI_METRICS_H

#include "cli/session.h"
#include "gpu/activity.h"
#include "metric/registry.h"

struct cupti_metrics;

struct cupti_metrics_config {
	const struct session *session; /* its discovery knows the owners */
	struct gpu_inventory *inventory;
	bool names; /* of kernels are wanted by `work` */
	/* As of struct activity_config. */
	void (*work)(void *ctx, const struct activity_work *w);
	void (*busy)(void *ctx, const struct gpu_use *u, struct interval *items, size_t count);
	void (*lost)(void *ctx, uint32_t tgid, uint64_t now_ns);
	void (*flushed)(void *ctx, uint32_t tgid, uint64_t now_ns);
	void *ctx;
};

struct cupti_metrics *cupti_metrics_new(struct registry *r,
					const struct cupti_metrics_config *config);
void cupti_metrics_free(struct cupti_metrics *m);

/* All on the session's thread. A record of kind TKS_KIND_CUPTI_*. */
void cupti_metrics_record(struct cupti_metrics *m, const struct tks_header *h);
/* Since the last call, was anything lost between the libraries, whichever, and the agent? */
bool cupti_metrics_lost(struct cupti_metrics *m);
/* Before discovery forgets the process. */
void cupti_metrics_process_gone(struct cupti_metrics *m, uint32_t tgid);
/* About once a second: brings the registry up to date. info: nobody else tells tokscope_gpu_info. */
void cupti_metrics_update(struct cupti_metrics *m, bool info, uint64_t now_ns);

const struct devices *cupti_metrics_devices(const struct cupti_metrics *m);

#endif
