// SPDX-License-Identifier: Apache-2.0
/*
 * A FAKE of NVIDIA's driver library, for tests on machines without a GPU: cuInit() loads what CUDA_INJECTION64_PATH names, as
 * the real one does, and there are as many devices as CUDA_VISIBLE_DEVICES lists, "2,0" for instance: GPU n has the UUID that
 * repeats the byte 0x10 + n and the PCI address 0:n+1:0. FAKE_CUDA_MIG=1: each is a MIG instance with 0x80 + n.
 */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda_abi.h"

#define NOT_INITIALIZED 3
#define INVALID_DEVICE	101
#define EXPORT		__attribute__((visibility("default")))
#define API(name, ...)                \
	EXPORT int name(__VA_ARGS__); \
	EXPORT int name(__VA_ARGS__)

static _Atomic bool initialized;

static void inject(void)
{
	const char *path = getenv("CUDA_INJECTION64_PATH");
	void *library = path && *path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
	int (*start)(void) = NULL;

	if (library)
		*(void **)&start = dlsym(library, "InitializeInjection");
	else if (path && *path)
		fprintf(stderr, "fake libcuda: %s\n", dlerror());
	if (start && start() != 1)
		fprintf(stderr, "fake libcuda: the injection failed\n");
}

API(cuInit, unsigned int flags)
{
	static _Atomic bool once;

	(void)flags;
	if (!atomic_exchange(&once, true))
		inject();
	initialized = true;
	return CUDA_OK;
}

API(cuDeviceGetCount, int *count)
{
	const char *visible = getenv("CUDA_VISIBLE_DEVICES");

	if (!initialized)
		return NOT_INITIALIZED;
	*count = visible && *visible ? 1 : 0;
	for (; visible && *visible; visible++)
		*count += *visible == ',';
	return CUDA_OK;
}

/* CUDA's device handles are the ordinals. */
API(cuDeviceGet, int *device, int ordinal)
{
	*device = ordinal;
	return initialized ? CUDA_OK : NOT_INITIALIZED;
}

/* Which GPU of the machine it is: a digit of the list. */
static int gpu_of(int device)
{
	return getenv("CUDA_VISIBLE_DEVICES")[device * 2] - '0';
}

API(cuDeviceGetName, char *name, int length, int device)
{
	snprintf(name, (size_t)length, "Fake GPU %d", gpu_of(device));
	return CUDA_OK;
}

API(cuDeviceGetAttribute, int *value, int attribute, int device)
{
	switch (attribute) {
	case DEVICE_PCI_BUS_ID:
		*value = gpu_of(device) + 1;
		return CUDA_OK;
	case DEVICE_PCI_DOMAIN_ID:
	case DEVICE_PCI_DEVICE_ID:
		*value = 0;
		return CUDA_OK;
	default:
		return INVALID_DEVICE;
	}
}

API(cuDeviceGetUuid, uint8_t uuid[16], int device)
{
	memset(uuid, 0x10 + gpu_of(device), 16);
	return CUDA_OK;
}

API(cuDeviceGetUuid_v2, uint8_t uuid[16], int device)
{
	memset(uuid, (getenv("FAKE_CUDA_MIG") ? 0x80 : 0x10) + gpu_of(device), 16);
	return CUDA_OK;
}
