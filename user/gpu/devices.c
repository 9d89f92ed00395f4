// SPDX-License-Identifier: Apache-2.0
#include "gpu/devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Far more than a machine has, MIG instances that were made anew included: what a process says is not believed beyond. */
#define GPUS_MAX 1024
#define USES_MAX 1024

struct devices {
	struct gpu_inventory *inventory;
	void (*tally_free)(void *tally);
	struct gpu *gpus;
	struct gpu_use *uses;
	uint32_t numbered;
	struct devices_stats ended; /* of uses and unknown GPUs that are no more */
};

struct devices *devices_new(struct gpu_inventory *inventory, void (*tally_free)(void *tally))
{
	struct devices *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->inventory = inventory;
	d->tally_free = tally_free;
	return d;
}

/* ------------------------------------------------------------------ GPUs */

static void gpu_free(struct gpu *g)
{
	if (g)
		busy_free(g->busy);
	free(g);
}

static bool is_known(const struct gpu *g)
{
	return *g->uuid;
}

static uint64_t late_of(const struct busy *b)
{
	struct busy_stats stats;

	busy_get_stats(b, &stats);
	return stats.late;
}

/* A GPU that nobody has named belongs to one use. */
static void add_unknown(const struct gpu *g, struct devices_stats *stats)
{
	stats->unknown_busy_ns += g->busy_ns;
	stats->late += late_of(g->busy);
}

static void unknown_free(struct devices *d, struct gpu *g)
{
	add_unknown(g, &d->ended);
	gpu_free(g);
}

static struct gpu *gpu_new(struct devices *d)
{
	struct gpu *g = calloc(1, sizeof(*g));

	if (g) {
		g->number = ++d->numbered;
		strcpy(g->index, GPU_INDEX_NONE);
		g->busy = busy_new();
	}
	if (g && g->busy)
		return g;
	gpu_free(g);
	return NULL;
}

static void uuid_text(char out[GPU_UUID_MAX + 1], const struct tks_cupti_device *device)
{
	const uint8_t *u = device->uuid;

	snprintf(out, GPU_UUID_MAX + 1,
		 "%s-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 device->mig ? "MIG" : "GPU", u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8],
		 u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
}

/* Where the driver lists it, or the GPU it is an instance of. */
static void locate(const struct devices *d, const struct tks_cupti_device *device, struct gpu *g)
{
	uint32_t id = gpu_id(device->pci_domain, device->pci_bus, device->pci_device);
	const struct gpu_entry *e = d->inventory ? gpu_inventory_by_id(d->inventory, id) : NULL;

	if (!e)
		return;
	snprintf(g->index, sizeof(g->index), "%u", e->index);
	if (g->mig)
		strcpy(g->parent, e->uuid);
}

static struct gpu *gpu_get(struct devices *d, const struct tks_cupti_device *device)
{
	char uuid[GPU_UUID_MAX + 1];
	struct gpu *g;

	uuid_text(uuid, device);
	HASH_FIND_STR(d->gpus, uuid, g);
	if (g)
		return g;
	if (HASH_COUNT(d->gpus) >= GPUS_MAX) {
		return NULL;
	}
	g = gpu_new(d);
	if (!g)
		return NULL;
	strcpy(g->uuid, uuid);
	g->mig = device->mig;
	if (!g->mig)
		strcpy(g->parent, uuid);
	snprintf(g->model, sizeof(g->model), "%.*s", (int)sizeof(device->name), device->name);
	locate(d, device, g);
	HASH_ADD_STR(d->gpus, uuid, g);
	if (g->hh.tbl)
		return g;
	gpu_free(g);
	return NULL;
}

/* ------------------------------------------------------------------ uses */

static void use_free(struct devices *d, struct gpu_use *u)
{
	if (u->gpu && !is_known(u->gpu))
		unknown_free(d, u->gpu);
	if (u->busy)
		d->ended.unordered += late_of(u->busy);
	busy_free(u->busy);
	d->tally_free(u->tally);
	free(u);
}

static struct gpu_use *use_new(struct devices *d, uint32_t tgid, uint32_t ordinal)
{
	struct gpu_use *u = calloc(1, sizeof(*u));

	if (u) {
		u->tgid = tgid;
		u->ordinal = ordinal;
		u->gpu = gpu_new(d);
		u->busy = busy_new();
	}
	if (u && u->gpu && u->busy)
		HASH_ADD_KEYPTR(hh, d->uses, &u->tgid, 2 * sizeof(uint32_t), u);
	if (u && u->hh.tbl)
		return u;
	if (u)
		use_free(d, u);
	return NULL;
}

struct gpu_use *devices_use(struct devices *d, uint32_t tgid, uint32_t ordinal)
{
	uint32_t key[2] = { tgid, ordinal };
	struct gpu_use *u;

	HASH_FIND(hh, d->uses, key, sizeof(key), u);
	if (u)
		return u;
	if (ordinal < GPU_ORDINALS_MAX && HASH_COUNT(d->uses) < USES_MAX)
		return use_new(d, tgid, ordinal);
	return NULL;
}

bool devices_announce(struct devices *d, uint32_t tgid, const struct tks_cupti_device *device)
{
	struct gpu_use *u = devices_use(d, tgid, device->ordinal);
	struct gpu *g = u ? gpu_get(d, device) : NULL;

	if (!g)
		return false;
	if (g == u->gpu)
		return true;
	if (!is_known(u->gpu))
		unknown_free(d, u->gpu);
	u->gpu = g;
	return true;
}

void devices_process_gone(struct devices *d, uint32_t tgid)
{
	struct gpu_use *u, *next;

	HASH_ITER(hh, d->uses, u, next) {
		if (u->tgid != tgid)
			continue;
		HASH_DEL(d->uses, u);
		use_free(d, u);
	}
}

void devices_free(struct devices *d)
{
	struct gpu_use *u, *next_use;
	struct gpu *g, *next_gpu;

	if (!d)
		return;
	HASH_ITER(hh, d->uses, u, next_use) {
		HASH_DEL(d->uses, u);
		use_free(d, u);
	}
	HASH_ITER(hh, d->gpus, g, next_gpu) {
		HASH_DEL(d->gpus, g);
		gpu_free(g);
	}
	free(d);
}

struct gpu *devices_next_gpu(const struct devices *d, const struct gpu *g)
{
	return g ? g->hh.next : d->gpus;
}

struct gpu_use *devices_next_use(const struct devices *d, const struct gpu_use *u)
{
	return u ? u->hh.next : d->uses;
}

void devices_count_anew(struct devices *d)
{
	for (struct gpu *g = d->gpus; g; g = g->hh.next)
		g->counted_for = 0;
	for (struct gpu_use *u = d->uses; u; u = u->hh.next)
		u->gpu->counted_for = 0;
}

void devices_get_stats(const struct devices *d, struct devices_stats *stats)
{
	*stats = d->ended;
	for (const struct gpu *g = d->gpus; g; g = g->hh.next)
		stats->late += late_of(g->busy);
	for (const struct gpu_use *u = d->uses; u; u = u->hh.next) {
		stats->unordered += late_of(u->busy);
		if (!is_known(u->gpu))
			add_unknown(u->gpu, stats);
	}
}
