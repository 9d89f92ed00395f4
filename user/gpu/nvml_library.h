/* SPDX-License-Identifier: Apache-2.0 */
/* NVIDIA's libnvidia-ml.so.1 as it is found on this machine: never linked, loaded where it is there. */
#ifndef GPU_NVML_LIBRARY_H
#define GPU_NVML_LIBRARY_H

#include "gpu/nvml_abi.h"

#define NVML_ERROR_MAX 256

/* Functions of the library; an optional one that it does not have is NULL. */
struct nvml_api {
	void *handle; /* dlopen's */
#define NVML_CALL(symbol, need, patience, arguments) int(*symbol) arguments;
#include "gpu/nvml_calls.def"
#undef NVML_CALL
};

/*
 * path: the library, or the folder that it is in; NULL: where the loader looks, else in the root of the driver's container, or
 * where GKE puts it. 0, -ENOENT (there is none) or -ELIBBAD (it cannot be used), both with the reason in `error`.
 */
int nvml_library_open(struct nvml_api *api, const char *path, char error[NVML_ERROR_MAX]);
void nvml_library_close(struct nvml_api *api);

#endif
