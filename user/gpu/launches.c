// SPDX-License-Identifier: Apache-2.0
#include "gpu/launches.h"

#include <stdlib.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct entry {
	struct launch launch; /* begins with the key: tgid, correlation */
	uint64_t told_ns;
	UT_hash_handle hh; /* iterates in order of creation */
};
#define KEY_SIZE (2 * sizeof(uint32_t))

struct launches {
	struct entry *entries;
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
	HASH_DEL(l->entries, e);
	free(e);
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

/* NULL: out of memory, which is counted. */
static struct entry *entry_get(struct launches *l, uint32_t tgid, uint32_t correlation,
			       uint64_t now_ns)
{
	uint32_t key[2] = { tgid, correlation };
	struct entry *e;

	HASH_FIND(hh, l->entries, key, KEY_SIZE, e);
	if (e)
		return e;
	if (HASH_COUNT(l->entries) >= l->max)
		give_up(l, l->entries);
	e = calloc(1, sizeof(*e));
	if (e) {
		e->launch.tgid = tgid;
		e->launch.correlation = correlation;
		e->told_ns = now_ns;
		HASH_ADD(hh, l->entries, launch, KEY_SIZE, e);
	}
	if (e && e->hh.tbl)
		return e;
	free(e);
	l->stats.no_memory++;
	return NULL;
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
	struct entry *e, *next;

	HASH_ITER(hh, l->entries, e, next)
		if (e->launch.tgid == tgid)
			give_up(l, e);
}

void launches_get_stats(const struct launches *l, struct launches_stats *stats)
{
	*stats = l->stats;
	stats->waiting = HASH_COUNT(l->entries);
}
