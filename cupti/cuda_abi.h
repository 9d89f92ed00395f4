/* SPDX-License-Identifier: Apache-2.0 */
/* The little of the CUDA driver's interface that is used (<cuda.h>); tests/cupti/abi_check.c asserts the numbers. */
#ifndef CUDA_ABI_H
#define CUDA_ABI_H

#include <stdint.h>

enum {
	CUDA_OK = 0
};

/* CUdevice_attribute */
enum {
	DEVICE_PCI_BUS_ID = 33,
	DEVICE_PCI_DEVICE_ID = 34,
	DEVICE_PCI_DOMAIN_ID = 50,
};

/* None of these makes a context. */
struct cuda_api {
	int (*cuDeviceGetCount)(int *count);
	int (*cuDeviceGet)(int *device, int ordinal);
	int (*cuDeviceGetName)(char *name, int length, int device);
	int (*cuDeviceGetAttribute)(int *value, int attribute, int device);
	int (*cuDeviceGetUuid)(uint8_t uuid[16], int device); /* of the whole GPU */
	int (*cuDeviceGetUuid_v2)(
		uint8_t uuid[16],
		int device); /* of the MIG instance, where it is one; from 11.4 on */
};

#endif
