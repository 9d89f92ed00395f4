/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A histogram as every family keeps it: classic buckets with explicit boundaries (upper-inclusive `le`), and beside
 * them a base-2 exponential histogram of scale 3 (boundaries 2^(i/8), upper-inclusive), exact to Prometheus native
 * schema 3 and to OTLP.
 */
#ifndef METRIC_HIST_H
#define METRIC_HIST_H

#include <stddef.h>
#include <stdint.h>

#define HIST_SCALE     3
#define HIST_INDEX_MIN (-40 * 8) /* 2^-40: below a picosecond everything is one slot */
#define HIST_INDEX_MAX (40 * 8)	 /* 2^40 */

/* Boundaries of a family, ascending, +Inf not included; static storage. */
struct hist_bounds {
	const double *le;
	size_t count;
};

struct hist {
	const struct hist_bounds *bounds;
	uint64_t count;
	double sum;
	double min, max;   /* NAN while count is 0 */
	uint64_t *classic; /* bounds->count + 1 cells, not cumulative; owned */
	uint64_t zero;	   /* values <= 0 */
	uint64_t *exp;	   /* exp_len cells; exp[i] counts slot exp_first + i; owned, grows */
	int32_t exp_first;
	uint32_t exp_len;
};

/* Returns 0 or -ENOMEM. bounds must outlive the histogram. */
int hist_init(struct hist *h, const struct hist_bounds *bounds);
void hist_free(struct hist *h);
void hist_reset(struct hist *h);
/* Records v `times` times. NAN is ignored. Returns -ENOMEM when the exponential part could not grow (classic part
 * counted nevertheless). */
int hist_observe(struct hist *h, double v, uint64_t times);
/* dst += src; same bounds. */
int hist_merge(struct hist *dst, const struct hist *src);
int hist_copy(struct hist *dst, const struct hist *src); /* dst uninitialised */
/* The slot of v > 0: smallest i with v <= 2^(i/8), clamped to HIST_INDEX_MIN..MAX. */
int32_t hist_index(double v);
/* Upper boundary of slot i: 2^(i/8). */
double hist_upper(int32_t index);
/* Quantile q in 0..1 from the exponential part, geometric interpolation within the slot, clamped to min..max; NAN
 * while empty. */
double hist_quantile(const struct hist *h, double q);

#endif
