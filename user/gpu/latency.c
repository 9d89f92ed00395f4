// SPDX-License-Identifier: Apache-2.0
#include "gpu/latency.h"

#include <stdlib.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "gpu/names.h"
#include "metric/bounds.h"

/* A cell as it was at the last look. The kernel side bounds how many there are. */
struct seen {
	struct tks_gpu_cell_key key;
	struct tks_gpu_cell cell;
	UT_hash_handle hh;
};

struct gpu_latency {
	struct registry *registry;
	struct seen *seen;
	struct hist hist; /* scratch */
};

struct gpu_latency *gpu_latency_new(struct registry *r)
{
	struct gpu_latency *l = calloc(1, sizeof(*l));

	if (l && !hist_init(&l->hist, metric_family(M_GPU_IOCTL_DURATION)->bounds)) {
		l->registry = r;
		return l;
	}
	free(l);
	return NULL;
}

void gpu_latency_free(struct gpu_latency *l)
{
	struct seen *s, *next;

	if (!l)
		return;
	HASH_ITER(hh, l->seen, s, next) {
		HASH_DEL(l->seen, s);
		free(s);
	}
	hist_free(&l->hist);
	free(l);
}

static struct seen *seen_get(struct gpu_latency *l, const struct tks_gpu_cell_key *key)
{
	struct seen *s;

	HASH_FIND(hh, l->seen, key, sizeof(*key), s);
	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (s) {
		s->key = *key;
		HASH_ADD(hh, l->seen, key, sizeof(s->key), s);
	}
	if (s && s->hh.tbl)
		return s;
	free(s);
	return NULL;
}

void gpu_latency_cell(struct gpu_latency *l, const struct tks_gpu_cell_key *key,
		      const struct tks_gpu_cell *now)
{
	const char *values[METRIC_LABELS_MAX] = { gpu_device_name(key->device),
						  gpu_command_name(key->command) };
	struct seen *s = seen_get(l, key);
	uint64_t count;

	if (!s || now->count == s->cell.count)
		return;
	count = now->count - s->cell.count;
	hist_reset(&l->hist);
	if (hist_observe(&l->hist, (double)(now->sum_ns - s->cell.sum_ns) / count / 1e9, count))
		return;
	registry_merge(l->registry, M_GPU_IOCTL_DURATION, 0, values, &l->hist);
	registry_add(l->registry, M_GPU_IOCTL_FAILURES, 0, values, now->failed - s->cell.failed);
	s->cell = *now;
}
