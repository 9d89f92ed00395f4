/* SPDX-License-Identifier: Apache-2.0 */
/* Label values of GPU driver calls, from the tables of include/tks_gpu_*.def. All strings are static storage. */
#ifndef GPU_NAMES_H
#define GPU_NAMES_H

#include <stdint.h>

#include "tks_gpu.h"

/* "ctl", "gpu", "uvm"; "unknown" for what is not in the table. */
const char *gpu_device_name(uint32_t device);
/* "RM_FREE", "RM_ALLOC.MEMORY_LOCAL_USER", "RM_CONTROL.FB_GET_INFO_V2"; "OTHER". */
const char *gpu_command_name(uint32_t command);
/* "MEMORY_LOCAL_USER"; "_OTHER". */
const char *gpu_class_name(uint32_t class_number);
/* Of a failed call: "NV_ERR_NO_MEMORY", or where the system call itself failed the errno's name "ENODEV"; else "_OTHER". */
const char *gpu_error_type(int ret, uint32_t status);

#endif
