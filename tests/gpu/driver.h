/* SPDX-License-Identifier: Apache-2.0 */
/* The CUDA driver by dlopen(), for a program that is built where there is no CUDA: <cuda.h>'s functions, by their exports. */
#ifndef DRIVER_H
#define DRIVER_H

#include <stddef.h>
#include <stdint.h>

/* CALL(name, arguments): CUdevice is an int, CUdeviceptr a uint64_t, every other handle a pointer. */
#define DRIVER_CALLS(CALL)                                                                      \
	CALL(cuInit, (unsigned int flags))                                                      \
	CALL(cuDriverGetVersion, (int *version))                                                \
	CALL(cuGetErrorName, (int result, const char **name))                                   \
	CALL(cuDeviceGet, (int *device, int ordinal))                                           \
	CALL(cuDeviceGetName, (char *name, int length, int device))                             \
	CALL(cuDevicePrimaryCtxRetain, (void **context, int device))                            \
	CALL(cuCtxSetCurrent, (void *context))                                                  \
	CALL(cuModuleLoadData, (void **module, const void *image))                              \
	CALL(cuModuleGetFunction, (void **function, void *module, const char *name))            \
	CALL(cuMemAlloc_v2, (uint64_t * memory, size_t size))                                   \
	CALL(cuMemFree_v2, (uint64_t memory))                                                   \
	CALL(cuMemGetInfo_v2, (size_t * free, size_t * total))                                  \
	CALL(cuMemsetD8_v2, (uint64_t memory, unsigned char value, size_t size))                \
	CALL(cuMemcpyDtoH_v2, (void *to, uint64_t from, size_t size))                           \
	CALL(cuStreamCreate, (void **stream, unsigned int flags))                               \
	CALL(cuStreamSynchronize, (void *stream))                                               \
	CALL(cuStreamBeginCapture_v2, (void *stream, int mode))                                 \
	CALL(cuStreamEndCapture, (void *stream, void **graph))                                  \
	CALL(cuGraphInstantiateWithFlags, (void **exec, void *graph, unsigned long long flags)) \
	CALL(cuGraphLaunch, (void *exec, void *stream))                                         \
	CALL(cuEventCreate, (void **event, unsigned int flags))                                 \
	CALL(cuEventRecord, (void *event, void *stream))                                        \
	CALL(cuEventElapsedTime, (float *milliseconds, void *from, void *to))                   \
	CALL(cuLaunchKernel,                                                                    \
	     (void *function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z,    \
	      unsigned int block_x, unsigned int block_y, unsigned int block_z,                 \
	      unsigned int shared, void *stream, void **args, void **extra))

struct driver {
#define CALL(name, arguments) int(*name) arguments;
	DRIVER_CALLS(CALL)
#undef CALL
};

enum {
	NON_BLOCKING = 1,	  /* CU_STREAM_NON_BLOCKING */
	CAPTURE_THREAD_LOCAL = 1, /* CU_STREAM_CAPTURE_MODE_THREAD_LOCAL */
};

/* Loads libcuda.so.1. NULL: it did; else what is wrong, valid until the next dlerror(). */
const char *driver_load(struct driver *d);

#endif
