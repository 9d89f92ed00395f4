// SPDX-License-Identifier: Apache-2.0
#include "export/otlp_delta.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "metric/attributes.h"

static int compare_labels(const struct snapshot_series *x, const struct snapshot_series *y,
			  size_t i)
{
	return strcmp(x->values[i] ?: "", y->values[i] ?: "");
}

/* Last label first: the first ones, of the server, are the same in most series of a family. */
static int compare(const void *a, const void *b, void *family)
{
	const struct snapshot_series *x = *(const struct snapshot_series *const *)a;
	const struct snapshot_series *y = *(const struct snapshot_series *const *)b;
	int order = x->overflow - y->overflow;

	for (size_t i = ((const struct metric_family *)family)->label_count; i && !order; i--)
		order = compare_labels(x, y, i - 1);
	return order;
}

void otlp_base_init(struct otlp_base *b, struct arena *a, const struct snapshot *base)
{
	*b = (struct otlp_base){ .snapshot = base };
	for (int id = 0; base && id < M_MAX; id++) {
		const struct snapshot_family *f = &base->families[id];

		if (f->family->type == METRIC_GAUGE)
			continue;
		b->series[id] = arena_array(a, f->count, sizeof(*b->series[id]));
		for (size_t i = 0; b->series[id] && i < f->count; i++)
			b->series[id][i] = &f->series[i];
		if (b->series[id])
			qsort_r(b->series[id], f->count, sizeof(*b->series[id]), compare,
				(void *)f->family);
	}
}

static const struct snapshot_series *find_same(const struct otlp_base *b, enum metric_id id,
					       const struct snapshot_series *now)
{
	const struct snapshot_family *f = &b->snapshot->families[id];
	size_t low = 0, high = b->series[id] ? f->count : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(&now, &b->series[id][middle], (void *)f->family);

		if (!order)
			return b->series[id][middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static bool same_but_for_identity(const struct metric_family *f, const struct snapshot_series *x,
				  const struct snapshot_series *y)
{
	for (size_t i = 0; i < f->label_count; i++)
		if (label_attribute(f->labels[i]).place == ATTRIBUTE_POINT &&
		    compare_labels(x, y, i))
			return false;
	return true;
}

/* What was counted under the labels that the server had before registry_relabel(). */
static const struct snapshot_series *find_relabelled(const struct otlp_base *b, enum metric_id id,
						     const struct snapshot_series *now)
{
	const struct snapshot_family *f = &b->snapshot->families[id];

	for (size_t i = 0; i < f->count; i++) {
		const struct snapshot_series *s = &f->series[i];

		if (s->owner == now->owner && s->start_ns == now->start_ns &&
		    s->overflow == now->overflow && same_but_for_identity(f->family, s, now))
			return s;
	}
	return NULL;
}

static const struct snapshot_series *find(const struct otlp_base *b, enum metric_id id,
					  const struct snapshot_series *now)
{
	const struct snapshot_series *s;

	if (!b->snapshot || now->start_ns > b->snapshot->time_ns)
		return NULL;
	s = find_same(b, id, now);
	return s && s->start_ns == now->start_ns ? s : find_relabelled(b, id, now);
}

static uint64_t cell(const struct hist *h, int32_t slot)
{
	int64_t i = (int64_t)slot - h->exp_first;

	return i >= 0 && i < h->exp_len ? h->exp[i] : 0;
}

/* Whether everything in `was` is still in `now`. */
static bool grew_from(const struct hist *now, const struct hist *was)
{
	if (was->bounds != now->bounds || was->count > now->count || was->zero > now->zero)
		return false;
	for (size_t i = 0; i <= now->bounds->count; i++)
		if (was->classic[i] > now->classic[i])
			return false;
	for (uint32_t i = 0; i < was->exp_len; i++)
		if (was->exp[i] > cell(now, was->exp_first + (int32_t)i))
			return false;
	return true;
}

/* At the scale that both have. The extremes of the difference cannot be known. NULL: no memory. */
static const struct hist *subtract(struct arena *a, const struct hist *now, const struct hist *was)
{
	struct hist *h = arena_alloc(a, sizeof(*h));
	uint64_t *classic = arena_array(a, now->bounds->count + 1, sizeof(*classic));
	uint64_t *exp = arena_array(a, now->exp_len, sizeof(*exp));

	if (!h || !classic || !exp)
		return NULL;
	*h = *now;
	h->count -= was->count;
	h->sum -= was->sum;
	h->zero -= was->zero;
	h->min = h->max = NAN;
	h->classic = classic;
	h->exp = exp;
	for (size_t i = 0; i <= now->bounds->count; i++)
		classic[i] = now->classic[i] - was->classic[i];
	for (uint32_t i = 0; i < now->exp_len; i++)
		exp[i] = now->exp[i] - cell(was, now->exp_first + (int32_t)i);
	return h;
}

/* Since the beginning of the series. */
static bool whole(const struct snapshot_series *now, bool histogram, struct arena *a,
		  struct otlp_reading *out)
{
	struct hist *h;

	*out = (struct otlp_reading){ .start_ns = now->start_ns, .value = now->value };
	if (!histogram)
		return now->value > 0;
	h = arena_alloc(a, sizeof(*h));
	if (!h || !now->hist.count)
		return false;
	*h = now->hist;
	h->min = h->max = NAN;
	out->hist = h;
	return true;
}

bool otlp_growth(const struct otlp_base *b, struct arena *a, enum metric_id id,
		 const struct snapshot_series *now, struct otlp_reading *out)
{
	bool histogram = metric_family(id)->type == METRIC_HISTOGRAM;
	const struct snapshot_series *was = find(b, id, now);

	if (!was || (histogram ? !grew_from(&now->hist, &was->hist) : was->value > now->value))
		return whole(now, histogram, a, out);
	*out = (struct otlp_reading){ .start_ns = b->snapshot->time_ns };
	if (!histogram) {
		out->value = now->value - was->value;
		return out->value > 0;
	}
	if (now->hist.count == was->hist.count)
		return false;
	out->hist = subtract(a, &now->hist, &was->hist);
	return out->hist;
}
