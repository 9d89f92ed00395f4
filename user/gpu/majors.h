/* SPDX-License-Identifier: Apache-2.0 */
/* Which device nodes belong to GPU drivers: their major numbers. */
#ifndef GPU_MAJORS_H
#define GPU_MAJORS_H

#include <stdint.h>

#include "tks_gpu.h"

/*
 * Fills majors, 0 for a driver that is not there. `text` is what --gpu-majors says, "nvidia=195,nvidia-uvm=511": those
 * drivers only; NULL: the fixed numbers, and what `devices` (/proc/devices) lists. Returns 0 or -EINVAL.
 */
int gpu_majors_parse(const char *text, const char *devices, uint32_t majors[TKS_GPU_FAMILIES]);

#endif
