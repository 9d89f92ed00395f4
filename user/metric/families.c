// SPDX-License-Identifier: Apache-2.0
#include "metric/families.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A family with more boundaries. */
struct widened {
	struct metric_family family;
	struct hist_bounds bounds;
	double le[];
};

struct families {
	unsigned int refs; /* atomic */
	struct widened *widened[M_MAX];
};

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts n values and keeps each once; returns how many. */
static size_t sort_once(double *le, size_t n)
{
	size_t kept = 0;

	qsort(le, n, sizeof(*le), ascending);
	for (size_t i = 0; i < n; i++)
		if (!kept || le[i] != le[kept - 1])
			le[kept++] = le[i];
	return kept;
}

static struct widened *widen(enum metric_id id, const struct extra_boundary *extra, size_t count)
{
	const struct hist_bounds *base = metric_family(id)->bounds;
	struct widened *w = calloc(1, sizeof(*w) + (base->count + count) * sizeof(*w->le));
	size_t n = base->count;

	if (!w)
		return NULL;
	memcpy(w->le, base->le, n * sizeof(*w->le));
	for (size_t i = 0; i < count; i++)
		if (extra[i].id == id)
			w->le[n++] = extra[i].le;
	w->bounds = (struct hist_bounds){ .le = w->le, .count = sort_once(w->le, n) };
	w->family = *metric_family(id);
	w->family.bounds = &w->bounds;
	return w;
}

struct families *families_new(const struct extra_boundary *extra, size_t count)
{
	struct families *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->refs = 1;
	for (size_t i = 0; i < count; i++) {
		enum metric_id id = extra[i].id;

		if (f->widened[id])
			continue;
		f->widened[id] = widen(id, extra, count);
		if (!f->widened[id]) {
			families_put(f);
			return NULL;
		}
	}
	return f;
}

struct families *families_get(struct families *f)
{
	__atomic_add_fetch(&f->refs, 1, __ATOMIC_RELAXED);
	return f;
}

void families_put(struct families *f)
{
	if (!f || __atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL))
		return;
	for (int id = 0; id < M_MAX; id++)
		free(f->widened[id]);
	free(f);
}

const struct metric_family *families_at(const struct families *f, enum metric_id id)
{
	return f->widened[id] ? &f->widened[id]->family : metric_family(id);
}

/* ------------------------------------------------------------------ boundaries as text */

static int unknown_family(const char *name, char error[BOUNDARY_ERROR_MAX])
{
	const char *near = metric_near(name);

	snprintf(error, BOUNDARY_ERROR_MAX, "no metric is named '%s'%s%s%s", name,
		 near ? "; did you mean '" : "", near ?: "", near ? "'?" : "");
	return -EINVAL;
}

int extra_boundary_parse(const char *text, struct extra_boundary *out,
			 char error[BOUNDARY_ERROR_MAX])
{
	const char *equals = strchr(text, '=');
	char name[128], *end = NULL;

	if (!equals || equals == text || equals - text >= (ptrdiff_t)sizeof(name)) {
		snprintf(error, BOUNDARY_ERROR_MAX, "'%s': expected METRIC=BOUNDARY", text);
		return -EINVAL;
	}
	snprintf(name, sizeof(name), "%.*s", (int)(equals - text), text);
	out->id = metric_named(name);
	if (out->id == M_MAX)
		return unknown_family(name, error);
	if (metric_family(out->id)->type != METRIC_HISTOGRAM) {
		snprintf(error, BOUNDARY_ERROR_MAX,
			 "%s is no histogram: only those have boundaries", name);
		return -EINVAL;
	}
	out->le = strtod(equals + 1, &end);
	if (end == equals + 1 || *end || !isfinite(out->le) || out->le <= 0) {
		snprintf(error, BOUNDARY_ERROR_MAX,
			 "%s: a boundary is a number above 0 in the metric's unit, not '%s'", name,
			 equals + 1);
		return -EINVAL;
	}
	return 0;
}
