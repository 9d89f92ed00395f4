/* SPDX-License-Identifier: Apache-2.0 */
/* The values of one GPU (nvml_readings.def). */
#ifndef GPU_NVML_VALUES_H
#define GPU_NVML_VALUES_H

#include "gpu/nvml_call.h"
#include "gpu/nvml_sample.h"

/* Fills values and has, which are 0 before. */
void nvml_read_values(struct nvml_caller *c, nvml_device device, struct nvml_gpu *g);

#endif
