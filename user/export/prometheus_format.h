/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the Prometheus exposition: what its formats share. */
#ifndef EXPORT_PROMETHEUS_FORMAT_H
#define EXPORT_PROMETHEUS_FORMAT_H

#include "base/buf.h"
#include "metric/registry.h"

/* Exposition only: a gauge where the format has no such type. */
#define METRIC_INFO (METRIC_HISTOGRAM + 1)

/* target_info, then each family that has series. */
void exposition_each(const struct snapshot *s,
		     void (*fn)(void *writer, const struct snapshot_family *f), void *writer);
/*
 * The word of the family's unit, where its name without `suffix` ends in it: both OpenMetrics and Prometheus refuse another one.
 * NULL: none.
 */
const char *exposition_unit(const struct metric_family *f, const char *suffix);

void exposition_write_text(struct buf *out, const struct snapshot *s);
void exposition_write_openmetrics(struct buf *out, const struct snapshot *s);
void exposition_write_protobuf(struct buf *out, const struct snapshot *s);

#endif
