/* SPDX-License-Identifier: Apache-2.0 */
/* A session whose consumer is the metric registry: what the agent serves and `hist show` draws. */
#ifndef CLI_METER_H
#define CLI_METER_H

#include "cli/session.h"
#include "gpu/activity.h"
#include "metric/registry.h"
#include "track/sampler.h"

/* What else is to happen; all may be NULL. */
struct meter_ops {
	void (*finished)(void *ctx, const struct request_record *r);
	void (*unparsed)(void *ctx, const struct server *s, enum unparsed_reason reason);
	void (*retired)(void *ctx, const struct server *s);
	/* GPU work as it is told, with the names of kernels. */
	void (*gpu_work)(void *ctx, const struct activity_work *w);
	/* About once a second, when the registry is up to date. */
	void (*tick)(void *ctx, uint64_t now_ns);
};

struct meter {
	struct session session;
	struct registry *registry;
	struct observer *observer;
	struct gpu_inventory *gpus;
	struct gpu_metrics *gpu;
	struct cupti_metrics *cupti;
	struct gpu_share *share;
	struct nvml_metrics *nvml; /* NULL: not wanted, or not possible */
	struct probe_metrics *probes;
	struct sampler *
		sampler; /* not owned; NULL: no request gets a span. May be set while the session runs */
	const struct meter_ops *ops;
	void *ctx;
	char host_id[256], host_name[256]; /* of this machine, for Resources */
};

/* Loads, attaches, scans. Returns 0 or negative errno after logging what failed; meter_close() is due in either case. */
int meter_open(struct meter *m, const struct config *c, const struct meter_ops *ops, void *ctx);
/* Ends the session: what is still open, or waits, is told. */
void meter_end(struct meter *m);
/* The same, and frees everything. */
void meter_close(struct meter *m);

#endif
