/* SPDX-License-Identifier: Apache-2.0 */
/* CUPTI's settings, which are the process's: they outlive a subscription. */
#ifndef ATTRIBUTES_H
#define ATTRIBUTES_H

#include "cupti_load.h"

enum {
	ATTRIBUTES = 2
};

/* What they were before. */
struct attributes {
	uint64_t values[ATTRIBUTES];
	int thread_ids; /* CUpti_ActivityThreadIdType */
};

/* Sets ours. Where a setting is not known, CUPTI's own choice holds; where it cannot be read, its documented default was. */
void attributes_set(const struct cupti_api *api, struct attributes *before);
void attributes_restore(const struct cupti_api *api, const struct attributes *before);

#endif
