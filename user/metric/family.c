// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/suggest.h"
#include "metric/bounds.h"
#include "metric/registry.h"

#define COUNTER	  METRIC_COUNTER
#define GAUGE	  METRIC_GAUGE
#define HISTOGRAM METRIC_HISTOGRAM

#define LABELS(...)         \
	{                   \
		__VA_ARGS__ \
	}
#define METRIC(id, type_, otlp, prom, unit_, bounds_, labels_, help_)                 \
	[M_##id] = {                                                                  \
		.otlp_name = (otlp),                                                  \
		.prom_name = (prom),                                                  \
		.unit = (unit_),                                                      \
		.help = (help_),                                                      \
		.type = (type_),                                                      \
		.bounds = (bounds_),                                                  \
		.labels = labels_,                                                    \
		.label_count = sizeof((const char *const[])labels_) / sizeof(char *), \
	},

static const struct metric_family families[M_MAX] = {
#include "metric/metrics.def"
};

const struct metric_family *metric_family(enum metric_id id)
{
	return &families[id];
}

enum metric_id metric_named(const char *name)
{
	for (enum metric_id id = 0; id < M_MAX; id++)
		if (!strcmp(name, families[id].otlp_name) || !strcmp(name, families[id].prom_name))
			return id;
	return M_MAX;
}

static const char *name_of(size_t i)
{
	return i < M_MAX ? families[i].prom_name : families[i - M_MAX].otlp_name;
}

const char *metric_near(const char *name)
{
	return suggest(name, name_of, 2 * M_MAX);
}
