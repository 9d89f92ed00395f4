/* SPDX-License-Identifier: Apache-2.0 */
/* Finding libcupti at run time, and what its version may be used for. */
#ifndef CUPTI_LOAD_H
#define CUPTI_LOAD_H

#include <stdbool.h>

#include "cupti_abi.h"

/* CUPTI's functions by their own names; optional ones may be NULL. */
struct cupti_api {
#define SYMBOL(need, name, arguments) cupti_result(*name) arguments;
#include "cupti_symbols.def"
#undef SYMBOL
	uint32_t version; /* cuptiGetVersion() */
};

enum cupti_feature {
#define FEATURE(name, oldest) FEATURE_##name,
#include "cupti_versions.def"
#undef FEATURE
};

/*
 * Takes the libcupti that the process has loaded already (two copies of it disturb each other), else loads one by its
 * soname; TOKSCOPE_CUPTI_LIBRARY names another. 0, or -ENOENT: there is none; -EPROTO: it lacks a required function, or is
 * too old (api->version then says which it is), or does not even tell its version: *result says why (13.4 without a GPU).
 */
int cupti_load(struct cupti_api *api, cupti_result *result);

bool cupti_allows(uint32_t version, enum cupti_feature feature);

#endif
