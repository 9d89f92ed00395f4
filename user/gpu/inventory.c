// SPDX-License-Identifier: Apache-2.0
#include "gpu/inventory.h"

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "tks_gpu.h"

/* Of one that is not listed. Reading the list may wake a sleeping GPU. */
#define AGAIN_NS (10 * NSEC_PER_SEC)

struct gpu_inventory {
	const char *proc;
	struct gpu_entry gpus[TKS_GPU_MAX];
	uint32_t count;
	uint64_t again_ns;		 /* not before then is the list read again */
	uint32_t instances[TKS_GPU_MAX]; /* ids; 0, which is no GPU's: not known */
};

struct gpu_inventory *gpu_inventory_new(const char *proc)
{
	struct gpu_inventory *v = calloc(1, sizeof(*v));

	if (v)
		v->proc = proc;
	return v;
}

void gpu_inventory_free(struct gpu_inventory *v)
{
	free(v);
}

/* ------------------------------------------------------------------ reading */

/*
 * "Device Minor: \t 0", "GPU UUID: \t GPU-...", "GPU Excluded:\t No" (nv-procfs.c of NVIDIA's open kernel modules; the
 * last was "Blacklisted:" before 455). False: it is no GPU that anybody can use.
 */
static bool read_gpu(const char *path, struct gpu_entry *g)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	char line[256], excluded[4] = "";

	g->minor = TKS_GPU_UNKNOWN;
	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "Device Minor: %u", &g->minor);
		sscanf(line, "GPU UUID: %63[-A-Za-z0-9?]", g->uuid);
		if (sscanf(line, "GPU Excluded: %3s", excluded) != 1)
			sscanf(line, "Blacklisted: %3s", excluded);
	}
	/* "GPU-????????-...": nobody has opened it yet. */
	if (strchr(g->uuid, '?'))
		*g->uuid = '\0';
	return f && strcmp(excluded, "Yes") != 0;
}

static int by_address(const void *a, const void *b)
{
	const struct gpu_entry *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* The function of a GPU's PCI device is 0. */
static void read_list(struct gpu_inventory *v, DIR *list, const char *folder)
{
	unsigned int domain, bus, device;
	const struct dirent *e;
	char path[PATH_MAX];

	v->count = 0;
	while (v->count < TKS_GPU_MAX && (e = readdir(list))) {
		struct gpu_entry *g = &v->gpus[v->count];

		if (sscanf(e->d_name, "%x:%x:%x.0", &domain, &bus, &device) != 3)
			continue;
		*g = (struct gpu_entry){ .id = gpu_id(domain, bus, device) };
		snprintf(path, sizeof(path), "%s/%s/information", folder, e->d_name);
		v->count += read_gpu(path, g);
	}
	qsort(v->gpus, v->count, sizeof(v->gpus[0]), by_address);
	for (uint32_t i = 0; i < v->count; i++)
		v->gpus[i].index = i;
}

/* False: it has been read a moment ago, or it cannot be. */
static bool refresh(struct gpu_inventory *v)
{
	uint64_t now_ns = clock_monotonic_ns();
	char folder[PATH_MAX / 2];
	DIR *list;

	if (now_ns < v->again_ns)
		return false;
	v->again_ns = now_ns + AGAIN_NS;
	snprintf(folder, sizeof(folder), "%s/driver/nvidia/gpus", v->proc);
	list = opendir(folder);
	if (!list)
		return false;
	read_list(v, list, folder);
	closedir(list);
	return true;
}

/* ------------------------------------------------------------------ finding */

static const struct gpu_entry *find(const struct gpu_inventory *v, bool by_minor, uint32_t number)
{
	for (uint32_t i = 0; i < v->count; i++)
		if ((by_minor ? v->gpus[i].minor : v->gpus[i].id) == number)
			return &v->gpus[i];
	return NULL;
}

static const struct gpu_entry *find_again(struct gpu_inventory *v, bool by_minor, uint32_t number)
{
	const struct gpu_entry *g = find(v, by_minor, number);

	return g || !refresh(v) ? g : find(v, by_minor, number);
}

/* A UUID may be told by now. */
const struct gpu_entry *gpu_inventory_by_id(struct gpu_inventory *v, uint32_t id)
{
	const struct gpu_entry *g = find_again(v, false, id);

	return g && !*g->uuid && refresh(v) ? find(v, false, id) : g;
}

const struct gpu_entry *gpu_inventory_by_minor(struct gpu_inventory *v, uint32_t minor)
{
	return minor < TKS_GPU_MAX ? find_again(v, true, minor) : NULL;
}

const struct gpu_entry *gpu_inventory_by_instance(struct gpu_inventory *v, uint32_t instance)
{
	if (instance >= TKS_GPU_MAX)
		return NULL;
	if (v->instances[instance])
		return find_again(v, false, v->instances[instance]);
	if (!v->count)
		refresh(v);
	return v->count == 1 && !instance ? &v->gpus[0] : NULL;
}

void gpu_inventory_learn(struct gpu_inventory *v, uint32_t instance, uint32_t id)
{
	if (instance >= TKS_GPU_MAX || !find_again(v, false, id))
		return;
	for (uint32_t i = 0; i < TKS_GPU_MAX; i++)
		if (v->instances[i] == id)
			v->instances[i] = 0;
	v->instances[instance] = id;
}
