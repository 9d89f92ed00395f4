/* SPDX-License-Identifier: Apache-2.0 */
/* Classic histogram boundaries, in the unit of the family. Names are those of metrics.def. */
#ifndef METRIC_BOUNDS_H
#define METRIC_BOUNDS_H

#include "metric/hist.h"

extern const struct hist_bounds bounds_duration; /* seconds: a whole request, or a part of it */
extern const struct hist_bounds bounds_ttft;	 /* seconds: time to first token, time to headers */
extern const struct hist_bounds
	bounds_tpot; /* seconds: time per output token, inter-token latency */
extern const struct hist_bounds bounds_net; /* seconds: round trips, waits, send stalls */
extern const struct hist_bounds
	bounds_call; /* seconds: one call of a driver, one stage of an engine */
extern const struct hist_bounds bounds_tokens; /* tokens of one request */
extern const struct hist_bounds bounds_batch; /* requests or tokens of one step, values of probes */

#endif
