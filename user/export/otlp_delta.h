/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the OTLP encoders: what a series tells, as a whole or since the snapshot that was delivered last. */
#ifndef EXPORT_OTLP_DELTA_H
#define EXPORT_OTLP_DELTA_H

#include <stdbool.h>

#include "base/arena.h"
#include "metric/registry.h"

struct otlp_base {
	const struct snapshot *snapshot;	      /* NULL: there was none */
	const struct snapshot_series **series[M_MAX]; /* of each family, sorted */
};

/* What a data point says. */
struct otlp_reading {
	uint64_t start_ns;	 /* wall clock */
	double value;		 /* of a counter */
	const struct hist *hist; /* of a histogram; min and max are NAN where they are not known */
};

/* `base` may be NULL. The index lives in the arena; its error tells failure. */
void otlp_base_init(struct otlp_base *b, struct arena *a, const struct snapshot *base);
/*
 * The growth of a counter or histogram since the base; of one that was made since then, or that fell, all of it. False: it did
 * not grow.
 */
bool otlp_growth(const struct otlp_base *b, struct arena *a, enum metric_id id,
		 const struct snapshot_series *now, struct otlp_reading *out);

#endif
