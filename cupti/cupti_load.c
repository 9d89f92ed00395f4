// SPDX-License-Identifier: Apache-2.0
#include "cupti_load.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>

#include "compat.h"

/* Newest first. Until 12.0 the soname held the minor version. */
static const char *const sonames[] = { "libcupti.so.13", "libcupti.so.12", "libcupti.so.11.8",
				       "libcupti.so" };

static const struct {
	const char *name;
	bool required;
	size_t offset; /* in struct cupti_api */
} symbols[] = {
#define REQUIRED		      true
#define OPTIONAL		      false
#define SYMBOL(need, name, arguments) { #name, need, offsetof(struct cupti_api, name) },
#include "cupti_symbols.def"
#undef SYMBOL
};

static const uint32_t oldest[] = {
#define FEATURE(name, version) version,
#include "cupti_versions.def"
#undef FEATURE
};

bool cupti_allows(uint32_t version, enum cupti_feature feature)
{
	return version >= oldest[feature];
}

static void *open_any(int flags)
{
	for (size_t i = 0; i < sizeof(sonames) / sizeof(*sonames); i++) {
		void *library = dlopen(sonames[i], RTLD_NOW | RTLD_LOCAL | flags);

		if (library)
			return library;
	}
	return NULL;
}

static void *open_library(void)
{
	const char *named = getenv("TOKSCOPE_CUPTI_LIBRARY");
	void *library;

	if (named && *named)
		return dlopen(named, RTLD_NOW | RTLD_LOCAL);
	library = open_any(RTLD_NOLOAD);
	return library ? library : open_any(0);
}

int cupti_load(struct cupti_api *api, cupti_result *result)
{
	void *library = open_library();

	*api = (struct cupti_api){ 0 };
	*result = RESULT_OK;
	if (!library)
		return -ENOENT;
	for (size_t i = 0; i < sizeof(symbols) / sizeof(*symbols); i++) {
		void *address = dlsym(library, symbols[i].name);

		if (!address && symbols[i].required)
			return -EPROTO;
		*(void **)((char *)api + symbols[i].offset) = address;
	}
	*result = api->cuptiGetVersion(&api->version);
	return *result == RESULT_OK && cupti_allows(api->version, FEATURE_ANY) ? 0 : -EPROTO;
}
