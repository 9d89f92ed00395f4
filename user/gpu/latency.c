// SPDX-License-Identifier: Apache-2.0
#include "gpu/latency.h"

#include <stdlib.h>
#include <string.h>

#include "gpu/names.h"
#include "metric/bounds.h"
#include "metric/fold.h"

struct gpu_latency {
	struct registry *registry;
	struct fold *seen;
	struct hist hist; /* scratch */
};

struct gpu_latency *gpu_latency_new(struct registry *r)
{
	struct gpu_latency *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->registry = r;
	l->seen = fold_new();
	if (l->seen && !hist_init(&l->hist, registry_bounds(r, M_GPU_IOCTL_DURATION)))
		return l;
	fold_free(l->seen);
	free(l);
	return NULL;
}

void gpu_latency_free(struct gpu_latency *l)
{
	if (!l)
		return;
	fold_free(l->seen);
	hist_free(&l->hist);
	free(l);
}

void gpu_latency_cell(struct gpu_latency *l, const struct tks_gpu_cell_key *key,
		      const struct tks_gpu_cell *now)
{
	const char *values[METRIC_LABELS_MAX] = { gpu_device_name(key->device),
						  gpu_command_name(key->command) };
	const struct fold_counts counts = { { now->count, now->sum_ns, now->failed } };
	struct fold_counts growth;
	uint64_t number = 0, count;

	memcpy(&number, key, sizeof(*key));
	if (!fold_growth(l->seen, number, &counts, &growth))
		return;
	count = growth.value[0];
	hist_reset(&l->hist);
	if (hist_observe(&l->hist, (double)growth.value[1] / count / 1e9, count))
		return;
	registry_merge(l->registry, M_GPU_IOCTL_DURATION, 0, values, &l->hist);
	registry_add(l->registry, M_GPU_IOCTL_FAILURES, 0, values, growth.value[2]);
}
