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

/* dst is zeroed; what a failure leaves in it goes with snapshot_free(). */
static int copy_series(struct snapshot_series *dst, const struct series *s)
{
	dst->overflow = s->overflow;
	dst->value = s->value;
	dst->start_ns = s->start_ns;
	dst->values = copy_values(s);
	if (!dst->values)
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

struct snapshot *snapshot_new(const struct series_set sets[M_MAX], uint64_t start_ns)
{
	struct snapshot *s = calloc(1, sizeof(*s));
	int err = 0;

	if (!s)
		return NULL;
	s->time_ns = clock_wall_ns(clock_monotonic_ns());
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
			hist_free(&s->families[id].series[i].hist);
		}
		free(s->families[id].series);
	}
	free(s);
}
