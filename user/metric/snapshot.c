// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "metric/series.h"

/* The values array and the strings behind it, in one allocation. */
static const char *const *copy_values(const struct series *s)
{
	size_t count = s->family->label_count;
	const char **values = calloc(1, (count + 1) * sizeof(*values) + s->key_len);
	char *p;

	if (!values)
		return NULL;
	p = (char *)(values + count + 1);
	memcpy(p, s->key, s->key_len);
	for (size_t i = 0; i < count && s->key_len; i++) {
		values[i] = *p ? p : NULL;
		p += strlen(p) + 1;
	}
	return values;
}

static const struct exemplar *copy_exemplars(const struct series *s)
{
	size_t size = (s->hist.bounds->count + 1) * sizeof(*s->exemplars);
	struct exemplar *copy = malloc(size);

	return copy ? memcpy(copy, s->exemplars, size) : NULL;
}

/* dst is zeroed; what a failure leaves in it goes with snapshot_free(). */
static int copy_series(struct snapshot_series *dst, const struct series *s)
{
	dst->overflow = s->overflow;
	dst->owner = s->overflow ? 0 : s->owner;
	dst->value = s->value;
	dst->start_ns = s->start_ns;
	dst->values = copy_values(s);
	if (!dst->values)
		return -ENOMEM;
	if (s->exemplars)
		dst->exemplars = copy_exemplars(s);
	if (s->exemplars && !dst->exemplars)
		return -ENOMEM;
	return s->family->type == METRIC_HISTOGRAM ? hist_copy(&dst->hist, &s->hist) : 0;
}

static int copy_set(struct snapshot_family *dst, const struct series_set *set)
{
	const struct series *s;

	dst->series = calloc(HASH_COUNT(set->by_key) + 1, sizeof(*dst->series));
	if (!dst->series)
		return -ENOMEM;
	for (s = set->by_key; s; s = s->hh.next)
		if (copy_series(&dst->series[dst->count++], s))
			return -ENOMEM;
	return set->overflow ? copy_series(&dst->series[dst->count++], set->overflow) : 0;
}

/* One series for each family in use, 0 included: rate() needs the value before the first drop. */
static int copy_dropped(struct snapshot_family *dst, const struct series_set sets[M_MAX],
			uint64_t start_ns)
{
	dst->series = calloc(M_MAX, sizeof(*dst->series));
	if (!dst->series)
		return -ENOMEM;
	for (int id = 0; id < M_MAX; id++) {
		struct snapshot_series *s = &dst->series[dst->count];
		const char **values;

		if (!sets[id].by_key && !sets[id].dropped)
			continue;
		values = calloc(2, sizeof(*values));
		if (!values)
			return -ENOMEM;
		values[0] = sets[id].family->prom_name;
		s->values = values;
		s->value = sets[id].dropped;
		s->start_ns = start_ns;
		dst->count++;
	}
	return 0;
}

static int by_id(const void *a, const void *b)
{
	uint32_t x = ((const struct snapshot_owner *)a)->id;
	uint32_t y = ((const struct snapshot_owner *)b)->id;

	return (x > y) - (x < y);
}

static int copy_owners(struct snapshot *s, const struct owner *owners)
{
	s->owners = calloc(HASH_COUNT(owners) + 1, sizeof(*s->owners));
	if (!s->owners)
		return -ENOMEM;
	for (const struct owner *o = owners; o; o = o->hh.next)
		s->owners[s->owner_count++] =
			(struct snapshot_owner){ o->id, resource_get(o->resource) };
	qsort(s->owners, s->owner_count, sizeof(*s->owners), by_id);
	return 0;
}

const struct resource *snapshot_resource(const struct snapshot *s, uint32_t owner)
{
	struct snapshot_owner key = { .id = owner };
	const struct snapshot_owner *o =
		bsearch(&key, s->owners, s->owner_count, sizeof(key), by_id);

	return o ? o->resource : NULL;
}

struct snapshot *snapshot_new(struct families *catalogue, const struct series_set sets[M_MAX],
			      const struct owner *owners, uint64_t start_ns)
{
	struct snapshot *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return NULL;
	s->time_ns = clock_wall_ns(clock_monotonic_ns());
	s->catalogue = families_get(catalogue);
	err = copy_owners(s, owners);
	for (int id = 0; id < M_MAX && !err; id++) {
		s->families[id].family = sets[id].family;
		err = id == M_SERIES_DROPPED ? copy_dropped(&s->families[id], sets, start_ns)
					     : copy_set(&s->families[id], &sets[id]);
	}
	if (!err)
		return s;
	snapshot_free(s);
	return NULL;
}

void snapshot_free(struct snapshot *s)
{
	if (!s)
		return;
	for (int id = 0; id < M_MAX; id++) {
		for (size_t i = 0; i < s->families[id].count; i++) {
			free((void *)s->families[id].series[i].values);
			free((void *)s->families[id].series[i].exemplars);
			hist_free(&s->families[id].series[i].hist);
		}
		free(s->families[id].series);
	}
	for (size_t i = 0; i < s->owner_count; i++)
		resource_put(s->owners[i].resource);
	families_put(s->catalogue);
	free(s->owners);
	free(s);
}
