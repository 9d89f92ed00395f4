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

#include "metric/exemplar.h"
#include "metric/hist.h"
#include "metric/resource.h"

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

#define METRIC_LABELS_MAX 16

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
/* By its OTLP or its Prometheus name; M_MAX: there is no such family. */
enum metric_id metric_named(const char *name);
/* The family's name that somebody may have had in mind; NULL: none is near. */
const char *metric_near(const char *name);

/* A boundary that a histogram gets beside the catalogue's, above 0: what an SLO asks about must be one. */
struct extra_boundary {
	enum metric_id id; /* of a histogram */
	double le;
};

#define BOUNDARY_ERROR_MAX 256
/* "METRIC=BOUNDARY", as the configuration says it. 0, or -EINVAL with what is wrong in `error`. */
int extra_boundary_parse(const char *text, struct extra_boundary *out,
			 char error[BOUNDARY_ERROR_MAX]);

struct registry_config {
	size_t max_series;		    /* per family; 0: 2000 */
	const struct extra_boundary *extra; /* read by registry_new() only */
	size_t extra_count;
};

struct registry;

struct registry *registry_new(const struct registry_config *config); /* NULL: out of memory */
void registry_free(struct registry *r);

/* What a struct hist must be made with to be merged into this family; lives as long as r. NULL: it is no histogram. */
const struct hist_bounds *registry_bounds(const struct registry *r, enum metric_id id);

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
/*
 * Marks an observation that was just made: it becomes the exemplar of the bucket that its value falls into, until the next one
 * there. A series that is not there (or is the overflow series) gets none.
 */
void registry_exemplar(struct registry *r, enum metric_id id, const char *const *values,
		       const struct exemplar *e);
/* Removes one series: what it described is no more. */
void registry_remove(struct registry *r, enum metric_id id, const char *const *values);
/* Removes every series of this owner (server gone for 5 minutes). */
void registry_retire(struct registry *r, uint32_t owner);
/*
 * Every series of this owner whose first label is service_name gets these values for its first `count` labels; what it has
 * counted stays. For a server whose identity became known only now.
 */
void registry_relabel(struct registry *r, uint32_t owner, const char *const *values, size_t count);
/* The owner's Resource for OTLP, until registry_retire(); takes a reference of its own. 0: the agent's. */
void registry_describe(struct registry *r, uint32_t owner, struct resource *resource);
/* A reference to it, to be put; NULL: the owner was not described. */
struct resource *registry_resource(struct registry *r, uint32_t owner);

/* One point in time. Immutable; owned by the caller. */
struct snapshot_series {
	const char *const *values; /* label values in family order; NULL = absent */
	bool overflow;
	uint32_t owner;	   /* whose Resource describes it; of an overflow series: 0 */
	double value;	   /* counters and gauges */
	struct hist hist;  /* histograms */
	uint64_t start_ns; /* wall clock when the series was created */
	/* By classic bucket, hist.bounds->count + 1 of them; NULL: no observation had a trace. */
	const struct exemplar *exemplars;
};

struct snapshot_family {
	const struct metric_family *family; /* with the boundaries that its series have */
	struct snapshot_series *series;
	size_t count;
};

struct snapshot_owner {
	uint32_t id;
	struct resource *resource;
};

struct snapshot {
	uint64_t time_ns;	    /* wall clock */
	struct families *catalogue; /* holds what families[].family and the boundaries point to */
	struct snapshot_family families[M_MAX];
	struct snapshot_owner
		*owners; /* ascending by id; the agent's own (0) first, where it is described */
	size_t owner_count;
};

/* NULL: the owner was not described. Valid as long as s. */
const struct resource *snapshot_resource(const struct snapshot *s, uint32_t owner);

struct snapshot *registry_snapshot(struct registry *r); /* NULL: out of memory */
void snapshot_free(struct snapshot *s);

#endif
