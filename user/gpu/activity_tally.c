// SPDX-License-Identifier: Apache-2.0
#include "gpu/activity_tally.h"

#include <stdlib.h>
#include <string.h>

const char *memcpy_label(unsigned int kind)
{
	static const char *const labels[MEMCPY_KINDS] = {
#define MEMCPY_KIND(kind, label) [kind] = label,
#include "gpu/activity_kinds.def"
#undef MEMCPY_KIND
	};

	return kind < MEMCPY_KINDS && labels[kind] ? labels[kind] : "unknown";
}

struct gpu_tally *gpu_tally_new(struct registry *r)
{
	struct gpu_tally *t = calloc(1, sizeof(*t));

	if (t)
		t->registry = r;
	return t;
}

void gpu_tally_free(void *tally)
{
	struct gpu_tally *t = tally;

	for (unsigned int i = 0; t && i < TALLY_SLOTS; i++)
		if (t->hists[i].bounds)
			hist_free(&t->hists[i]);
	free(t);
}

static enum metric_id metric_of(unsigned int slot)
{
	switch (slot) {
	case TALLY_GRAPH:
		return M_GPU_GRAPH_DURATION;
	case TALLY_LAUNCH_DELAY:
		return M_GPU_LAUNCH_DELAY;
	case TALLY_STEP_GAP:
		return M_GPU_STEP_GAP;
	default:
		return slot < TALLY_MEMCPY ? M_GPU_KERNEL_DURATION : M_GPU_MEMCPY_DURATION;
	}
}

/* NULL: the metric has no further label. */
static const char *label_of(unsigned int slot)
{
	if (slot < TALLY_MEMCPY)
		return kernel_class_label(slot - TALLY_KERNEL);
	return slot < TALLY_GRAPH ? memcpy_label(slot - TALLY_MEMCPY) : NULL;
}

void gpu_tally_observe(struct gpu_tally *t, unsigned int slot, uint64_t ns)
{
	struct hist *h = &t->hists[slot];

	if (!h->bounds && hist_init(h, registry_bounds(t->registry, metric_of(slot)))) {
		memset(h, 0, sizeof(*h));
		return;
	}
	hist_observe(h, ns / 1e9, 1);
}

void gpu_tally_publish(struct gpu_tally *t, uint32_t owner, const char *values[METRIC_LABELS_MAX])
{
	for (unsigned int i = 0; i < TALLY_SLOTS; i++) {
		if (!t->hists[i].bounds || !t->hists[i].count)
			continue;
		values[TALLY_LABELS] = label_of(i);
		registry_merge(t->registry, metric_of(i), owner, values, &t->hists[i]);
		hist_reset(&t->hists[i]);
	}
	for (unsigned int i = 0; i < MEMCPY_KINDS; i++) {
		if (!t->bytes[i])
			continue;
		values[TALLY_LABELS] = memcpy_label(i);
		registry_add(t->registry, M_GPU_MEMCPY_IO, owner, values, t->bytes[i]);
		t->bytes[i] = 0;
	}
}
