// SPDX-License-Identifier: Apache-2.0
#include "export/otlp_points.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Buckets of an exponential histogram: MaxSize of the OpenTelemetry SDK (specification/metrics/sdk.md). */
#define BUCKETS_MAX 160

/* What protobuf-c names after a field that is optional in proto3 (tools/otlp_proto). */
#define PRESENT(point, type, member, MEMBER, what)                               \
	do {                                                                     \
		(point)->x_##member##_case =                                     \
			OPENTELEMETRY__PROTO__METRICS__V1__##type##__X_##MEMBER; \
		(point)->member = (what);                                        \
	} while (0)

void otlp_points_init(struct otlp_points *p, struct arena *a, const struct metric_family *f,
		      const struct resource *resource, uint64_t time_ns)
{
	*p = (struct otlp_points){
		.arena = a, .family = f, .resource = resource, .time_ns = time_ns
	};
	for (size_t i = 0; i < f->label_count; i++)
		p->labels[i] = label_attribute(f->labels[i]);
}

static bool resource_says(const struct resource *r, const char *key, const char *value)
{
	const char *text = resource_text(r, key);

	return text && !strcmp(text, value);
}

static bool parse_number(const char *text, int64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoll(text, &end, 10);
	return end != text && !*end && !errno;
}

static void put_label(struct otlp_attributes *l, const struct label_attribute *label,
		      const char *value)
{
	int64_t number;

	if (label->kind == ATTRIBUTE_NUMBER && parse_number(value, &number))
		otlp_put_integer(l, label->key, number);
	else
		otlp_put_text(l, label->key, value);
}

static struct otlp_attributes attributes(const struct otlp_points *p,
					 const struct snapshot_series *s)
{
	struct otlp_attributes l = otlp_attributes(p->arena, p->family->label_count + 1);

	for (size_t i = 0; i < p->family->label_count; i++) {
		const struct label_attribute *label = &p->labels[i];

		if (!s->values[i] || (label->place == ATTRIBUTE_RESOURCE &&
				      resource_says(p->resource, label->key, s->values[i])))
			continue;
		put_label(&l, label, s->values[i]);
	}
	if (s->overflow)
		otlp_put_bool(&l, "otel.metric.overflow", true);
	return l;
}

static otlp_exemplar *make_exemplar(struct arena *a, const struct exemplar *from)
{
	otlp_exemplar *e = otlp_exemplar_new(a);

	if (!e)
		return NULL;
	e->time_unix_nano = from->time_ns;
	e->trace_id = otlp_id(a, from->trace_id, OTLP_TRACE_ID_LEN);
	e->span_id = otlp_id(a, from->span_id, OTLP_SPAN_ID_LEN);
	e->value_case = OPENTELEMETRY__PROTO__METRICS__V1__EXEMPLAR__VALUE_AS_DOUBLE;
	e->as_double = from->value;
	return e;
}

/* Those of observations that the point is made of. Returns how many there are. */
static size_t exemplars(const struct otlp_points *p, const struct snapshot_series *s,
			const struct otlp_reading *r, otlp_exemplar ***out)
{
	size_t buckets = s->exemplars ? s->hist.bounds->count + 1 : 0, count = 0;

	if (!buckets)
		return 0;
	*out = arena_array(p->arena, buckets, sizeof(**out));
	for (size_t i = 0; *out && i < buckets; i++) {
		const struct exemplar *e = &s->exemplars[i];

		if (!*e->trace_id || e->time_ns < r->start_ns)
			continue;
		(*out)[count] = make_exemplar(p->arena, e);
		count += !!(*out)[count];
	}
	return count;
}

/*
 * Whether the family counts in whole numbers: bytes and {things}. Not so seconds and ratios; of {level}, the level that a probe
 * pack follows, nobody knows. It depends on nothing else, so that the type of a metric's points never changes.
 */
static bool counts_things(const struct metric_family *f)
{
	return !strcmp(f->unit, "By") || (*f->unit == '{' && strcmp(f->unit, "{level}"));
}

otlp_number_point *otlp_make_number(const struct otlp_points *p, const struct snapshot_series *s,
				    const struct otlp_reading *r)
{
	struct otlp_attributes l = attributes(p, s);
	otlp_number_point *n = otlp_number_point_new(p->arena);

	if (!n)
		return NULL;
	n->attributes = l.items;
	n->n_attributes = l.count;
	n->start_time_unix_nano = r->start_ns;
	n->time_unix_nano = p->time_ns;
	if (counts_things(p->family) && fabs(r->value) < 0x1p63) {
		n->value_case = OPENTELEMETRY__PROTO__METRICS__V1__NUMBER_DATA_POINT__VALUE_AS_INT;
		n->as_int = llround(r->value);
	} else {
		n->value_case =
			OPENTELEMETRY__PROTO__METRICS__V1__NUMBER_DATA_POINT__VALUE_AS_DOUBLE;
		n->as_double = r->value;
	}
	return n;
}

otlp_histogram_point *otlp_make_histogram(const struct otlp_points *p,
					  const struct snapshot_series *s,
					  const struct otlp_reading *r)
{
	struct otlp_attributes l = attributes(p, s);
	otlp_histogram_point *h = otlp_histogram_point_new(p->arena);

	if (!h)
		return NULL;
	h->attributes = l.items;
	h->n_attributes = l.count;
	h->start_time_unix_nano = r->start_ns;
	h->time_unix_nano = p->time_ns;
	h->count = r->hist->count;
	PRESENT(h, HISTOGRAM_DATA_POINT, sum, SUM_SUM, r->hist->sum);
	if (!isnan(r->hist->min))
		PRESENT(h, HISTOGRAM_DATA_POINT, min, MIN_MIN, r->hist->min);
	if (!isnan(r->hist->max))
		PRESENT(h, HISTOGRAM_DATA_POINT, max, MAX_MAX, r->hist->max);
	h->n_explicit_bounds = r->hist->bounds->count;
	h->explicit_bounds = (double *)r->hist->bounds->le;
	h->n_bucket_counts = r->hist->bounds->count + 1;
	h->bucket_counts = r->hist->classic;
	h->n_exemplars = exemplars(p, s, r, &h->exemplars);
	return h;
}

/*
 * The occupied slots as buckets, at the highest scale that holds them; *scale is that. Our slot i is (2^((i-1)/8), 2^(i/8)],
 * which OTLP indexes by the lower boundary; each scale less merges pairs. NULL: none is occupied, or no memory.
 */
static otlp_buckets *make_buckets(struct arena *a, const struct hist *h, int32_t *scale)
{
	otlp_buckets *b = otlp_buckets_new(a);
	int32_t first = 0, end = (int32_t)h->exp_len, shift = 0, index = h->exp_first - 1;

	while (first < end && !h->exp[first])
		first++;
	while (end > first && !h->exp[end - 1])
		end--;
	if (!b || first == end)
		return NULL;
	while (((index + end - 1) >> shift) - ((index + first) >> shift) >= BUCKETS_MAX)
		shift++;
	*scale = HIST_SCALE - shift;
	b->offset = (index + first) >> shift;
	b->n_bucket_counts = ((index + end - 1) >> shift) - b->offset + 1;
	b->bucket_counts = arena_array(a, b->n_bucket_counts, sizeof(*b->bucket_counts));
	for (int32_t i = first; b->bucket_counts && i < end; i++)
		b->bucket_counts[((index + i) >> shift) - b->offset] += h->exp[i];
	return b->bucket_counts ? b : NULL;
}

otlp_exponential_point *otlp_make_exponential(const struct otlp_points *p,
					      const struct snapshot_series *s,
					      const struct otlp_reading *r)
{
	struct otlp_attributes l = attributes(p, s);
	otlp_exponential_point *e = otlp_exponential_point_new(p->arena);

	if (!e)
		return NULL;
	e->attributes = l.items;
	e->n_attributes = l.count;
	e->start_time_unix_nano = r->start_ns;
	e->time_unix_nano = p->time_ns;
	e->count = r->hist->count;
	PRESENT(e, EXPONENTIAL_HISTOGRAM_DATA_POINT, sum, SUM_SUM, r->hist->sum);
	if (!isnan(r->hist->min))
		PRESENT(e, EXPONENTIAL_HISTOGRAM_DATA_POINT, min, MIN_MIN, r->hist->min);
	if (!isnan(r->hist->max))
		PRESENT(e, EXPONENTIAL_HISTOGRAM_DATA_POINT, max, MAX_MAX, r->hist->max);
	e->scale = HIST_SCALE;
	e->zero_count = r->hist->zero; /* threshold 0: what is above it has a slot */
	e->positive = make_buckets(p->arena, r->hist, &e->scale);
	e->n_exemplars = exemplars(p, s, r, &e->exemplars);
	return e;
}
