// SPDX-License-Identifier: Apache-2.0
#include "gpu/attribution_inside.h"

#include <errno.h>
#include <stdlib.h>

static int reserve_events(struct attribution *a)
{
	size_t room = 2 * HASH_COUNT(a->requests);
	struct share *s;
	void *events;

	for (struct gpu_time *g = a->gpus; g; g = g->hh.next) {
		for (s = g->shares; s; s = s->of_gpu) {
			struct busy_stats stats;

			busy_get_stats(s->busy, &stats);
			room += 2 * stats.intervals;
		}
	}
	if (room <= a->event_room)
		return 0;
	events = reallocarray(a->events, room, sizeof(*a->events));
	if (!events)
		return -ENOMEM;
	a->events = events;
	a->event_room = room;
	return 0;
}

static void add_event(struct attribution *a, uint64_t ns, enum moment moment, void *subject)
{
	/* What is late happens at the watermark that it has missed. */
	a->events[a->event_count++] =
		(struct event){ .ns = ns < a->watermark_ns ? a->watermark_ns : ns,
				.moment = moment,
				.request = subject };
}

struct collecting {
	struct attribution *a;
	struct share *share;
};

static void on_interval(void *ctx, const struct interval *i)
{
	struct collecting *c = ctx;

	add_event(c->a, i->start_ns, WORK_STARTS, c->share);
	add_event(c->a, i->end_ns, WORK_ENDS, c->share);
}

static int by_time(const void *left, const void *right)
{
	const struct event *l = left, *r = right;

	if (l->ns != r->ns)
		return l->ns < r->ns ? -1 : 1;
	return (l->moment > r->moment) - (l->moment < r->moment);
}

static void collect_events(struct attribution *a, uint64_t watermark_ns)
{
	struct collecting c = { .a = a };

	a->event_count = 0;
	for (struct gpu_time *g = a->gpus; g; g = g->hh.next)
		for (c.share = g->shares; c.share; c.share = c.share->of_gpu)
			busy_forget(c.share->busy, watermark_ns, on_interval, &c);
	for (struct request *r = a->requests; r; r = r->hh.next) {
		if (!r->running && r->start_ns <= watermark_ns)
			add_event(a, r->start_ns, REQUEST_STARTS, r);
		if (r->ended && r->end_ns <= watermark_ns)
			add_event(a, r->end_ns, REQUEST_ENDS, r);
	}
	if (a->event_count)
		qsort(a->events, a->event_count, sizeof(*a->events), by_time);
}

/* ns in which nothing changed. */
static void divide(struct attribution *a, struct gpu_time *g, uint64_t ns)
{
	uint64_t running = 0, each;
	bool busy = false;
	struct share *s;

	a->stats.divisions++;
	for (s = g->shares; s; s = s->of_gpu) {
		busy |= s->active;
		running += s->active ? s->group->running : 0;
	}
	if (!busy)
		return;
	a->stats.busy_ns += ns;
	if (!running)
		return;
	each = (ns + g->carry_ns) / running;
	g->carry_ns = (ns + g->carry_ns) % running;
	a->stats.requests_ns += each * running;
	for (s = g->shares; s; s = s->of_gpu)
		if (s->active)
			s->group->sum_ns += each;
}

/* Until ns nothing has changed since the last time. */
static void advance(struct attribution *a, struct gpu_time *g, uint64_t ns)
{
	if (ns == g->at_ns)
		return;
	divide(a, g, ns - g->at_ns);
	g->at_ns = ns;
}

/* Only GPUs whose division the event changes: what one server does costs nothing on the GPUs of others. */
static void advance_concerned(struct attribution *a, const struct event *e)
{
	if (e->moment == WORK_STARTS || e->moment == WORK_ENDS) {
		advance(a, e->share->gpu, e->ns);
		return;
	}
	for (struct share *s = e->request->group->shares; s; s = s->of_group)
		if (s->active)
			advance(a, s->gpu, e->ns);
}

static void apply(const struct event *e)
{
	struct request *r = e->request;

	switch (e->moment) {
	case REQUEST_STARTS:
		r->running = true;
		r->sum_ns = r->group->sum_ns;
		r->group->running++;
		break;
	case REQUEST_ENDS:
		r->running = false;
		r->settled = true;
		r->sum_ns = r->group->sum_ns - r->sum_ns;
		r->group->running--;
		break;
	case WORK_STARTS:
	case WORK_ENDS:
		e->share->active = e->moment == WORK_STARTS;
		break;
	}
}

static void sweep(struct attribution *a)
{
	for (size_t i = 0; i < a->event_count; i++) {
		advance_concerned(a, &a->events[i]);
		apply(&a->events[i]);
	}
}

static void tell_settled(struct attribution *a)
{
	struct request *r, *next;

	HASH_ITER(hh, a->requests, r, next) {
		struct attribution_result result = {
			.request = r->id,
			.group = r->group->id,
			.source = r->source,
			.known = !r->late && r->group->covered &&
				 r->group->covered_ns <= r->start_ns,
			.gpu_ns = r->sum_ns,
		};

		if (!r->settled)
			continue;
		request_free(a, r);
		a->ops->settled(a->ctx, &result);
	}
}

int attribution_settle(struct attribution *a, uint64_t watermark_ns)
{
	int err;

	if (watermark_ns <= a->watermark_ns)
		return 0;
	err = reserve_events(a);
	if (err)
		return err;
	collect_events(a, watermark_ns);
	sweep(a);
	a->watermark_ns = watermark_ns;
	tell_settled(a);
	return 0;
}

void attribution_get_stats(const struct attribution *a, struct attribution_stats *stats)
{
	*stats = a->stats;
	stats->requests = HASH_COUNT(a->requests);
	stats->remainder_ns = stats->busy_ns - stats->requests_ns;
}
