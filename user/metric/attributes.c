// SPDX-License-Identifier: Apache-2.0
#include "metric/attributes.h"

#include <stddef.h>
#include <string.h>

#define ATTRIBUTE(label, key, place, kind) { label, { key, ATTRIBUTE_##place, ATTRIBUTE_##kind } },

static const struct {
	const char *label;
	struct label_attribute attribute;
} table[] = {
#include "metric/attributes.def"
};

struct label_attribute label_attribute(const char *label)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (!strcmp(table[i].label, label))
			return table[i].attribute;
	return (struct label_attribute){ label, ATTRIBUTE_POINT, ATTRIBUTE_TEXT };
}
