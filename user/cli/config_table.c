// SPDX-License-Identifier: Apache-2.0
#include "cli/config_table.h"

#include <string.h>

#include "cli/config.h"

const struct option_spec options[OPTIONS_MAX] = {
#define OPTION(name, letter, kind, field, group, metavar, key, variable, fallback, flags, help) \
	{ name,	    letter,  OPTION_##kind, offsetof(struct config, field),                     \
	  group,    metavar, key,	    variable,                                           \
	  fallback, flags,   help },
#include "cli/options.def"
#undef OPTION
};

const struct option_spec *option_by_key(const char *key)
{
	for (size_t i = 0; i < OPTIONS_MAX; i++)
		if (options[i].key && !strcmp(options[i].key, key))
			return &options[i];
	return NULL;
}
