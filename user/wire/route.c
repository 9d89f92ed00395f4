// SPDX-License-Identifier: Apache-2.0
#include "wire/route.h"

#include <string.h>

#define POST (1u << HTTP1_POST)
#define PUT  (1u << HTTP1_PUT)

static const struct {
	struct route route;
	unsigned int methods;
} routes[] = {
#define ROUTE(pattern, methods, dialect, operation, provider) \
	{ { pattern, DIALECT_##dialect, operation, provider }, methods },
#include "wire/routes.def"
#undef ROUTE
};

struct segment {
	const char *s;
	size_t len;
};

/* Whole path against whole template; one slash at the end of the path is tolerated. */
static bool match(const char *pattern, const char *path, struct segment *model)
{
	while (*pattern) {
		size_t len;

		if (*pattern != '{') {
			if (*pattern++ != *path++)
				return false;
			continue;
		}
		len = strcspn(path, "/");
		if (!len)
			return false;
		if (!strncmp(pattern, "{model}", 7))
			*model = (struct segment){ path, len };
		pattern = strchr(pattern, '}') + 1;
		path += len;
	}
	return !*path || !strcmp(path, "/");
}

const struct route *route_match(enum http1_method method, const char *path, char *model, size_t len)
{
	if (model && len)
		model[0] = '\0';
	for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++) {
		struct segment name = { NULL, 0 };

		if (!(routes[i].methods & 1u << method) ||
		    !match(routes[i].route.pattern, path, &name))
			continue;
		if (model && len && name.len) {
			size_t n = name.len < len ? name.len : len - 1;

			memcpy(model, name.s, n);
			model[n] = '\0';
		}
		return &routes[i].route;
	}
	return NULL;
}
