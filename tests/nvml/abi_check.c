// SPDX-License-Identifier: Apache-2.0
/* Compiles where user/gpu/nvml_abi.h says what NVIDIA's nvml.h says (-I its folder): for tests/e2e/test_nvml.py. */
#include <stddef.h>

#include <nvml.h>

#include "gpu/nvml_abi.h"

#define IS(ours, theirs) _Static_assert((long long)(ours) == (long long)(theirs), #theirs)

IS(NVML_OK, NVML_SUCCESS);
IS(NVML_UNINITIALIZED, NVML_ERROR_UNINITIALIZED);
IS(NVML_NOT_SUPPORTED, NVML_ERROR_NOT_SUPPORTED);
IS(NVML_NO_PERMISSION, NVML_ERROR_NO_PERMISSION);
IS(NVML_NOT_FOUND, NVML_ERROR_NOT_FOUND);
IS(NVML_INSUFFICIENT_POWER, NVML_ERROR_INSUFFICIENT_POWER);
IS(NVML_DRIVER_NOT_LOADED, NVML_ERROR_DRIVER_NOT_LOADED);
IS(NVML_TIMEOUT, NVML_ERROR_TIMEOUT);
IS(NVML_IRQ_ISSUE, NVML_ERROR_IRQ_ISSUE);
IS(NVML_FUNCTION_NOT_FOUND, NVML_ERROR_FUNCTION_NOT_FOUND);
IS(NVML_GPU_IS_LOST, NVML_ERROR_GPU_IS_LOST);
IS(NVML_RESET_REQUIRED, NVML_ERROR_RESET_REQUIRED);
IS(NVML_OPERATING_SYSTEM, NVML_ERROR_OPERATING_SYSTEM);
IS(NVML_VERSION_MISMATCH, NVML_ERROR_LIB_RM_VERSION_MISMATCH);
IS(NVML_NO_DATA, NVML_ERROR_NO_DATA);
IS(NVML_UNKNOWN, NVML_ERROR_UNKNOWN);

#define MEMBER(ours, member, theirs, name)                         \
	IS(offsetof(struct ours, member), offsetof(theirs, name)); \
	IS(sizeof(((struct ours *)0)->member), sizeof(((theirs *)0)->name))

IS(sizeof(struct nvml_utilization), sizeof(nvmlUtilization_t));
MEMBER(nvml_utilization, gpu, nvmlUtilization_t, gpu);
IS(sizeof(struct nvml_memory), sizeof(nvmlMemory_t));
MEMBER(nvml_memory, total, nvmlMemory_t, total);
MEMBER(nvml_memory, free, nvmlMemory_t, free);
MEMBER(nvml_memory, used, nvmlMemory_t, used);
IS(sizeof(struct nvml_event), sizeof(nvmlEventData_t));
MEMBER(nvml_event, device, nvmlEventData_t, device);
MEMBER(nvml_event, type, nvmlEventData_t, eventType);
MEMBER(nvml_event, data, nvmlEventData_t, eventData);
IS(NVML_EVENT_XID, nvmlEventTypeXidCriticalError);
IS(NVML_TEMPERATURE_DIE, NVML_TEMPERATURE_GPU);
IS(NVML_MIG_ENABLED, NVML_DEVICE_MIG_ENABLE);
IS(NVML_ECC_SINCE_LOAD, NVML_VOLATILE_ECC);
IS(0, NVML_MEMORY_ERROR_TYPE_CORRECTED);
IS(1, NVML_MEMORY_ERROR_TYPE_UNCORRECTED);
IS(0, NVML_CLOCK_GRAPHICS);
IS(1, NVML_CLOCK_SM);
IS(2, NVML_CLOCK_MEM);
IS(3, NVML_CLOCK_VIDEO);
IS(NVML_TEXT_SIZE, NVML_DEVICE_UUID_V2_BUFFER_SIZE);
IS(NVML_TEXT_SIZE, NVML_DEVICE_NAME_V2_BUFFER_SIZE);
IS(sizeof(struct nvml_memory_two), sizeof(nvmlMemory_v2_t));
MEMBER(nvml_memory_two, version, nvmlMemory_v2_t, version);
MEMBER(nvml_memory_two, total, nvmlMemory_v2_t, total);
MEMBER(nvml_memory_two, used, nvmlMemory_v2_t, used);
IS(NVML_MEMORY_TWO, nvmlMemory_v2);

/* What is called is declared there. */
static const void *const calls[] __attribute__((unused)) = {
#define NVML_CALL(symbol, ...) (const void *)symbol,
#include "gpu/nvml_calls.def"
#undef NVML_CALL
};
