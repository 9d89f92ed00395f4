/* SPDX-License-Identifier: Apache-2.0 */
/* One observation of a histogram that belongs to an exported trace. */
#ifndef METRIC_EXEMPLAR_H
#define METRIC_EXEMPLAR_H

#include <stdint.h>

struct exemplar {
	char trace_id[33]; /* lower-case hex; "" : there is no exemplar */
	char span_id[17];
	double value;
	uint64_t time_ns; /* wall clock */
};

#endif
