/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of NVML's binary interface that is used, in our own words: NVIDIA's nvml.h cannot be redistributed. Its types
 * have not changed since they came; tests/nvml/abi_check.c compares these with a real nvml.h.
 */
#ifndef GPU_NVML_ABI_H
#define GPU_NVML_ABI_H

typedef struct nvml_device_handle *nvml_device;
typedef struct nvml_event_set_handle *nvml_event_set;

/* Of a UUID and a name, with the NUL (nvml.h: NVML_DEVICE_UUID_V2_BUFFER_SIZE, NVML_DEVICE_NAME_V2_BUFFER_SIZE). */
#define NVML_TEXT_SIZE 96

/* Percent of the last sampling period. */
struct nvml_utilization {
	unsigned int gpu, memory;
};

/* Bytes. */
struct nvml_memory {
	unsigned long long total, free, used;
};

/* The same in its second version, nvmlMemory_v2_t. `version` is to be set: size | 2 << 24. */
struct nvml_memory_two {
	unsigned int version;
	unsigned long long total, reserved, free, used;
};
#define NVML_MEMORY_TWO ((unsigned int)sizeof(struct nvml_memory_two) | 2U << 24)

#define NVML_EVENT_XID	8ULL /* nvmlEventTypeXidCriticalError */

struct nvml_event {
	nvml_device device;
	unsigned long long type, data; /* data: the Xid */
	unsigned int gpu_instance, compute_instance;
};

#define NVML_TEMPERATURE_DIE 0 /* NVML_TEMPERATURE_GPU */
#define NVML_MIG_ENABLED     1 /* NVML_DEVICE_MIG_ENABLE */
/*
 * NVML_VOLATILE_ECC: since the driver was loaded. What the GPU has had in all its life says nothing about today, and is not kept
 * by every GPU.
 */
#define NVML_ECC_SINCE_LOAD 0

enum nvml_status {
#define NVML_STATUS(name, code, ...) NVML_##name = code,
#include "gpu/nvml_statuses.def"
#undef NVML_STATUS
};

#endif
