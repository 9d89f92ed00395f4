/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the registry: the series of one family, found by their label values. The caller holds the registry's lock.
 */
#ifndef METRIC_SERIES_H
#define METRIC_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An allocation that fails while a series is added loses that series, not the process. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "metric/families.h"
#include "metric/hist.h"
#include "metric/registry.h"

struct series {
	UT_hash_handle hh;
	const struct metric_family *family;
	uint32_t
		owner; /* the last server that wrote to it: one that restarts under the same labels keeps it */
	bool overflow;
	uint64_t start_ns;	    /* wall clock */
	double value;		    /* counters and gauges */
	struct hist hist;	    /* histograms */
	struct exemplar *exemplars; /* by classic bucket; NULL: none yet */
	size_t key_len;
	char key[]; /* the label values, each with its NUL */
};

/* The series of one family. */
struct series_set {
	const struct metric_family *family;
	struct series *by_key;	 /* uthash head; iterates in order of creation */
	struct series *overflow; /* NULL until the family was full */
	uint64_t dropped; /* measurements that went to the overflow series or could not be stored */
};

/*
 * The series with these label values, made when missing. When the family already has max_series - 1 of them it is the
 * overflow series, and `times` measurements are counted in set->dropped. NULL: out of memory, counted likewise.
 */
struct series *series_get(struct series_set *set, size_t max_series, uint32_t owner,
			  const char *const *values, uint64_t times);
/* NULL: there is no such series. */
struct series *series_find(const struct series_set *set, const char *const *values);
void series_remove(struct series_set *set, const char *const *values);
void series_retire(struct series_set *set, uint32_t owner);
/* One that would get the label values of another is added to it. */
void series_relabel(struct series_set *set, uint32_t owner, const char *const *values,
		    size_t count);
/* Of a histogram: false when out of memory. */
bool series_exemplar(struct series *s, const struct exemplar *e);
void series_set_free(struct series_set *set);

/* What is known of the owners of series. */
struct owner {
	UT_hash_handle hh;
	uint32_t id;
	struct resource *resource;
};

/*
 * A deep copy of all sets; tokscope_series_dropped_total is made from their `dropped`. owners: uthash head. NULL: out of
 * memory.
 */
struct snapshot *snapshot_new(struct families *catalogue, const struct series_set sets[M_MAX],
			      const struct owner *owners, uint64_t start_ns);

#endif
