/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pushes a snapshot of the metrics at an interval. One that was not delivered is not kept: the next, newer one tells all that
 * it told, by the interval or the backoff, whichever ends first (or when the collector asks for it). With delta temporality the differences are to the snapshot
 * that was delivered (or refused for good, counted) last.
 */
#ifndef EXPORT_OTLP_PUSH_METRICS_H
#define EXPORT_OTLP_PUSH_METRICS_H

#include "export/otlp_worker.h"

struct otlp_push_metrics {
	struct otlp_worker worker;
	struct otlp_metrics_form form;
	uint64_t interval_ns;
	struct snapshot *base; /* delta only; NULL: nothing was delivered yet */
};

/* worker.rules, .ops and .ctx are set before. Like otlp_worker_init(); then it runs. */
int otlp_push_metrics_start(struct otlp_push_metrics *p, const struct otlp_settings *settings);
/* After otlp_worker_stop(). */
void otlp_push_metrics_free(struct otlp_push_metrics *p);

#endif
