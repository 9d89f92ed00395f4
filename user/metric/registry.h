/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metric registry: families come from metrics.def, series are made on first use, capped per family (overflow goes to
 * one series labelled otel_metric_overflow="true" and is counted). Thread-safe: one lock inside; exporters only see an
 * immutable struct snapshot.
 */
#ifndef METRIC_REGISTRY_H
#define METRIC_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "metric/hist.h"

enum metric_type {
	METRIC_COUNTER,
	METRIC_GAUGE,
	METRIC_HISTOGRAM,
};

/* METRIC(ID, type, "otlp.name", "prometheus_name", "unit", bounds, labels, "help") */
enum metric_id {
#define METRIC(id, ...) M_##id,
#include "metric/metrics.def"
#undef METRIC
	M_MAX,
};

#define METRIC_LABELS_MAX 12

struct metric_family {
	const char *otlp_name;
	const char *prom_name; /* full sample name: counters end in _total */
	const char *unit;      /* UCUM: "s", "By", "{request}", "1", "" */
	const char *help;
	enum metric_type type;
	const struct hist_bounds *bounds;	   /* histograms */
	const char *labels[METRIC_LABELS_MAX + 1]; /* Prometheus label names, NULL-terminated */
	size_t label_count;
};

const struct metric_family *metric_family(enum metric_id id);

struct registry_config {
	size_t max_series; /* per family; 0: 2000 */
};

struct registry;

struct registry *registry_new(const struct registry_config *config); /* NULL: out of memory */
void registry_free(struct registry *r);

/*
 * values: one per label of the family, in its order; NULL or "" means the label is absent. owner: the server id whose
 * end retires the series, 0 for the agent's own. All three never fail from the caller's view; what cannot be stored is
 * counted in tokscope_series_dropped_total{family}.
 */
void registry_add(struct registry *r, enum metric_id id, uint32_t owner, const char *const *values,
		  double delta);
void registry_set(struct registry *r, enum metric_id id, uint32_t owner, const char *const *values,
		  double value);
void registry_observe(struct registry *r, enum metric_id id, uint32_t owner,
		      const char *const *values, double value);
void registry_merge(struct registry *r, enum metric_id id, uint32_t owner,
		    const char *const *values, const struct hist *h);
/* Removes one series: what it described is no more. */
void registry_remove(struct registry *r, enum metric_id id, const char *const *values);
/* Removes every series of this owner (server gone for 5 minutes). */
void registry_retire(struct registry *r, uint32_t owner);

/* One point in time. Immutable; owned by the caller. */
struct snapshot_series {
	const char *const *values; /* label values in family order; NULL = absent */
	bool overflow;
	double value;	   /* counters and gauges */
	struct hist hist;  /* histograms */
	uint64_t start_ns; /* wall clock when the series was created */
};

struct snapshot_family {
	const struct metric_family *family;
	struct snapshot_series *series;
	size_t count;
};

struct snapshot {
	uint64_t time_ns; /* wall clock */
	struct snapshot_family families[M_MAX];
};

struct snapshot *registry_snapshot(struct registry *r); /* NULL: out of memory */
void snapshot_free(struct snapshot *s);

#endif
