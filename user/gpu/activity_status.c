// SPDX-License-Identifier: Apache-2.0
#include "gpu/activity_status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define PROCESSES_MAX 4096

static const char *const states[] = {
#define CUPTI_STATE(state, label) [state] = label,
#include "gpu/activity_kinds.def"
#undef CUPTI_STATE
};
#define STATES (sizeof(states) / sizeof(states[0]))

static const struct {
	size_t offset; /* of a __u64 */
	enum metric_id id;
	const char *reason;
	double unit;
	bool work;
} counts[] = {
#define CUPTI_COUNT(field, id, reason, unit, work) \
	{ offsetof(struct tks_cupti_status, field), M_##id, reason, unit, work },
#include "gpu/activity_kinds.def"
#undef CUPTI_COUNT
};

struct process {
	uint32_t tgid;
	uint32_t server; /* 0: none is known */
	struct tks_cupti_status status;
	UT_hash_handle hh;
};

struct activity_status {
	struct registry *registry;
	struct process *processes;
};

struct activity_status *activity_status_new(struct registry *r)
{
	struct activity_status *s = calloc(1, sizeof(*s));

	if (s)
		s->registry = r;
	return s;
}

static void forget(struct activity_status *s, struct process *p)
{
	HASH_DEL(s->processes, p);
	free(p);
}

void activity_status_free(struct activity_status *s)
{
	struct process *p, *next;

	if (!s)
		return;
	HASH_ITER(hh, s->processes, p, next)
		forget(s, p);
	free(s);
}

static struct process *find(const struct activity_status *s, uint32_t tgid)
{
	struct process *p;

	HASH_FIND(hh, s->processes, &tgid, sizeof(tgid), p);
	return p;
}

static struct process *process_get(struct activity_status *s, uint32_t tgid)
{
	struct process *p = find(s, tgid);

	if (p || HASH_COUNT(s->processes) >= PROCESSES_MAX)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->tgid = tgid;
	HASH_ADD(hh, s->processes, tgid, sizeof(tgid), p);
	if (p->hh.tbl)
		return p;
	free(p);
	return NULL;
}

static uint64_t count_of(const struct tks_cupti_status *s, size_t offset)
{
	return *(const __u64 *)((const char *)s + offset);
}

/* A counter that is lower than it was belongs to another image of the process. True: work was lost. */
static bool add_growth(struct activity_status *s, const struct tks_cupti_status *was,
		       const struct tks_cupti_status *now, const struct activity_owner *o)
{
	const char *values[METRIC_LABELS_MAX] = { 0 };
	bool lost = false;

	memcpy(values, o->labels, sizeof(o->labels));
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		uint64_t before = count_of(was, counts[i].offset);
		uint64_t after = count_of(now, counts[i].offset);
		uint64_t growth = after < before ? after : after - before;

		values[OWNER_LABELS] = counts[i].reason;
		if (growth)
			registry_add(s->registry, counts[i].id, o->id, values,
				     growth * counts[i].unit);
		lost |= growth && counts[i].work;
	}
	return lost;
}

int activity_status_told(struct activity_status *s, uint32_t tgid,
			 const struct tks_cupti_status *now, const struct activity_owner *o)
{
	struct process *p = process_get(s, tgid);
	bool lost;

	if (!p)
		return -ENOSPC;
	lost = add_growth(s, &p->status, now, o);
	p->server = o->id;
	p->status = *now;
	return lost;
}

static void publish_server(struct activity_status *s, const struct activity_owner *o)
{
	const char *values[METRIC_LABELS_MAX] = { 0 };
	unsigned int in_state[STATES] = { 0 };

	memcpy(values, o->labels, sizeof(o->labels));
	for (const struct process *p = s->processes; p; p = p->hh.next)
		if (p->server == o->id && p->status.state < STATES)
			in_state[p->status.state]++;
	for (size_t i = 0; i < STATES; i++) {
		values[OWNER_LABELS] = states[i];
		registry_set(s->registry, M_GPU_CUPTI_PROCESSES, o->id, values, in_state[i]);
	}
}

void activity_status_process_gone(struct activity_status *s, uint32_t tgid,
				  const struct activity_owner *o)
{
	struct process *p = find(s, tgid);

	if (!p)
		return;
	forget(s, p);
	publish_server(s, o);
}

static bool is_first_of_server(const struct activity_status *s, const struct process *p)
{
	const struct process *first = s->processes;

	while (first->server != p->server)
		first = first->hh.next;
	return first == p;
}

void activity_status_publish(struct activity_status *s, activity_owner_fn owner, void *ctx)
{
	for (struct process *p = s->processes; p; p = p->hh.next) {
		struct activity_owner o = { 0 };

		owner(ctx, p->tgid, &o);
		p->server = o.id;
	}
	for (const struct process *p = s->processes; p; p = p->hh.next) {
		struct activity_owner o = { 0 };

		if (!is_first_of_server(s, p))
			continue;
		owner(ctx, p->tgid, &o);
		publish_server(s, &o);
	}
}
