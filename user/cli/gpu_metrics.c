// SPDX-License-Identifier: Apache-2.0
#include "cli/gpu_metrics.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "cli/gpu_reserved.h"
#include "discover/labels.h"
#include "gpu/latency.h"
#include "gpu/memory.h"
#include "gpu/names.h"

struct gpu_metrics {
	struct registry *registry;
	struct gpu_inventory *inventory;
	struct gpu_memory *memory;
	struct gpu_latency *latency;
};

struct gpu_metrics *gpu_metrics_new(struct registry *r, struct gpu_inventory *inventory)
{
	const struct gpu_memory_config config = { 0 };
	struct gpu_metrics *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->registry = r;
	g->inventory = inventory;
	g->memory = gpu_memory_new(&config);
	g->latency = gpu_latency_new(r);
	if (g->memory && g->latency)
		return g;
	gpu_metrics_free(g);
	return NULL;
}

void gpu_metrics_free(struct gpu_metrics *g)
{
	if (!g)
		return;
	gpu_latency_free(g->latency);
	gpu_memory_free(g->memory);
	free(g);
}

static const char *gpu_label(struct labels *l, uint32_t gpu)
{
	if (gpu == TKS_GPU_UNKNOWN)
		return "unknown";
	snprintf(l->number, sizeof(l->number), "%u", gpu);
	return l->number;
}

/* ------------------------------------------------------------------ memory */

static void usage_labels(struct labels *l, const struct server *s, uint32_t gpu)
{
	labels_of_server(l, s);
	l->values[SERVER_LABELS] = gpu_label(l, gpu);
}

static const struct server *owner(const void *d, uint32_t tgid)
{
	return discovery_resolve_process(d, tgid);
}

static void publish_usage(struct gpu_metrics *g, const struct discovery *d)
{
	_cleanup_(reserved_free) struct reserved *all = reserved_new(g->memory, owner, d);

	for (const struct reserved *r = all; r; r = r->hh.next) {
		struct labels l = { 0 };

		usage_labels(&l, r->server, r->key.gpu);
		registry_set(g->registry, M_GPU_MEMORY_RESERVED, r->key.server, l.values, r->bytes);
	}
}

/* Where the process is the server's last that has had memory on a GPU, nothing is told of that any more. */
static void retire_usage(struct gpu_metrics *g, const struct discovery *d, uint32_t tgid)
{
	_cleanup_(reserved_free) struct reserved *all = reserved_new(g->memory, owner, d);
	const struct server *s = discovery_resolve_process(d, tgid);
	const struct gpu_usage *row = NULL;

	while (all && s && (row = gpu_memory_next(g->memory, row))) {
		struct labels l = { 0 };

		if (row->tgid != tgid || reserved_find(all, s, row->gpu)->processes > 1)
			continue;
		usage_labels(&l, s, row->gpu);
		registry_remove(g->registry, M_GPU_MEMORY_RESERVED, l.values);
	}
}

static bool has_usage(const struct gpu_metrics *g, uint32_t tgid)
{
	const struct gpu_usage *row = NULL;

	while ((row = gpu_memory_next(g->memory, row)))
		if (row->tgid == tgid)
			return true;
	return false;
}

static void count_failure(struct gpu_metrics *g, const struct discovery *d, const struct tks_gpu *r)
{
	const struct server *s = discovery_resolve_process(d, r->h.tgid);
	struct labels l = { 0 };

	if (s)
		labels_of_server(&l, s);
	l.values[SERVER_LABELS] = gpu_label(&l, gpu_memory_gpu(g->memory, r));
	l.values[SERVER_LABELS + 1] = gpu_class_name(r->class_number);
	l.values[SERVER_LABELS + 2] = gpu_error_type(r->ret, r->status);
	registry_add(g->registry, M_GPU_ALLOCATION_FAILURES, s ? s->id : 0, l.values, 1);
}

/* In a device's record the driver's instance of the GPU becomes its index; in others, the minor of the node that was called. */
static struct tks_gpu with_index(const struct gpu_metrics *g, const struct tks_gpu *r)
{
	const struct gpu_entry *e = r->kind == TKS_GPU_KIND_DEVICE
					    ? gpu_inventory_by_instance(g->inventory, r->gpu)
					    : gpu_inventory_by_minor(g->inventory, r->gpu);
	struct tks_gpu indexed = *r;

	indexed.gpu = e ? e->index : TKS_GPU_UNKNOWN;
	return indexed;
}

void gpu_metrics_record(struct gpu_metrics *g, const struct discovery *d, const struct tks_gpu *r)
{
	struct tks_gpu indexed;

	if (r->event == TKS_GPU_IDENTITY) {
		if (r->ret >= 0 && !r->status)
			gpu_inventory_learn(g->inventory, r->gpu, r->object);
		return;
	}
	indexed = with_index(g, r);
	if (gpu_allocation_failed(r))
		count_failure(g, d, &indexed);
	gpu_memory_record(g->memory, &indexed);
}

void gpu_metrics_process_gone(struct gpu_metrics *g, const struct discovery *d, uint32_t tgid)
{
	if (has_usage(g, tgid))
		retire_usage(g, d, tgid);
	gpu_memory_process_gone(g->memory, tgid);
}

/* ------------------------------------------------------------------ once a second */

static void on_cell(void *ctx, const struct tks_gpu_cell_key *key, const struct tks_gpu_cell *sum)
{
	struct gpu_metrics *g = ctx;

	gpu_latency_cell(g->latency, key, sum);
}

static void set(struct gpu_metrics *g, enum metric_id id, const char *label, double value)
{
	const char *values[METRIC_LABELS_MAX] = { label };

	registry_set(g->registry, id, 0, values, value);
}

void gpu_metrics_update(struct gpu_metrics *g, const struct session *s)
{
	struct gpu_memory_stats stats;

	if (loader_gpu_hook(s->loader) == GPU_HOOK_OFF)
		return;
	loader_gpu_cells(s->loader, on_cell, g);
	publish_usage(g, s->discovery);
	gpu_memory_get_stats(g->memory, &stats);
	set(g, M_GPU_OBJECTS, NULL, stats.objects);
	set(g, M_EVENTS_LOST, "gpu_objects", stats.refused + stats.no_memory);
}
