// SPDX-License-Identifier: Apache-2.0
#include "cli/agent_resource.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "discover/identity.h"

#define ATTRIBUTES_MAX 128 /* the limit of an SDK; what is known counts too */
#define INSTANCE_MAX   300

struct attributes {
	struct attribute items[ATTRIBUTES_MAX];
	size_t count;
};

/* The last value of a key counts. Returns 0, -E2BIG. */
static int set(struct attributes *a, const char *key, const char *value)
{
	size_t i = 0;

	while (i < a->count && strcmp(a->items[i].key, key))
		i++;
	if (i == ATTRIBUTES_MAX)
		return -E2BIG;
	a->items[i] = (struct attribute){ key, value, 0 };
	if (i == a->count)
		a->count++;
	return 0;
}

/* ------------------------------------------------------------------ OTEL_RESOURCE_ATTRIBUTES */

/* %XX in place. Returns 0, -EINVAL where that is no byte of a text. */
static int decode(char *s)
{
	char *to = s;

	for (; *s; s++, to++) {
		char hex[3] = "";

		if (*s != '%') {
			*to = *s;
			continue;
		}
		if (!isxdigit((unsigned char)s[1]) || !isxdigit((unsigned char)s[2]))
			return -EINVAL;
		memcpy(hex, s + 1, 2);
		*to = (char)strtol(hex, NULL, 16);
		if (iscntrl((unsigned char)*to))
			return -EINVAL;
		s += 2;
	}
	*to = '\0';
	return 0;
}

static char *trim(char *s)
{
	char *end;

	while (isspace((unsigned char)*s))
		s++;
	end = s + strlen(s);
	while (end > s && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return s;
}

/* "key=value,key=value": the baggage format of W3C without properties. The attributes point into list. */
static int read_list(struct attributes *a, char *list)
{
	char *pair;

	while ((pair = strsep(&list, ","))) {
		char *value = pair, *key = strsep(&value, "=");
		int err;

		key = trim(key);
		if (!*key && !value)
			continue; /* a comma too many */
		if (!*key || !value)
			return -EINVAL;
		value = trim(value);
		err = decode(key) ?: decode(value) ?: set(a, key, value);
		if (err)
			return err;
	}
	return 0;
}

/* `list` is changed, and must live as long as the attributes. */
static void add_given(struct attributes *a, char *list)
{
	struct attributes before = *a;
	int err = list ? read_list(a, list) : 0;

	if (!err)
		return;
	*a = before;
	log_warn("OTEL_RESOURCE_ATTRIBUTES is left out: %s",
		 err == -E2BIG ? "it has more than 100 attributes"
			       : "expected key=value,key=value with %XX for other characters");
}

/* ------------------------------------------------------------------ the whole */

struct resource *agent_resource(const struct config *c, const char *host_id, const char *host_name)
{
	_cleanup_free_ char *given =
		c->otlp.resource_attributes ? strdup(c->otlp.resource_attributes) : NULL;
	char instance[INSTANCE_MAX];
	struct attributes a = { .items = { { "service.name", "tokscope", 0 },
					   { "service.version", TOKSCOPE_VERSION, 0 },
					   { "service.instance.id", instance, 0 },
					   { "host.id", host_id, 0 },
					   { "host.name", host_name, 0 },
					   { "k8s.node.name", identity_node(c->node_name) ?: "",
					     0 },
					   { "telemetry.sdk.name", "tokscope", 0 },
					   { "telemetry.sdk.language", "c", 0 },
					   { "telemetry.sdk.version", TOKSCOPE_VERSION, 0 } },
				.count = 9 };

	snprintf(instance, sizeof(instance), "%.250s:agent", host_id);
	add_given(&a, given);
	if (c->otlp.service_name && *c->otlp.service_name)
		set(&a, "service.name", c->otlp.service_name);
	return resource_new(a.items, a.count);
}
