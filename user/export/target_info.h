/* SPDX-License-Identifier: Apache-2.0 */
/* The agent itself as a metric; series of observed servers carry their identity as labels. */
#ifndef EXPORT_TARGET_INFO_H
#define EXPORT_TARGET_INFO_H

#include "base/buf.h"
#include "metric/registry.h"

struct target_info {
	struct snapshot_family family; /* one series; points into the rest */
	struct metric_family metric;
	struct snapshot_series series;
	const char *values[METRIC_LABELS_MAX];
	struct buf texts; /* of label names and numbers */
};

/*
 * From the agent's Resource, each attribute a label: its first METRIC_LABELS_MAX ones. NULL, or no memory for it: name and version
 * of the program. Valid as long as r, and where it was made.
 */
void target_info_make(struct target_info *t, const struct resource *r);
void target_info_free(struct target_info *t);

#endif
