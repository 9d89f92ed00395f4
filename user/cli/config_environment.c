// SPDX-License-Identifier: Apache-2.0
/* The environment: variables of the OpenTelemetry specification, and NODE_NAME, which our DaemonSet sets. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/config_source.h"
#include "cli/config_value.h"

/* NULL: not set, or empty, which means the same by the specification. */
static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/* ------------------------------------------------------------------ two variables, one setting */

/* Names are not looked up; "localhost" is the specification's default. */
static bool listen_address(const char *host, const char *port, char *buf, size_t len)
{
	if (!host || !strcmp(host, "localhost"))
		host = "127.0.0.1";
	return snprintf(buf, len, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host,
			port ? port : "9464") < (int)len;
}

/* A caller's decision is honoured in any case, so that "parentbased_" adds nothing. */
static bool sampler_ratio(const char *sampler, const char *arg, char *buf, size_t len)
{
	static const char parent_based[] = "parentbased_";
	const char *ratio = NULL;

	if (!strncmp(sampler, parent_based, strlen(parent_based)))
		sampler += strlen(parent_based);
	if (!strcmp(sampler, "always_on"))
		ratio = "1";
	else if (!strcmp(sampler, "always_off"))
		ratio = "0";
	else if (!strcmp(sampler, "traceidratio"))
		ratio = arg ? arg : "1";
	return ratio && snprintf(buf, len, "%s", ratio) < (int)len;
}

/* The first is the table's; the second means something without it or not. */
static const struct two_variables {
	const char *first, *second;
	bool alone; /* the second */
	const char *expected;
	/* Both as one value of the setting; either may be NULL. false: it has no such value. */
	bool (*text)(const char *first, const char *second, char *buf, size_t len);
} twos[] = {
	{ "OTEL_EXPORTER_PROMETHEUS_HOST", "OTEL_EXPORTER_PROMETHEUS_PORT", true,
	  "an IPv4 or IPv6 address and a port", listen_address },
	{ "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG", false,
	  "always_on, always_off or traceidratio (with an argument from 0 to 1), or parentbased_ before it",
	  sampler_ratio },
};

static const struct two_variables *two_variables(const char *name)
{
	for (size_t i = 0; i < sizeof(twos) / sizeof(twos[0]); i++)
		if (!strcmp(twos[i].first, name))
			return &twos[i];
	return NULL;
}

/* ------------------------------------------------------------------ one setting */

static void refuse(const char *name, const char *value, const char *expected)
{
	if (value)
		log_warn("%s is ignored: '%.64s' is not %s", name, value, expected);
	else
		log_warn("%s is ignored: its value is not %s", name, expected);
}

/* A wrong value is warned about. Returns 0 or -ENOMEM. */
static int assign(struct config *c, const struct option_spec *o, const char *name,
		  const char *value, const char *expected)
{
	const struct config_origin from = { .source = CONFIG_ENVIRONMENT, .variable = name };
	int err = config_assign(c, o, value, from);

	if (err != -EINVAL)
		return err;
	refuse(name, option_is_private(o) ? NULL : value, expected);
	return 0;
}

static int read_one(struct config *c, const struct option_spec *o)
{
	const char *value = variable(o->variable);

	if (!value)
		return 0;
	return assign(c, o, o->variable, value,
		      o->kind == OPTION_MILLISECONDS ? "a whole number of milliseconds above 0"
						     : option_expected(o));
}

static int read_two(struct config *c, const struct option_spec *o, const struct two_variables *two)
{
	const char *first = variable(two->first), *second = variable(two->second);
	const char *name = first ? two->first : two->second;
	char text[128];

	if (!first && !(second && two->alone))
		return 0;
	if (two->text(first, second, text, sizeof(text)))
		return assign(c, o, name, text, two->expected);
	refuse(name, first ? first : second, two->expected);
	return 0;
}

int config_read_environment(struct config *c)
{
	for (size_t i = 0; i < OPTIONS_MAX; i++) {
		const struct option_spec *o = &options[i];
		const struct two_variables *two = o->variable ? two_variables(o->variable) : NULL;
		int err = two ? read_two(c, o, two) : o->variable ? read_one(c, o) : 0;

		if (err)
			return err;
	}
	return 0;
}
