/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalogue as one registry has it: families may have more boundaries than metrics.def gives them. Immutable, shared by the
 * registry and its snapshots by reference count.
 */
#ifndef METRIC_FAMILIES_H
#define METRIC_FAMILIES_H

#include "metric/registry.h"

struct families;

/* One reference. NULL: out of memory. */
struct families *families_new(const struct extra_boundary *extra, size_t count);
/* From any thread. */
struct families *families_get(struct families *f);
void families_put(struct families *f); /* NULL: nothing happens */
const struct metric_family *families_at(const struct families *f, enum metric_id id);

#endif
