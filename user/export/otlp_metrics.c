// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "export/otlp_encode.h"
#include "export/otlp_points.h"

/* One request under way. */
struct encoding {
	const struct otlp_metrics_form *form;
	const struct snapshot *now;
	struct otlp_base base;
	struct arena arena; /* of the Resource that is being built */
	/* That Resource: whose, and what describes it. */
	uint32_t owner;
	const struct resource *resource;
};

/* Series of an owner that nobody described go with the agent's, and say in their attributes whose they are. */
static bool belongs(const struct encoding *e, const struct snapshot_series *s)
{
	if (e->owner)
		return s->owner == e->owner;
	return !s->owner || !snapshot_resource(e->now, s->owner);
}

static void *make_point(struct encoding *e, const struct otlp_points *p, enum metric_id id,
			const struct snapshot_series *s)
{
	struct otlp_reading r = { s->start_ns, s->value, &s->hist };

	if (p->family->type != METRIC_GAUGE && e->form->delta &&
	    !otlp_growth(&e->base, &e->arena, id, s, &r))
		return NULL;
	if (p->family->type != METRIC_HISTOGRAM)
		return otlp_make_number(p, s, &r);
	return e->form->exponential ? (void *)otlp_make_exponential(p, s, &r)
				    : (void *)otlp_make_histogram(p, s, &r);
}

static otlp_metric *make_metric(struct arena *a, const struct metric_family *f)
{
	otlp_metric *m = otlp_metric_new(a);

	if (!m)
		return NULL;
	m->name = (char *)f->otlp_name;
	m->description = (char *)f->help;
	m->unit = (char *)f->unit;
	return m;
}

#define TEMPORALITY(word) \
	OPENTELEMETRY__PROTO__METRICS__V1__AGGREGATION_TEMPORALITY__AGGREGATION_TEMPORALITY_##word

/* The member of the metric's union that is of type otlp_##type, with these points; then what else it has. */
#define FILL(member, type, CASE, ...)                                                  \
	do {                                                                           \
		otlp_##type *data = otlp_##type##_new(&e->arena);                      \
		if (!data)                                                             \
			return;                                                        \
		data->data_points = (void *)points;                                    \
		data->n_data_points = count;                                           \
		__VA_ARGS__                                                            \
		m->data_case = OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_##CASE; \
		m->member = data;                                                      \
	} while (0)

static void fill(struct encoding *e, otlp_metric *m, enum metric_type type, void **points,
		 size_t count)
{
	int temporality = e->form->delta ? TEMPORALITY(DELTA) : TEMPORALITY(CUMULATIVE);

	if (type == METRIC_GAUGE)
		FILL(gauge, gauge, GAUGE);
	else if (type == METRIC_COUNTER)
		FILL(sum, sum, SUM, data->is_monotonic = true;
		     data->aggregation_temporality = temporality;);
	else if (e->form->exponential)
		FILL(exponential_histogram, exponential, EXPONENTIAL_HISTOGRAM,
		     data->aggregation_temporality = temporality;);
	else
		FILL(histogram, histogram, HISTOGRAM, data->aggregation_temporality = temporality;);
}

/* Adds the family's points to the scope, and their number to *total. */
static void add_family(struct encoding *e, enum metric_id id, otlp_scope_metrics *scope, int *total)
{
	const struct snapshot_family *f = &e->now->families[id];
	struct otlp_points p;
	otlp_metric *m;
	size_t mine = 0, count = 0;
	void **items;

	for (size_t i = 0; i < f->count; i++)
		mine += belongs(e, &f->series[i]);
	items = mine ? arena_array(&e->arena, mine, sizeof(*items)) : NULL;
	if (!items)
		return;
	otlp_points_init(&p, &e->arena, f->family, e->resource, e->now->time_ns);
	for (size_t i = 0; i < f->count; i++) {
		if (!belongs(e, &f->series[i]))
			continue;
		items[count] = make_point(e, &p, id, &f->series[i]);
		count += !!items[count];
	}
	m = count ? make_metric(&e->arena, f->family) : NULL;
	if (!m)
		return;
	fill(e, m, f->family->type, items, count);
	scope->metrics[scope->n_metrics++] = m;
	*total += (int)count;
}

static otlp_scope_metrics *make_scope_metrics(struct encoding *e, int *total)
{
	otlp_scope_metrics *scope = otlp_scope_metrics_new(&e->arena);

	if (!scope)
		return NULL;
	scope->scope = otlp_make_scope(&e->arena);
	scope->metrics = arena_array(&e->arena, M_MAX, sizeof(*scope->metrics));
	for (int id = 0; scope->metrics && id < M_MAX; id++)
		add_family(e, id, scope, total);
	return scope;
}

/* Appends one Resource with its points, if it has any. Returns their number or -ENOMEM. */
static int encode_owner(struct encoding *e, struct buf *out)
{
	otlp_metrics_request *request = otlp_metrics_request_new(&e->arena);
	otlp_resource_metrics *resource = otlp_resource_metrics_new(&e->arena);
	int total = 0;
	otlp_scope_metrics *scope = make_scope_metrics(e, &total);

	if (e->arena.err || !request || !resource)
		return -ENOMEM;
	if (!total)
		return 0;
	resource->resource = otlp_make_resource(&e->arena, e->resource);
	resource->scope_metrics = &scope;
	resource->n_scope_metrics = 1;
	request->resource_metrics = &resource;
	request->n_resource_metrics = 1;
	return otlp_append(out, &e->arena, &request->base) ?: total;
}

static int encode_next(struct encoding *e, struct buf *out, uint32_t owner,
		       const struct resource *resource, int before)
{
	int points;

	if (before < 0)
		return before;
	e->owner = owner;
	e->resource = resource;
	points = encode_owner(e, out);
	arena_free(&e->arena);
	return points < 0 ? points : before + points;
}

int otlp_encode_metrics(struct buf *out, const struct otlp_metrics_form *form,
			const struct snapshot *now, const struct snapshot *base)
{
	struct encoding e = { .form = form, .now = now };
	size_t len = out->len;
	struct arena index = { 0 };
	int points;

	otlp_base_init(&e.base, &index, form->delta ? base : NULL);
	points = index.err ?: encode_next(&e, out, 0, snapshot_resource(now, 0), 0);
	for (size_t i = 0; i < now->owner_count; i++)
		if (now->owners[i].id)
			points = encode_next(&e, out, now->owners[i].id, now->owners[i].resource,
					     points);
	arena_free(&index);
	if (points < 0)
		out->len = len;
	return points;
}
