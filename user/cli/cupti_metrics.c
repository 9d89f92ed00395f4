// SPDX-License-Identifier: Apache-2.0
#include "cli/cupti_metrics.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "discover/labels.h"

#define FAILURES_MAX 64

struct cupti_metrics {
	struct cupti_metrics_config config;
	struct activity *activity;
	uint64_t lost; /* lost_on_the_way() as it was last */
};

static_assert(OWNER_LABELS == SERVER_LABELS, "both are S of metrics.def");

static void on_owner(void *ctx, uint32_t tgid, struct activity_owner *out)
{
	const struct cupti_metrics *m = ctx;
	const struct discovery *d = m->config.session->discovery;
	const struct server *s = d ? discovery_resolve_process(d, tgid) : NULL;

	if (!s)
		return;
	out->id = s->id;
	server_labels(s, out->port, out->labels);
}

static void on_work(void *ctx, const struct activity_work *w)
{
	const struct cupti_metrics *m = ctx;

	m->config.work(m->config.ctx, w);
}

static void on_busy(void *ctx, const struct gpu_use *u, struct interval *items, size_t count)
{
	const struct cupti_metrics *m = ctx;

	m->config.busy(m->config.ctx, u, items, count);
}

static void on_lost(void *ctx, uint32_t tgid, uint64_t now_ns)
{
	const struct cupti_metrics *m = ctx;

	m->config.lost(m->config.ctx, tgid, now_ns);
}

static void on_flushed(void *ctx, uint32_t tgid, uint64_t now_ns)
{
	const struct cupti_metrics *m = ctx;

	m->config.flushed(m->config.ctx, tgid, now_ns);
}

struct cupti_metrics *cupti_metrics_new(struct registry *r,
					const struct cupti_metrics_config *config)
{
	struct cupti_metrics *m = calloc(1, sizeof(*m));
	const struct activity_config ac = { .owner = on_owner,
					    .work = config->work ? on_work : NULL,
					    .busy = config->busy ? on_busy : NULL,
					    .lost = config->lost ? on_lost : NULL,
					    .flushed = config->flushed ? on_flushed : NULL,
					    .ctx = m,
					    .inventory = config->inventory,
					    .keep_names = config->names };

	if (!m)
		return NULL;
	m->config = *config;
	m->activity = activity_new(r, &ac);
	if (m->activity)
		return m;
	free(m);
	return NULL;
}

void cupti_metrics_free(struct cupti_metrics *m)
{
	if (!m)
		return;
	activity_free(m->activity);
	free(m);
}

void cupti_metrics_record(struct cupti_metrics *m, const struct tks_header *h)
{
	activity_record(m->activity, h);
}

/* By the stages of tks_failures.def that lose what a library has told. */
static uint64_t lost_on_the_way(const struct loader *l)
{
	static const char *const stages[] = { "ring_full", "cupti_read", "cupti_batch" };
	struct loader_failure rows[FAILURES_MAX];
	size_t count = loader_failures(l, rows, FAILURES_MAX);
	uint64_t lost = 0;

	for (size_t i = 0; i < count && i < FAILURES_MAX; i++)
		for (size_t k = 0; k < sizeof(stages) / sizeof(stages[0]); k++)
			if (!strcmp(rows[i].stage, stages[k]))
				lost += rows[i].count;
	return lost;
}

bool cupti_metrics_lost(struct cupti_metrics *m)
{
	uint64_t before = m->lost;

	m->lost = lost_on_the_way(m->config.session->loader);
	return m->lost != before;
}

void cupti_metrics_process_gone(struct cupti_metrics *m, uint32_t tgid)
{
	activity_process_gone(m->activity, tgid);
}

void cupti_metrics_update(struct cupti_metrics *m, bool info, uint64_t now_ns)
{
	activity_tell_info(m->activity, info);
	activity_tick(m->activity, now_ns);
}

const struct devices *cupti_metrics_devices(const struct cupti_metrics *m)
{
	return activity_devices(m->activity);
}
