// SPDX-License-Identifier: Apache-2.0
#include "driver.h"

#include <dlfcn.h>

static const struct {
	const char *name;
	size_t offset;
} calls[] = {
#define CALL(name, arguments) { #name, offsetof(struct driver, name) },
	DRIVER_CALLS(CALL)
#undef CALL
};

const char *driver_load(struct driver *d)
{
	void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);

	if (!library)
		return dlerror();
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		void *address = dlsym(library, calls[i].name);

		if (!address)
			return dlerror();
		*(void **)((char *)d + calls[i].offset) = address;
	}
	return NULL;
}
