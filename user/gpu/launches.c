// SPDX-License-Identifier: Apache-2.0
#include "gpu/launches.h"

#include <stdlib.h>

#include "gpu/process_rows.h"

struct entry {
	struct process_row of;
	struct launch launch; /* begins with the key: tgid, correlation */
	uint64_t told_ns;
	UT_hash_handle hh; /* iterates in order of creation */
};
#define KEY_SIZE (2 * sizeof(uint32_t))

struct launches {
	struct entry *entries;
	struct process_rows *processes;
	size_t max;
	struct launches_stats stats;
};

struct launches *launches_new(size_t max)
{
	struct launches *l = calloc(1, sizeof(*l));

	if (l)
		l->max = max;
	return l;
}

static void give_up(struct launches *l, struct entry *e)
{
	l->stats.unmatched_calls += !e->launch.work_ns;
	l->stats.unmatched_works += !e->launch.call_ns;
	process_rows_unlink(&l->processes, &e->of);
	HASH_DEL(l->entries, e);
	free(e);
}

/* A process that has its part of the table gives up its own. */
static void make_room(struct launches *l, uint32_t tgid)
{
	const struct process_rows *p = process_rows_find(l->processes, tgid);

	if (p && p->count >= process_quota(l->max))
		give_up(l, (struct entry *)p->oldest);
	else if (HASH_COUNT(l->entries) >= l->max)
		give_up(l, l->entries);
}

void launches_free(struct launches *l)
{
	struct entry *e, *next;

	if (!l)
		return;
	HASH_ITER(hh, l->entries, e, next)
		give_up(l, e);
	free(l);
}

static struct entry *entry_new(struct launches *l, uint32_t tgid, uint32_t correlation,
			       uint64_t now_ns)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->launch.tgid = tgid;
	e->launch.correlation = correlation;
	e->told_ns = now_ns;
	if (process_rows_link(&l->processes, tgid, &e->of)) {
		HASH_ADD(hh, l->entries, launch, KEY_SIZE, e);
		if (e->hh.tbl)
			return e;
		process_rows_unlink(&l->processes, &e->of);
	}
	free(e);
	return NULL;
}

/* NULL: out of memory, which is counted. */
static struct entry *entry_get(struct launches *l, uint32_t tgid, uint32_t correlation,
			       uint64_t now_ns)
{
	uint32_t key[2] = { tgid, correlation };
	struct entry *e;

	HASH_FIND(hh, l->entries, key, KEY_SIZE, e);
	if (e)
		return e;
	make_room(l, tgid);
	e = entry_new(l, tgid, correlation, now_ns);
	l->stats.no_memory += !e;
	return e;
}

bool launches_call(struct launches *l, uint32_t tgid, uint32_t correlation, uint64_t call_ns,
		   uint64_t now_ns, struct launch *pair)
{
	struct entry *e = entry_get(l, tgid, correlation, now_ns);

	/* A call of the runtime may be told beside the driver's that it makes: the first is as good. */
	if (!e || e->launch.call_ns)
		return false;
	e->launch.call_ns = call_ns;
	*pair = e->launch;
	return pair->work_ns;
}

bool launches_work(struct launches *l, uint32_t tgid, uint32_t correlation, uint16_t device,
		   uint64_t work_ns, uint64_t now_ns, struct launch *pair)
{
	struct entry *e = entry_get(l, tgid, correlation, now_ns);
	bool first = e && !e->launch.work_ns;

	*pair = (struct launch){ 0 };
	if (first) {
		e->launch.work_ns = work_ns;
		e->launch.device = device;
	}
	if (e)
		*pair = e->launch;
	return first && pair->call_ns;
}

void launches_expire(struct launches *l, uint64_t before_ns)
{
	while (l->entries && l->entries->told_ns < before_ns)
		give_up(l, l->entries);
}

void launches_process_gone(struct launches *l, uint32_t tgid)
{
	const struct process_rows *p;

	while ((p = process_rows_find(l->processes, tgid)))
		give_up(l, (struct entry *)p->oldest);
}

void launches_get_stats(const struct launches *l, struct launches_stats *stats)
{
	*stats = l->stats;
	stats->waiting = HASH_COUNT(l->entries);
}
