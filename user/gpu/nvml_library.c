// SPDX-License-Identifier: Apache-2.0
#include "gpu/nvml_library.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SONAME	     "libnvidia-ml.so.1"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#if defined(__aarch64__)
#define TRIPLET "aarch64-linux-gnu"
#else
#define TRIPLET "x86_64-linux-gnu"
#endif

/* Where the loader does not look: NVIDIA's GPU operator mounts its driver container's root, GKE the driver's libraries. */
static const char *const places[] = {
	"/run/nvidia/driver/usr/lib/" TRIPLET "/" SONAME,
	"/run/nvidia/driver/usr/lib64/" SONAME,
	"/usr/local/nvidia/lib64/" SONAME,
};

enum need {
	OPTIONAL,
	REQUIRED,
};

static const struct symbol {
	const char *name;
	enum need need;
	size_t offset; /* of the pointer in struct nvml_api */
} symbols[] = {
#define NVML_CALL(symbol, need, patience, arguments) \
	{ #symbol, need, offsetof(struct nvml_api, symbol) },
#include "gpu/nvml_calls.def"
#undef NVML_CALL
};

static int resolve(struct nvml_api *api, const char *path, char error[NVML_ERROR_MAX])
{
	for (size_t i = 0; i < COUNT(symbols); i++) {
		void *address = dlsym(api->handle, symbols[i].name);

		if (!address && symbols[i].need == REQUIRED) {
			snprintf(error, NVML_ERROR_MAX,
				 "%.128s has no %s: it is no NVML, or too old", path,
				 symbols[i].name);
			return -ELIBBAD;
		}
		memcpy((char *)api + symbols[i].offset, &address, sizeof(address));
	}
	return 0;
}

static bool load(struct nvml_api *api, const char *path)
{
	api->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	return api->handle != NULL;
}

/* The path that was loaded; NULL: none could be. */
static const char *load_any(struct nvml_api *api)
{
	if (load(api, SONAME))
		return SONAME;
	for (size_t i = 0; i < COUNT(places); i++)
		if (load(api, places[i]))
			return places[i];
	return NULL;
}

static const char *load_given(struct nvml_api *api, const char *path, char *buf, size_t size)
{
	struct stat st;

	if (!stat(path, &st) && S_ISDIR(st.st_mode)) {
		snprintf(buf, size, "%s/" SONAME, path);
		path = buf;
	}
	return load(api, path) ? path : NULL;
}

int nvml_library_open(struct nvml_api *api, const char *path, char error[NVML_ERROR_MAX])
{
	const char *found;
	char inside[4096];
	int err;

	memset(api, 0, sizeof(*api));
	found = path ? load_given(api, path, inside, sizeof(inside)) : load_any(api);
	if (!found) {
		if (path)
			snprintf(error, NVML_ERROR_MAX, "%s", dlerror());
		else
			snprintf(error, NVML_ERROR_MAX,
				 "no " SONAME " here; --nvml-path tells where it is");
		return -ENOENT;
	}
	err = resolve(api, found, error);
	if (err)
		nvml_library_close(api);
	return err;
}

void nvml_library_close(struct nvml_api *api)
{
	if (api->handle)
		dlclose(api->handle);
	memset(api, 0, sizeof(*api));
}
