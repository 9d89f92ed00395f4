/* SPDX-License-Identifier: Apache-2.0 */
/* What NVML has told of this machine's GPUs at one time. */
#ifndef GPU_NVML_SAMPLE_H
#define GPU_NVML_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "gpu/nvml_call.h"
#include "metric/registry.h"

enum nvml_reading {
#define NVML_READING(name, ...) NVML_##name,
#include "gpu/nvml_readings.def"
#undef NVML_READING
	NVML_READINGS,
};

/* The metric of a reading, and its labels after gpu, hw_id and hw_name. */
struct nvml_reading_metric {
	enum metric_id id;
	const char *labels[2]; /* NULL: it has fewer */
};
extern const struct nvml_reading_metric nvml_reading_metrics[NVML_READINGS];

#define NVML_INDEX_UNKNOWN UINT32_MAX

struct nvml_identity {
	uint32_t index; /* NVML's, which is DCGM's: by PCI address */
	char uuid[NVML_TEXT_SIZE];
	char name[NVML_TEXT_SIZE]; /* "NVIDIA H100 80GB HBM3"; "": not told */
};

/* An instance of a GPU in MIG mode. A GPU has 8 at most, as many as it has memory slices. */
#define NVML_INSTANCES_MAX 8
struct nvml_instance {
	char uuid[NVML_TEXT_SIZE];
	uint32_t id;	  /* of the GPU instance */
	char profile[32]; /* "1g.10gb" */
};

struct nvml_gpu {
	struct nvml_identity who;
	uint32_t has; /* bits by enum nvml_reading; what the driver does not tell is not there */
	double values[NVML_READINGS]; /* in the metrics' units */
	struct nvml_instance instances[NVML_INSTANCES_MAX];
	unsigned int instance_count;
};

static inline bool nvml_has(const struct nvml_gpu *g, enum nvml_reading reading)
{
	return g->has & 1U << reading;
}

struct nvml_xid {
	struct nvml_identity who;
	uint64_t xid;
	uint64_t count; /* since we look */
};

struct nvml_sample {
	bool read; /* false: NVML is not read (any more), and nothing is known of GPUs */
	struct nvml_gpu *gpus;
	unsigned int gpu_count;
	/* since the agent started */
	struct nvml_xid *xids;
	unsigned int xid_count;
	uint64_t failures[NVML_FAILURES];
};

void nvml_sample_free(struct nvml_sample *s);

#endif
