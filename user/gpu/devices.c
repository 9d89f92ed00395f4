// SPDX-License-Identifier: Apache-2.0
#include "gpu/devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Far more than a machine has, MIG instances that were made anew included: what a process says is not believed beyond. */
#define GPUS_MAX 1024
#define USES_MAX 1024
/* An ordinal is one GPU for a process's life; what the process executes instead of itself may see others. */
#define CHANGES_MAX 4

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

static bool is_located(const struct gpu *g)
{
	return strcmp(g->index, GPU_INDEX_NONE) != 0;
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

/* Where the driver lists it, or the GPU it is an instance of: by what a process says, which the driver must not contradict. */
static void locate(const struct devices *d, const struct tks_cupti_device *device, struct gpu *g)
{
	uint32_t id = gpu_id(device->pci_domain, device->pci_bus, device->pci_device);
	const struct gpu_entry *e = d->inventory ? gpu_inventory_by_id(d->inventory, id) : NULL;

	if (!e || (!g->mig && *e->uuid && strcasecmp(e->uuid, g->uuid) != 0))
		return;
	snprintf(g->index, sizeof(g->index), "%u", e->index);
	if (g->mig)
		strcpy(g->parent, e->uuid);
	g->found = true;
}

static bool is_forgettable(const struct gpu *g)
{
	bool listed = is_located(g) && !g->mig;

	return !g->uses && !listed && g->counted_ns == g->busy_ns;
}

/* When all is full, forgets the first that nobody uses, of those that only processes have told of. */
static bool has_room(struct devices *d)
{
	struct gpu *g = d->gpus;

	if (HASH_COUNT(d->gpus) < GPUS_MAX)
		return true;
	while (g && !is_forgettable(g))
		g = g->hh.next;
	if (!g)
		return false;
	d->ended.late += late_of(g->busy);
	HASH_DEL(d->gpus, g);
	gpu_free(g);
	return true;
}

static struct gpu *gpu_find(const struct devices *d, const struct tks_cupti_device *device)
{
	char uuid[GPU_UUID_MAX + 1];
	struct gpu *g;

	uuid_text(uuid, device);
	HASH_FIND_STR(d->gpus, uuid, g);
	return g;
}

static struct gpu *gpu_add(struct devices *d, const struct tks_cupti_device *device)
{
	struct gpu *g = has_room(d) ? gpu_new(d) : NULL;

	if (!g)
		return NULL;
	uuid_text(g->uuid, device);
	g->mig = device->mig;
	if (!g->mig)
		strcpy(g->parent, g->uuid);
	snprintf(g->model, sizeof(g->model), "%.*s", (int)sizeof(device->name), device->name);
	HASH_ADD_STR(d->gpus, uuid, g);
	if (g->hh.tbl)
		return g;
	gpu_free(g);
	return NULL;
}

/* ------------------------------------------------------------------ uses */

static void leave_gpu(struct devices *d, struct gpu *g)
{
	if (is_known(g))
		g->uses--;
	else
		unknown_free(d, g);
}

static void use_free(struct devices *d, struct gpu_use *u)
{
	if (u->gpu)
		leave_gpu(d, u->gpu);
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

static bool may_become(const struct gpu_use *u, const struct gpu *g)
{
	return g == u->gpu || !is_known(u->gpu) || u->changes < CHANGES_MAX;
}

bool devices_announce(struct devices *d, uint32_t tgid, const struct tks_cupti_device *device)
{
	struct gpu_use *u = devices_use(d, tgid, device->ordinal);
	struct gpu *g = gpu_find(d, device);

	if (!u || !may_become(u, g))
		return false;
	g = g ?: gpu_add(d, device);
	if (!g)
		return false;
	if (!is_located(g))
		locate(d, device, g);
	if (g == u->gpu)
		return true;
	u->changes += is_known(u->gpu);
	leave_gpu(d, u->gpu);
	u->gpu = g;
	g->uses++;
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
