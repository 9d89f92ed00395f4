// SPDX-License-Identifier: Apache-2.0
#include "devices.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#include "compat.h"
#include "cuda_abi.h"

static const struct {
	const char *name;
	size_t offset;
} symbols[] = {
#define SYMBOL(name)                                   \
	{                                              \
#name, offsetof(struct cuda_api, name) \
	}
	SYMBOL(cuDeviceGetCount),     SYMBOL(cuDeviceGet),     SYMBOL(cuDeviceGetName),
	SYMBOL(cuDeviceGetAttribute), SYMBOL(cuDeviceGetUuid), SYMBOL(cuDeviceGetUuid_v2),
#undef SYMBOL
};

/* All but cuDeviceGetUuid_v2 are in every driver that CUPTI 11.8 works with. */
static bool load(struct cuda_api *cuda)
{
	void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);

	for (size_t i = 0; i < sizeof(symbols) / sizeof(*symbols); i++)
		*(void **)((char *)cuda + symbols[i].offset) =
			library ? dlsym(library, symbols[i].name) : NULL;
	return cuda->cuDeviceGetCount && cuda->cuDeviceGet && cuda->cuDeviceGetName &&
	       cuda->cuDeviceGetAttribute && cuda->cuDeviceGetUuid;
}

static uint32_t attribute(const struct cuda_api *cuda, int id, int device)
{
	int value = 0;

	return cuda->cuDeviceGetAttribute(&value, id, device) == CUDA_OK ? (uint32_t)value : 0;
}

static bool read_uuid(const struct cuda_api *cuda, int device, struct tks_cupti_device *out)
{
	uint8_t whole[sizeof(out->uuid)];

	if (cuda->cuDeviceGetUuid(whole, device) != CUDA_OK)
		return false;
	memcpy(out->uuid, whole, sizeof(whole));
	if (cuda->cuDeviceGetUuid_v2 && cuda->cuDeviceGetUuid_v2(out->uuid, device) != CUDA_OK)
		return false;
	out->mig = memcmp(out->uuid, whole, sizeof(whole)) != 0;
	return true;
}

static bool read_device(const struct cuda_api *cuda, int ordinal, struct tks_cupti_device *out)
{
	int device;

	*out = (struct tks_cupti_device){ .ordinal = (uint32_t)ordinal };
	if (cuda->cuDeviceGet(&device, ordinal) != CUDA_OK || !read_uuid(cuda, device, out) ||
	    cuda->cuDeviceGetName(out->name, sizeof(out->name) - 1, device) != CUDA_OK)
		return false;
	out->pci_domain = attribute(cuda, DEVICE_PCI_DOMAIN_ID, device);
	out->pci_bus = attribute(cuda, DEVICE_PCI_BUS_ID, device);
	out->pci_device = attribute(cuda, DEVICE_PCI_DEVICE_ID, device);
	return true;
}

bool devices_read(void (*tell)(const struct tks_cupti_device *device))
{
	struct tks_cupti_device device;
	struct cuda_api cuda;
	int count = 0;

	if (!load(&cuda) || cuda.cuDeviceGetCount(&count) != CUDA_OK)
		return false;
	for (int i = 0; i < count && i < DEVICES_MAX; i++) {
		if (!read_device(&cuda, i, &device))
			return false;
		tell(&device);
	}
	return count > 0;
}
