/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the OTLP encoders: the data points of one family of one Resource. */
#ifndef EXPORT_OTLP_POINTS_H
#define EXPORT_OTLP_POINTS_H

#include "export/otlp_delta.h"
#include "export/otlp_message.h"
#include "metric/attributes.h"

struct otlp_points {
	struct arena *arena;
	const struct metric_family *family;
	const struct resource *resource; /* what it says need not be said by each point */
	uint64_t time_ns;
	struct label_attribute labels[METRIC_LABELS_MAX];
};

void otlp_points_init(struct otlp_points *p, struct arena *a, const struct metric_family *f,
		      const struct resource *resource, uint64_t time_ns);

/* NULL: no memory, as the arena says. */
otlp_number_point *otlp_make_number(const struct otlp_points *p, const struct snapshot_series *s,
				    const struct otlp_reading *r);
otlp_histogram_point *otlp_make_histogram(const struct otlp_points *p,
					  const struct snapshot_series *s,
					  const struct otlp_reading *r);
otlp_exponential_point *otlp_make_exponential(const struct otlp_points *p,
					      const struct snapshot_series *s,
					      const struct otlp_reading *r);

#endif
