// SPDX-License-Identifier: Apache-2.0
#include "metric/hist.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tks_hist.h"

_Static_assert(HIST_SCALE == TKS_HIST_SCALE, "kernel and user histograms fold slot by slot");

#define PER_OCTAVE TKS_HIST_PER_OCTAVE

/* 2^(k/8) / 2, rounded down: for a double m, m <= fraction[k] holds exactly when m <= 2^(k/8) / 2 does. */
static const double fraction[PER_OCTAVE] = {
	0x1p-1,
	0x1.172b83c7d517ap-1,
	0x1.306fe0a31b715p-1,
	0x1.4bfdad5362a27p-1,
	0x1.6a09e667f3bccp-1,
	0x1.8ace5422aa0dbp-1,
	0x1.ae89f995ad3adp-1,
	0x1.d5818dcfba487p-1,
};

static int32_t floor_octave(int32_t index)
{
	return index & ~(PER_OCTAVE - 1);
}

int32_t hist_index(double v)
{
	int exponent, k = 0;
	double m;

	if (v > hist_upper(HIST_INDEX_MAX))
		return HIST_INDEX_MAX;
	if (v <= hist_upper(HIST_INDEX_MIN))
		return HIST_INDEX_MIN;
	m = frexp(v, &exponent);
	while (k < PER_OCTAVE && m > fraction[k])
		k++;
	return (exponent - 1) * PER_OCTAVE + k;
}

double hist_upper(int32_t index)
{
	return ldexp(fraction[index & (PER_OCTAVE - 1)], floor_octave(index) / PER_OCTAVE + 1);
}

int hist_init(struct hist *h, const struct hist_bounds *bounds)
{
	*h = (struct hist){ .bounds = bounds, .min = NAN, .max = NAN };
	h->classic = calloc(bounds->count + 1, sizeof(*h->classic));
	return h->classic ? 0 : -ENOMEM;
}

void hist_free(struct hist *h)
{
	free(h->classic);
	free(h->exp);
	*h = (struct hist){ 0 };
}

void hist_reset(struct hist *h)
{
	h->count = 0;
	h->sum = 0;
	h->min = h->max = NAN;
	h->zero = 0;
	memset(h->classic, 0, (h->bounds->count + 1) * sizeof(*h->classic));
	if (h->exp)
		memset(h->exp, 0, h->exp_len * sizeof(*h->exp));
}

/* Widens the window so that it holds slots first..last, by whole octaves: few steps for values that wander. */
static int reserve(struct hist *h, int32_t first, int32_t last)
{
	int32_t end = h->exp_first + (int32_t)h->exp_len;
	uint64_t *exp;

	if (h->exp_len && first >= h->exp_first && last < end)
		return 0;
	first = floor_octave(first);
	last = floor_octave(last) + PER_OCTAVE;
	if (h->exp_len) {
		first = first < h->exp_first ? first : h->exp_first;
		last = last > end ? last : end;
	}
	exp = calloc(last - first, sizeof(*exp));
	if (!exp)
		return -ENOMEM;
	if (h->exp_len)
		memcpy(exp + (h->exp_first - first), h->exp, h->exp_len * sizeof(*exp));
	free(h->exp);
	h->exp = exp;
	h->exp_first = first;
	h->exp_len = last - first;
	return 0;
}

static void observe_classic(struct hist *h, double v, uint64_t times)
{
	size_t i = 0;

	while (i < h->bounds->count && v > h->bounds->le[i])
		i++;
	h->classic[i] += times;
	h->count += times;
	h->sum += v * (double)times;
	h->min = fmin(h->min, v);
	h->max = fmax(h->max, v);
}

int hist_observe(struct hist *h, double v, uint64_t times)
{
	int32_t index;
	int err;

	if (isnan(v) || !times)
		return 0;
	observe_classic(h, v, times);
	if (v <= 0) {
		h->zero += times;
		return 0;
	}
	index = hist_index(v);
	err = reserve(h, index, index);
	if (err)
		return err;
	h->exp[index - h->exp_first] += times;
	return 0;
}

int hist_merge(struct hist *dst, const struct hist *src)
{
	int err;

	if (dst->bounds != src->bounds)
		return -EINVAL;
	if (!src->count)
		return 0;
	for (size_t i = 0; i <= src->bounds->count; i++)
		dst->classic[i] += src->classic[i];
	dst->count += src->count;
	dst->sum += src->sum;
	dst->min = fmin(dst->min, src->min);
	dst->max = fmax(dst->max, src->max);
	dst->zero += src->zero;
	if (!src->exp_len)
		return 0;
	err = reserve(dst, src->exp_first, src->exp_first + (int32_t)src->exp_len - 1);
	if (err)
		return err;
	for (uint32_t i = 0; i < src->exp_len; i++)
		dst->exp[src->exp_first - dst->exp_first + (int32_t)i] += src->exp[i];
	return 0;
}

int hist_copy(struct hist *dst, const struct hist *src)
{
	int err = hist_init(dst, src->bounds);

	if (!err)
		err = hist_merge(dst, src);
	if (err)
		hist_free(dst);
	return err;
}

static double clamp(double v, double min, double max)
{
	return fmin(fmax(v, min), max);
}

double hist_quantile(const struct hist *h, double q)
{
	double rank = clamp(q, 0, 1) * (double)h->count;
	uint64_t seen = h->zero;

	if (!h->count || isnan(q))
		return NAN;
	if (h->zero && rank <= (double)seen)
		return clamp(0, h->min, h->max);
	for (uint32_t i = 0; i < h->exp_len; i++) {
		double lower;

		if (!h->exp[i] || (double)(seen + h->exp[i]) < rank) {
			seen += h->exp[i];
			continue;
		}
		lower = hist_upper(h->exp_first + (int32_t)i - 1);
		return clamp(lower * exp2((rank - (double)seen) / (double)h->exp[i] / PER_OCTAVE),
			     h->min, h->max);
	}
	return h->max;
}
