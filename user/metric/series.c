// SPDX-License-Identifier: Apache-2.0
#include "metric/series.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/utf8.h"

/* All label values of one series. The callers cut theirs at 128 to 256 bytes; what is longer than this overflows. */
#define KEY_MAX 4096

/*
 * Copies one label value with its NUL; returns the bytes written or -E2BIG. One byte that is not UTF-8 (an environment
 * variable of a traced process) would make Prometheus refuse the whole scrape, so it becomes '?'.
 */
static ssize_t copy_value(char *dst, size_t room, const char *value)
{
	size_t n = 0;

	while (*value) {
		size_t len = utf8_sequence(value);

		if (n + 5 > room) /* the longest sequence and the NUL */
			return -E2BIG;
		if (!len)
			dst[n++] = '?';
		else
			memcpy(dst + n, value, len);
		n += len;
		value += len ? len : 1;
	}
	if (n == room)
		return -E2BIG;
	dst[n++] = '\0';
	return n;
}

/* Writes all label values to key; returns its length or -E2BIG. */
static ssize_t make_key(char *key, const struct metric_family *f, const char *const *values)
{
	size_t n = 0;

	for (size_t i = 0; i < f->label_count; i++) {
		ssize_t len = copy_value(key + n, KEY_MAX - n, values[i] ? values[i] : "");

		if (len < 0)
			return len;
		n += len;
	}
	return n;
}

static void series_free(struct series *s)
{
	if (!s)
		return;
	hist_free(&s->hist);
	free(s->exemplars);
	free(s);
}

static struct series *series_new(const struct metric_family *f, const char *key, size_t key_len)
{
	struct series *s = calloc(1, sizeof(*s) + key_len);

	if (!s)
		return NULL;
	s->family = f;
	s->start_ns = clock_wall_ns(clock_monotonic_ns());
	s->key_len = key_len;
	memcpy(s->key, key, key_len);
	if (f->type == METRIC_HISTOGRAM && hist_init(&s->hist, f->bounds)) {
		series_free(s);
		return NULL;
	}
	return s;
}

static struct series *overflow(struct series_set *set, uint64_t times)
{
	set->dropped += times;
	if (set->overflow)
		return set->overflow;
	set->overflow = series_new(set->family, "", 0);
	if (set->overflow)
		set->overflow->overflow = true;
	return set->overflow;
}

static struct series *find(const struct series_set *set, const char *key, size_t len)
{
	struct series *s;

	HASH_FIND(hh, set->by_key, key, len, s);
	return s;
}

static struct series *insert(struct series_set *set, const char *key, size_t len)
{
	struct series *s = series_new(set->family, key, len);

	if (!s)
		return NULL;
	HASH_ADD_KEYPTR(hh, set->by_key, s->key, s->key_len, s);
	if (!s->hh.tbl) {
		series_free(s);
		return NULL;
	}
	return s;
}

struct series *series_get(struct series_set *set, size_t max_series, uint32_t owner,
			  const char *const *values, uint64_t times)
{
	char key[KEY_MAX];
	ssize_t len = make_key(key, set->family, values);
	struct series *s;

	if (len < 0)
		return overflow(set, times);
	s = find(set, key, len);
	if (!s && HASH_COUNT(set->by_key) + 1 >= max_series)
		return overflow(set, times);
	if (!s)
		s = insert(set, key, len);
	if (s)
		s->owner = owner;
	else
		set->dropped += times;
	return s;
}

struct series *series_find(const struct series_set *set, const char *const *values)
{
	char key[KEY_MAX];
	ssize_t len = make_key(key, set->family, values);

	return len < 0 ? NULL : find(set, key, len);
}

static void drop(struct series_set *set, struct series *s)
{
	HASH_DEL(set->by_key, s);
	series_free(s);
}

void series_remove(struct series_set *set, const char *const *values)
{
	struct series *s = series_find(set, values);

	if (s)
		drop(set, s);
}

void series_retire(struct series_set *set, uint32_t owner)
{
	struct series *s, *next;

	HASH_ITER(hh, set->by_key, s, next) {
		if (s->owner == owner)
			drop(set, s);
	}
}

/* The values of s, the first `count` of them replaced. */
static ssize_t make_relabelled_key(char *key, const struct series *s, const char *const *values,
				   size_t count)
{
	const char *all[METRIC_LABELS_MAX];
	const char *at = s->key;

	for (size_t i = 0; i < s->family->label_count; i++) {
		all[i] = i < count ? values[i] : at;
		at += strlen(at) + 1;
	}
	return make_key(key, s->family, all);
}

static void take_over(struct series *to, struct series *from)
{
	to->owner = from->owner;
	to->value += from->value;
	if (from->start_ns < to->start_ns)
		to->start_ns = from->start_ns;
	if (from->family->type != METRIC_HISTOGRAM)
		return;
	hist_merge(&to->hist, &from->hist);
	if (to->exemplars)
		return;
	to->exemplars = from->exemplars;
	from->exemplars = NULL;
}

/* Out of memory: the series keeps its old labels. */
static void relabel(struct series_set *set, struct series *s, const char *const *values,
		    size_t count)
{
	char key[KEY_MAX];
	ssize_t len = make_relabelled_key(key, s, values, count);
	struct series *to = len < 0 ? s : find(set, key, len);

	if (!to)
		to = insert(set, key, len);
	if (!to || to == s)
		return;
	take_over(to, s);
	drop(set, s);
}

void series_relabel(struct series_set *set, uint32_t owner, const char *const *values, size_t count)
{
	const struct series *last =
		set->by_key ? ELMT_FROM_HH(set->by_key->hh.tbl, set->by_key->hh.tbl->tail) : NULL;
	struct series *s, *next;

	if (!set->family->label_count || strcmp(set->family->labels[0], "service_name"))
		return;
	/* What is inserted on the way comes behind the last one. */
	for (s = set->by_key; s; s = next) {
		bool end = s == last;

		next = end ? NULL : s->hh.next;
		if (s->owner == owner)
			relabel(set, s, values, count);
	}
}

bool series_exemplar(struct series *s, const struct exemplar *e)
{
	const struct hist_bounds *b = s->hist.bounds;
	size_t i = 0;

	if (!s->exemplars)
		s->exemplars = calloc(b->count + 1, sizeof(*s->exemplars));
	if (!s->exemplars)
		return false;
	while (i < b->count && e->value > b->le[i])
		i++;
	s->exemplars[i] = *e;
	return true;
}

void series_set_free(struct series_set *set)
{
	struct series *s, *next;

	HASH_ITER(hh, set->by_key, s, next)
		drop(set, s);
	series_free(set->overflow);
	set->overflow = NULL;
}
