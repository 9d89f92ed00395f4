// SPDX-License-Identifier: Apache-2.0
#include "metric/bounds.h"

#define BOUNDS(name, ...)                                          \
	static const double name##_le[] = { __VA_ARGS__ };         \
	const struct hist_bounds name = {                          \
		.le = name##_le,                                   \
		.count = sizeof(name##_le) / sizeof(name##_le[0]), \
	};
#include "metric/bounds.def"
