/* SPDX-License-Identifier: Apache-2.0 */
/* What one process has done on one GPU since it was last published. */
#ifndef GPU_ACTIVITY_TALLY_H
#define GPU_ACTIVITY_TALLY_H

#include <stdint.h>

#include "gpu/activity_owner.h"
#include "gpu/kernel_class.h"
#include "metric/registry.h"
#include "tks_cupti.h"

#define MEMCPY_KINDS (TKS_CUPTI_PTOP + 1) /* 0: one that CUPTI does not tell, or that is new */
/* "htod"; "unknown" */
const char *memcpy_label(unsigned int kind);

/* One histogram each. */
enum tally_slot {
	TALLY_KERNEL,				      /* + enum kernel_class */
	TALLY_MEMCPY = TALLY_KERNEL + KERNEL_CLASSES, /* + enum tks_cupti_memcpy */
	TALLY_GRAPH = TALLY_MEMCPY + MEMCPY_KINDS,
	TALLY_LAUNCH_DELAY,
	TALLY_STEP_GAP,
	TALLY_SLOTS,
};

struct gpu_tally {
	struct registry *registry;
	struct hist hists[TALLY_SLOTS]; /* bounds NULL: not used yet */
	uint64_t bytes[MEMCPY_KINDS];
};

struct gpu_tally *gpu_tally_new(struct registry *r); /* NULL: out of memory */
void gpu_tally_free(void *t);

void gpu_tally_observe(struct gpu_tally *t, unsigned int slot, uint64_t ns);

/* The labels that every metric of GPU work has: S and D of metrics.def, and room for one more. */
#define TALLY_LABELS (OWNER_LABELS + 2)
/* To the registry, for that owner; begins anew. values are changed beyond TALLY_LABELS. */
void gpu_tally_publish(struct gpu_tally *t, uint32_t owner, const char *values[METRIC_LABELS_MAX]);

#endif
