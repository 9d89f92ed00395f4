// SPDX-License-Identifier: Apache-2.0
#include "gpu/kernel_class.h"

#include <fnmatch.h>
#include <stddef.h>

static const char *const labels[] = {
#define KERNEL_CLASS(id, label) [KERNEL_##id] = label,
#include "gpu/kernel_class.def"
#undef KERNEL_CLASS
};

static const struct {
	enum kernel_class class;
	const char *glob;
} rules[] = {
#define KERNEL_RULE(class_, glob_) { KERNEL_##class_, glob_ },
#include "gpu/kernel_class.def"
#undef KERNEL_RULE
};

const char *kernel_class_label(enum kernel_class c)
{
	return labels[c];
}

enum kernel_class kernel_class_of(const char *name)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (!fnmatch(rules[i].glob, name, FNM_CASEFOLD))
			return rules[i].class;
	return KERNEL_OTHER;
}
