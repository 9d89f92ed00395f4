// SPDX-License-Identifier: Apache-2.0
#include "gpu/activity_inside.h"

#include <string.h>

static void set(struct activity *a, enum metric_id id, const char *first, const char *second,
		double value)
{
	const char *values[METRIC_LABELS_MAX] = { first, second };

	registry_set(a->registry, id, 0, values, value);
}

static void publish_use(struct gpu_use *u, const struct activity_owner *o)
{
	const char *values[METRIC_LABELS_MAX] = { 0 };

	if (!u->tally)
		return;
	memcpy(values, o->labels, sizeof(o->labels));
	values[OWNER_LABELS] = u->gpu->index;
	values[OWNER_LABELS + 1] = u->gpu->uuid;
	gpu_tally_publish(u->tally, o->id, values);
}

/* Tallies go to whom the process belongs to now. */
static void publish_uses(struct activity *a)
{
	struct gpu_use *u = NULL;

	while ((u = devices_next_use(a->devices, u))) {
		struct activity_owner o;

		activity_owner_of(a, u->tgid, &o);
		u->server = o.id;
		publish_use(u, &o);
	}
}

static bool is_first_of_server(const struct activity *a, const struct gpu_use *u)
{
	const struct gpu_use *other = NULL;

	while ((other = devices_next_use(a->devices, other)) != u)
		if (other->worked && other->server == u->server)
			return false;
	return true;
}

static unsigned int count_gpus(const struct activity *a, uint32_t server)
{
	const struct gpu_use *u = NULL;
	unsigned int gpus = 0;

	while ((u = devices_next_use(a->devices, u))) {
		if (!u->worked || u->server != server || u->gpu->counted_for == server)
			continue;
		u->gpu->counted_for = server;
		gpus++;
	}
	return gpus;
}

static void publish_server_gpus(struct activity *a)
{
	const struct gpu_use *u = NULL;

	while ((u = devices_next_use(a->devices, u))) {
		const char *values[METRIC_LABELS_MAX] = { 0 };
		struct activity_owner o;

		if (!u->worked || !u->server || !is_first_of_server(a, u))
			continue;
		activity_owner_of(a, u->tgid, &o);
		memcpy(values, o.labels, sizeof(o.labels));
		registry_set(a->registry, M_SERVER_GPUS, o.id, values, count_gpus(a, o.id));
	}
	devices_count_anew(a->devices);
}

/* What was told of it while its index was unknown. */
static void forget_unknown(struct activity *a, struct gpu *g)
{
	const char *info[METRIC_LABELS_MAX] = { GPU_INDEX_NONE, g->mig ? NULL : g->parent,
						g->uuid };
	const char *busy[METRIC_LABELS_MAX] = { GPU_INDEX_NONE, g->uuid };

	registry_remove(a->registry, M_GPU_INFO, info);
	registry_remove(a->registry, M_GPU_BUSY, busy);
	g->counted_ns = 0;
	g->found = false;
}

/* Added up by the registry, which remembers a GPU that is forgotten here. */
static void publish_busy(struct activity *a, struct gpu *g)
{
	const char *values[METRIC_LABELS_MAX] = { g->index, g->uuid };

	if (g->busy_ns != g->counted_ns)
		registry_add(a->registry, M_GPU_BUSY, 0, values,
			     (g->busy_ns - g->counted_ns) / 1e9);
	g->counted_ns = g->busy_ns;
}

/* What is ours to tell no more is taken back: whoever tells it now may know more labels. */
static void publish_info(struct activity *a, struct gpu *g)
{
	const char *values[METRIC_LABELS_MAX] = { g->index, g->parent, g->uuid };

	if (a->info)
		registry_set(a->registry, M_GPU_INFO, 0, values, 1);
	else if (g->told)
		registry_remove(a->registry, M_GPU_INFO, values);
	g->told = a->info;
}

static void publish_gpus(struct activity *a, const struct devices_stats *stats)
{
	struct gpu *g = NULL;

	while ((g = devices_next_gpu(a->devices, g))) {
		if (g->found)
			forget_unknown(a, g);
		publish_busy(a, g);
		publish_info(a, g);
	}
	if (stats->unknown_busy_ns)
		set(a, M_GPU_BUSY, GPU_INDEX_NONE, NULL, stats->unknown_busy_ns / 1e9);
}

/* What the tables have counted. */
static void collect_discarded(const struct activity *a, const struct devices_stats *devices,
			      uint64_t discarded[DISCARDS])
{
	struct launches_stats launches;
	struct kernel_names_stats names;

	launches_get_stats(a->launches, &launches);
	kernel_names_get_stats(a->names, &names);
	memcpy(discarded, a->discarded, sizeof(a->discarded));
	discarded[DISCARD_UNMATCHED_WORK] += launches.unmatched_works;
	discarded[DISCARD_UNMATCHED_LAUNCH] += launches.unmatched_calls;
	discarded[DISCARD_LATE] += devices->late;
	discarded[DISCARD_UNORDERED] += devices->unordered;
	discarded[DISCARD_NO_ROOM] += launches.no_memory + names.refused;
}

static void publish_counts(struct activity *a, const uint64_t discarded[DISCARDS])
{
	static const char *const kinds[] = {
#define RECORD_KIND(kind, label) [kind] = label,
#include "gpu/activity_kinds.def"
#undef RECORD_KIND
	};
	static const char *const reasons[] = {
#define DISCARD(id, label) [DISCARD_##id] = label,
#include "gpu/activity_kinds.def"
#undef DISCARD
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (a->records[i])
			set(a, M_GPU_RECORDS, kinds[i], NULL, a->records[i]);
	for (size_t i = 0; i < DISCARDS; i++)
		if (discarded[i])
			set(a, M_GPU_RECORDS_DISCARDED, reasons[i], NULL, discarded[i]);
}

void activity_tell_info(struct activity *a, bool info)
{
	a->info = info;
}

uint64_t activity_discarded(const struct activity *a, enum activity_discard reason)
{
	struct devices_stats devices;
	uint64_t discarded[DISCARDS];

	devices_get_stats(a->devices, &devices);
	collect_discarded(a, &devices, discarded);
	return discarded[reason];
}

static void settle(struct activity *a, uint64_t now_ns)
{
	uint64_t settled = now_ns > SETTLE_NS ? now_ns - SETTLE_NS : 0;
	uint64_t history = now_ns > HISTORY_NS ? now_ns - HISTORY_NS : 0;
	struct gpu_use *u = NULL;
	struct gpu *g = NULL;

	launches_expire(a->launches, history);
	while ((u = devices_next_use(a->devices, u))) {
		busy_forget(u->busy, settled, activity_settled, u);
		busy_forget(u->gpu->busy, history, NULL, NULL);
	}
	/* Those that no process uses any more, too. */
	while ((g = devices_next_gpu(a->devices, g)))
		busy_forget(g->busy, history, NULL, NULL);
}

void activity_tick(struct activity *a, uint64_t now_ns)
{
	struct devices_stats devices;
	uint64_t discarded[DISCARDS];

	settle(a, now_ns);
	publish_uses(a);
	publish_server_gpus(a);
	activity_status_publish(a->status, a->config.owner, a->config.ctx);
	devices_get_stats(a->devices, &devices);
	publish_gpus(a, &devices);
	collect_discarded(a, &devices, discarded);
	publish_counts(a, discarded);
}

void activity_process_gone(struct activity *a, uint32_t tgid)
{
	struct activity_owner o;
	struct gpu_use *u = NULL;

	activity_owner_of(a, tgid, &o);
	while ((u = devices_next_use(a->devices, u))) {
		if (u->tgid != tgid)
			continue;
		busy_forget(u->busy, UINT64_MAX, activity_settled, u);
		publish_use(u, &o);
	}
	devices_process_gone(a->devices, tgid);
	launches_process_gone(a->launches, tgid);
	kernel_names_process_gone(a->names, tgid);
	activity_status_process_gone(a->status, tgid, &o);
}
