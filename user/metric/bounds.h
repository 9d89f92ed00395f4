/* SPDX-License-Identifier: Apache-2.0 */
/* The boundaries of bounds.def, by the names that metrics.def uses. */
#ifndef METRIC_BOUNDS_H
#define METRIC_BOUNDS_H

#include "metric/hist.h"

#define BOUNDS(name, ...) extern const struct hist_bounds name;
#include "metric/bounds.def"
#undef BOUNDS

#endif
