// SPDX-License-Identifier: Apache-2.0
#include "metric/registry.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "metric/families.h"
#include "metric/series.h"

/* The cardinality limit of the OpenTelemetry metrics SDK (specification/metrics/sdk.md), overflow series included. */
#define MAX_SERIES_DEFAULT 2000

struct registry {
	pthread_mutex_t lock;
	size_t max_series;
	uint64_t start_ns; /* wall clock */
	struct families *catalogue;
	struct series_set sets[M_MAX];
	struct owner *owners; /* uthash by id */
};

struct registry *registry_new(const struct registry_config *config)
{
	struct registry *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->catalogue = families_new(config->extra, config->extra_count);
	if (!r->catalogue || pthread_mutex_init(&r->lock, NULL)) {
		families_put(r->catalogue);
		free(r);
		return NULL;
	}
	r->max_series = config->max_series ? config->max_series : MAX_SERIES_DEFAULT;
	r->start_ns = clock_wall_ns(clock_monotonic_ns());
	for (int id = 0; id < M_MAX; id++)
		r->sets[id].family = families_at(r->catalogue, id);
	return r;
}

static void drop_owner(struct registry *r, struct owner *o)
{
	HASH_DEL(r->owners, o);
	resource_put(o->resource);
	free(o);
}

void registry_free(struct registry *r)
{
	struct owner *o, *next;

	if (!r)
		return;
	for (int id = 0; id < M_MAX; id++)
		series_set_free(&r->sets[id]);
	HASH_ITER(hh, r->owners, o, next)
		drop_owner(r, o);
	families_put(r->catalogue);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

const struct hist_bounds *registry_bounds(const struct registry *r, enum metric_id id)
{
	return r->sets[id].family->bounds;
}

/* Locks the registry for one measurement. NULL: not stored, and counted. Either way unlock() follows. */
static struct series *lock_series(struct registry *r, enum metric_id id, uint32_t owner,
				  const char *const *values, bool histogram, uint64_t times)
{
	struct series_set *set = &r->sets[id];

	pthread_mutex_lock(&r->lock);
	if (histogram != (set->family->type == METRIC_HISTOGRAM)) {
		set->dropped += times;
		return NULL;
	}
	return series_get(set, r->max_series, owner, values, times);
}

static void unlock(struct registry *r)
{
	pthread_mutex_unlock(&r->lock);
}

void registry_add(struct registry *r, enum metric_id id, uint32_t owner, const char *const *values,
		  double delta)
{
	struct series *s;

	if (isnan(delta) || (delta < 0 && metric_family(id)->type == METRIC_COUNTER))
		return;
	s = lock_series(r, id, owner, values, false, 1);
	if (s)
		s->value += delta;
	unlock(r);
}

void registry_set(struct registry *r, enum metric_id id, uint32_t owner, const char *const *values,
		  double value)
{
	struct series *s = lock_series(r, id, owner, values, false, 1);

	if (s)
		s->value = value;
	unlock(r);
}

void registry_observe(struct registry *r, enum metric_id id, uint32_t owner,
		      const char *const *values, double value)
{
	struct series *s;

	if (isnan(value))
		return;
	s = lock_series(r, id, owner, values, true, 1);
	if (s && hist_observe(&s->hist, value, 1))
		r->sets[id].dropped++;
	unlock(r);
}

void registry_merge(struct registry *r, enum metric_id id, uint32_t owner,
		    const char *const *values, const struct hist *h)
{
	struct series *s;

	if (!h->count)
		return;
	s = lock_series(r, id, owner, values, true, h->count);
	if (s && hist_merge(&s->hist, h))
		r->sets[id].dropped += h->count;
	unlock(r);
}

void registry_exemplar(struct registry *r, enum metric_id id, const char *const *values,
		       const struct exemplar *e)
{
	struct series *s;

	pthread_mutex_lock(&r->lock);
	s = series_find(&r->sets[id], values);
	if (s && s->family->type == METRIC_HISTOGRAM)
		series_exemplar(s, e);
	unlock(r);
}

void registry_remove(struct registry *r, enum metric_id id, const char *const *values)
{
	pthread_mutex_lock(&r->lock);
	series_remove(&r->sets[id], values);
	unlock(r);
}

static struct owner *find_owner(const struct registry *r, uint32_t id)
{
	struct owner *o;

	HASH_FIND(hh, r->owners, &id, sizeof(id), o);
	return o;
}

void registry_retire(struct registry *r, uint32_t owner)
{
	struct owner *o;

	pthread_mutex_lock(&r->lock);
	for (int id = 0; id < M_MAX; id++)
		series_retire(&r->sets[id], owner);
	o = find_owner(r, owner);
	if (o)
		drop_owner(r, o);
	unlock(r);
}

void registry_relabel(struct registry *r, uint32_t owner, const char *const *values, size_t count)
{
	pthread_mutex_lock(&r->lock);
	for (int id = 0; id < M_MAX; id++)
		series_relabel(&r->sets[id], owner, values, count);
	unlock(r);
}

static struct owner *add_owner(struct registry *r, uint32_t id)
{
	struct owner *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->id = id;
	HASH_ADD(hh, r->owners, id, sizeof(o->id), o);
	if (o->hh.tbl)
		return o;
	free(o);
	return NULL;
}

void registry_describe(struct registry *r, uint32_t owner, struct resource *resource)
{
	struct owner *o;

	pthread_mutex_lock(&r->lock);
	o = find_owner(r, owner) ?: add_owner(r, owner);
	if (o) {
		resource_put(o->resource);
		o->resource = resource_get(resource);
	}
	unlock(r);
}

struct resource *registry_resource(struct registry *r, uint32_t owner)
{
	struct owner *o;
	struct resource *resource;

	pthread_mutex_lock(&r->lock);
	o = find_owner(r, owner);
	resource = resource_get(o ? o->resource : NULL);
	unlock(r);
	return resource;
}

struct snapshot *registry_snapshot(struct registry *r)
{
	struct snapshot *s;

	pthread_mutex_lock(&r->lock);
	s = snapshot_new(r->catalogue, r->sets, r->owners, r->start_ns);
	unlock(r);
	return s;
}
