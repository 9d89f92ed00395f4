// SPDX-License-Identifier: Apache-2.0
#include "gpu/attribution_inside.h"

#include <errno.h>
#include <stdlib.h>

#define REQUESTS_MAX_DEFAULT  65536
#define INTERVALS_MAX_DEFAULT 65536
#define GROUPS_MAX	      1024
#define SHARES_MAX	      1024

const char *attribution_source_name(enum attribution_source s)
{
	return s == ATTRIBUTION_ENGINE ? "engine" : "in_flight";
}

/* ------------------------------------------------------------------ open and close */

struct attribution *attribution_new(const struct attribution_config *config,
				    const struct attribution_ops *ops, void *ctx)
{
	struct attribution *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->config.max_requests = config->max_requests ?: REQUESTS_MAX_DEFAULT;
	a->config.max_intervals = config->max_intervals ?: INTERVALS_MAX_DEFAULT;
	a->ops = ops;
	a->ctx = ctx;
	return a;
}

void request_free(struct attribution *a, struct request *r)
{
	if (r->running)
		r->group->running--;
	HASH_DEL(a->requests, r);
	free(r);
}

/* One that no group works on is forgotten; what its last division has left stays in the remainder. */
static void gpu_put(struct attribution *a, struct gpu_time *g)
{
	if (g->shares)
		return;
	HASH_DEL(a->gpus, g);
	free(g);
}

static void share_free(struct attribution *a, struct share *s)
{
	struct gpu_time *g = s->gpu;

	LL_DELETE2(g->shares, s, of_gpu);
	LL_DELETE2(s->group->shares, s, of_group);
	a->shares--;
	busy_free(s->busy);
	free(s);
	gpu_put(a, g);
}

static struct group *find_group(const struct attribution *a, uint32_t id)
{
	struct group *g;

	HASH_FIND(hh, a->groups, &id, sizeof(id), g);
	return g;
}

void attribution_forget(struct attribution *a, uint32_t id)
{
	struct group *group = find_group(a, id);
	struct request *r, *next;

	if (!group)
		return;
	HASH_ITER(hh, a->requests, r, next)
		if (r->group == group)
			request_free(a, r);
	while (group->shares)
		share_free(a, group->shares);
	HASH_DEL(a->groups, group);
	free(group);
}

void attribution_free(struct attribution *a)
{
	if (!a)
		return;
	while (a->groups)
		attribution_forget(a, a->groups->id);
	free(a->events);
	free(a);
}

/* ------------------------------------------------------------------ what is told */

/* NULL: out of memory, or there are too many. */
static struct group *group_get(struct attribution *a, uint32_t id)
{
	struct group *g = find_group(a, id);

	if (g || HASH_COUNT(a->groups) >= GROUPS_MAX)
		return g;
	g = calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	g->id = id;
	HASH_ADD(hh, a->groups, id, sizeof(g->id), g);
	if (g->hh.tbl)
		return g;
	free(g);
	return NULL;
}

/* Some of its work before this time is not known. */
static void group_lost(struct group *g, uint64_t until_ns)
{
	if (g->covered_ns < until_ns)
		g->covered_ns = until_ns;
}

void attribution_covered(struct attribution *a, uint32_t group, uint64_t from_ns)
{
	struct group *g = group_get(a, group);

	if (!g || g->covered)
		return;
	g->covered = true;
	group_lost(g, from_ns);
}

void attribution_uncovered(struct attribution *a, uint32_t group)
{
	struct group *g = find_group(a, group);

	if (g)
		g->covered = false;
}

void attribution_lost(struct attribution *a, uint32_t group, uint64_t until_ns)
{
	struct group *g = find_group(a, group);

	if (g)
		group_lost(g, until_ns);
}

static struct request *find_request(const struct attribution *a, uint64_t id)
{
	struct request *r;

	HASH_FIND(hh, a->requests, &id, sizeof(id), r);
	return r;
}

static int add_request(struct attribution *a, const struct request *like)
{
	struct request *r;

	if (!like->group || HASH_COUNT(a->requests) >= a->config.max_requests)
		return -ENOSPC;
	r = malloc(sizeof(*r));
	if (!r)
		return -ENOMEM;
	*r = *like;
	HASH_ADD(hh, a->requests, id, sizeof(r->id), r);
	if (r->hh.tbl)
		return 0;
	free(r);
	return -ENOMEM;
}

/* What was divided already was divided wrongly, whoever else ran then. */
static void request_late(struct attribution *a, struct group *g)
{
	group_lost(g, a->watermark_ns);
	a->stats.late_requests += g->covered;
}

int attribution_request_start(struct attribution *a, uint64_t request, uint32_t group,
			      uint64_t start_ns, enum attribution_source source)
{
	struct request r = { .id = request,
			     .group = group_get(a, group),
			     .source = source,
			     .start_ns = start_ns,
			     .late = start_ns < a->watermark_ns };
	int err;

	if (find_request(a, request))
		return -EEXIST;
	err = add_request(a, &r);
	a->stats.refused += err != 0;
	if (!err && r.late)
		request_late(a, r.group);
	return err;
}

void attribution_request_end(struct attribution *a, uint64_t request, uint64_t end_ns)
{
	struct request *r = find_request(a, request);

	if (!r || r->ended)
		return;
	r->ended = true;
	r->end_ns = end_ns < r->start_ns ? r->start_ns : end_ns;
	if (r->end_ns >= a->watermark_ns || r->late)
		return;
	r->late = true;
	request_late(a, r->group);
}

static struct gpu_time *gpu_get(struct attribution *a, uint32_t id)
{
	struct gpu_time *g;

	HASH_FIND(hh, a->gpus, &id, sizeof(id), g);
	if (g || HASH_COUNT(a->gpus) >= SHARES_MAX)
		return g;
	g = calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	g->id = id;
	HASH_ADD(hh, a->gpus, id, sizeof(g->id), g);
	if (g->hh.tbl)
		return g;
	free(g);
	return NULL;
}

static struct share *share_new(struct attribution *a, struct gpu_time *g, struct group *group)
{
	struct share *s = a->shares < SHARES_MAX ? calloc(1, sizeof(*s)) : NULL;

	if (s)
		s->busy = busy_new();
	if (!s || !s->busy) {
		free(s);
		return NULL;
	}
	s->group = group;
	s->gpu = g;
	busy_forget(s->busy, a->watermark_ns, NULL, NULL);
	LL_PREPEND2(g->shares, s, of_gpu);
	LL_PREPEND2(group->shares, s, of_group);
	a->shares++;
	return s;
}

static struct share *share_get(struct attribution *a, uint32_t gpu, struct group *group)
{
	struct gpu_time *g = group ? gpu_get(a, gpu) : NULL;
	struct share *s = NULL;

	if (!g)
		return NULL;
	LL_SEARCH_SCALAR2(g->shares, s, group, group, of_gpu);
	if (!s)
		s = share_new(a, g, group);
	if (!s)
		gpu_put(a, g);
	return s;
}

static uint64_t last_end(const struct interval *items, size_t count)
{
	uint64_t end = 0;

	for (size_t i = 0; i < count; i++)
		end = items[i].end_ns > end ? items[i].end_ns : end;
	return end;
}

int attribution_busy(struct attribution *a, uint32_t gpu, uint32_t group, struct interval *items,
		     size_t count)
{
	struct group *g = group_get(a, group);
	struct share *s = share_get(a, gpu, g);
	uint64_t end = last_end(items, count);
	struct busy_stats before, after;
	int err = -ENOSPC;

	if (s) {
		busy_get_stats(s->busy, &before);
		if (before.intervals + count <= a->config.max_intervals)
			err = busy_add(s->busy, items, count, NULL, NULL);
	}
	if (err) {
		a->stats.refused++;
		if (g)
			group_lost(g, end);
		return err;
	}
	busy_get_stats(s->busy, &after);
	a->stats.late += after.late - before.late;
	if (after.late > before.late)
		group_lost(g, a->watermark_ns);
	return 0;
}
