// SPDX-License-Identifier: Apache-2.0
#include "gpu/activity_inside.h"

#include <stdlib.h>
#include <string.h>

#define STEP_GAP_MAX NSEC_PER_SEC
#define CLOCK_SLACK  (100 * NSEC_PER_MSEC) /* CUPTI's clock is mapped to ours once a flush */
#define INTERVALS_MAX \
	131072 /* 3 MiB; more than a GPU that runs kernel by kernel makes in SETTLE_NS */
#define LAUNCHES_MAX 65536
#define NAMES_MAX    16384 /* a vLLM process has some hundred */

/* ------------------------------------------------------------------ open and close */

struct activity *activity_new(struct registry *r, const struct activity_config *config)
{
	struct activity *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->registry = r;
	a->config = *config;
	a->info = true;
	a->devices = devices_new(config->inventory, gpu_tally_free);
	a->launches = launches_new(LAUNCHES_MAX);
	a->names = kernel_names_new(NAMES_MAX, config->keep_names);
	a->status = activity_status_new(r);
	if (a->devices && a->launches && a->names && a->status)
		return a;
	activity_free(a);
	return NULL;
}

void activity_free(struct activity *a)
{
	if (!a)
		return;
	devices_free(a->devices);
	launches_free(a->launches);
	kernel_names_free(a->names);
	activity_status_free(a->status);
	free(a);
}

const struct devices *activity_devices(const struct activity *a)
{
	return a->devices;
}

void activity_owner_of(const struct activity *a, uint32_t tgid, struct activity_owner *o)
{
	memset(o, 0, sizeof(*o));
	a->config.owner(a->config.ctx, tgid, o);
}

static void discard(struct activity *a, enum activity_discard reason)
{
	a->discarded[reason]++;
}

/* Of what the process has done, something will never be known. */
static void lose(struct activity *a, const struct tks_header *h)
{
	if (a->config.lost)
		a->config.lost(a->config.ctx, h->tgid, h->time_ns);
}

/* Of what is, or may have been, work. */
static void discard_work(struct activity *a, const struct tks_header *h,
			 enum activity_discard reason)
{
	discard(a, reason);
	lose(a, h);
}

/* NULL: there is no room. */
static struct gpu_use *use_of(struct activity *a, uint32_t tgid, uint32_t device, uint64_t now_ns)
{
	struct gpu_use *u = devices_use(a->devices, tgid, device);

	if (u && !u->tally) {
		u->tally = gpu_tally_new(a->registry);
		busy_forget(u->busy, now_ns > HISTORY_NS ? now_ns - HISTORY_NS : 0, NULL, NULL);
	}
	return u && u->tally ? u : NULL;
}

/* ------------------------------------------------------------------ settled time of a process */

void activity_settled(void *ctx, const struct interval *i)
{
	struct gpu_use *u = ctx;
	uint64_t gap = i->start_ns - u->settled_ns;

	if (u->tally && u->settled_ns && gap && gap < STEP_GAP_MAX &&
	    i->launched_ns >= u->settled_ns)
		gpu_tally_observe(u->tally, TALLY_STEP_GAP, gap);
	u->settled_ns = i->end_ns;
}

/* ------------------------------------------------------------------ launches and their work */

static void on_pair(struct activity *a, const struct launch *pair, struct gpu_use *u)
{
	if (pair->work_ns < pair->call_ns)
		discard(a, DISCARD_REVERSED);
	else
		gpu_tally_observe(u->tally, TALLY_LAUNCH_DELAY, pair->work_ns - pair->call_ns);
}

static void take_launch(struct activity *a, const struct tks_header *h,
			const struct tks_cupti_record *r)
{
	struct launch pair;
	struct gpu_use *u;

	if (!launches_call(a->launches, h->tgid, r->correlation, r->start_ns, h->time_ns, &pair))
		return;
	u = use_of(a, h->tgid, pair.device, h->time_ns);
	if (!u) {
		discard(a, DISCARD_NO_ROOM);
		return;
	}
	on_pair(a, &pair, u);
	busy_launched(u->busy, pair.work_ns, pair.call_ns);
}

/* When the work's launching call began; 0: not told yet, or it has none. */
static uint64_t join_launch(struct activity *a, const struct tks_header *h,
			    const struct tks_cupti_record *r, struct gpu_use *u)
{
	struct launch pair;

	if (r->kind != TKS_CUPTI_KERNEL && r->kind != TKS_CUPTI_GRAPH)
		return 0;
	if (launches_work(a->launches, h->tgid, r->correlation, r->device, r->start_ns, h->time_ns,
			  &pair))
		on_pair(a, &pair, u);
	return pair.call_ns;
}

/* ------------------------------------------------------------------ work */

static unsigned int kernel_slot(struct activity *a, uint32_t tgid, const struct tks_cupti_record *r,
				const char **text)
{
	const struct kernel_name *name = kernel_names_find(a->names, tgid, r->name);

	if (!name) {
		discard(a, DISCARD_UNNAMED);
		return TALLY_KERNEL + KERNEL_OTHER;
	}
	*text = name->text;
	return TALLY_KERNEL + name->class;
}

static void count_work(struct activity *a, const struct tks_header *h,
		       const struct tks_cupti_record *r, struct gpu_use *u)
{
	struct activity_work w = { .record = r, .tgid = h->tgid, .use = u };
	unsigned int copy = r->sub < MEMCPY_KINDS ? r->sub : 0;
	struct gpu_tally *t = u->tally;
	uint64_t ns = r->end_ns - r->start_ns;

	if (!*u->gpu->uuid)
		discard(a, DISCARD_UNKNOWN_DEVICE);
	if (r->kind == TKS_CUPTI_KERNEL)
		gpu_tally_observe(t, kernel_slot(a, h->tgid, r, &w.name), ns);
	else if (r->kind == TKS_CUPTI_GRAPH)
		gpu_tally_observe(t, TALLY_GRAPH, ns);
	if (r->kind == TKS_CUPTI_MEMCPY) {
		gpu_tally_observe(t, TALLY_MEMCPY + copy, ns);
		t->bytes[copy] += r->bytes;
	}
	u->worked = true;
	if (a->config.work)
		a->config.work(a->config.ctx, &w);
}

static void on_fresh(void *ctx, const struct interval *i)
{
	struct gpu *g = ctx;

	g->busy_ns += i->end_ns - i->start_ns;
}

static int add_copy(struct busy *b, const struct interval *items, size_t count, busy_fn fresh,
		    void *ctx)
{
	struct interval copy[TKS_CUPTI_BATCH];

	memcpy(copy, items, count * sizeof(*items));
	return busy_add(b, copy, count, fresh, ctx);
}

static void add_busy(struct activity *a, struct gpu_use *u, const struct interval *items,
		     size_t count, uint64_t now_ns)
{
	struct busy_stats stats;

	busy_get_stats(u->gpu->busy, &stats);
	if (!stats.horizon_ns && now_ns > HISTORY_NS)
		busy_forget(u->gpu->busy, now_ns - HISTORY_NS, NULL, NULL);
	if (add_copy(u->gpu->busy, items, count, on_fresh, u->gpu) ||
	    add_copy(u->busy, items, count, NULL, NULL))
		discard(a, DISCARD_NO_ROOM);
	busy_bound(u->gpu->busy, INTERVALS_MAX, NULL, NULL);
	busy_bound(u->busy, INTERVALS_MAX, activity_settled, u);
}

static bool is_work(const struct tks_cupti_record *r)
{
	return r->kind >= TKS_CUPTI_KERNEL && r->kind <= TKS_CUPTI_MEMSET;
}

static bool has_good_times(const struct tks_header *h, const struct tks_cupti_record *r)
{
	return r->start_ns && r->start_ns <= r->end_ns && r->end_ns <= h->time_ns + CLOCK_SLACK;
}

/* Work on one device of the server; the union is changed once for all of it. */
static void take_device(struct activity *a, const struct tks_cupti_activity *b, uint16_t device,
			uint32_t server)
{
	struct gpu_use *u = use_of(a, b->h.tgid, device, b->h.time_ns);
	struct interval items[TKS_CUPTI_BATCH];
	size_t count = 0;

	if (u)
		u->server = server;
	for (uint32_t i = 0; i < b->count; i++) {
		const struct tks_cupti_record *r = &b->records[i];

		if (!is_work(r) || r->device != device || !has_good_times(&b->h, r))
			continue;
		if (!u) {
			discard_work(a, &b->h, DISCARD_NO_ROOM);
			continue;
		}
		count_work(a, &b->h, r, u);
		items[count] =
			(struct interval){ r->start_ns, r->end_ns, join_launch(a, &b->h, r, u) };
		count += r->start_ns < r->end_ns;
	}
	if (!count)
		return;
	add_busy(a, u, items, count, b->h.time_ns);
	if (a->config.busy)
		a->config.busy(a->config.ctx, u, items, count);
}

static bool is_first_of_device(const struct tks_cupti_activity *b, uint32_t at)
{
	for (uint32_t i = 0; i < at; i++)
		if (is_work(&b->records[i]) && b->records[i].device == b->records[at].device)
			return false;
	return is_work(&b->records[at]);
}

/* Counts, and takes what is no work. Calls first: work that comes with them is joined at once. */
static void take_others(struct activity *a, const struct tks_cupti_activity *b)
{
	for (uint32_t i = 0; i < b->count; i++) {
		const struct tks_cupti_record *r = &b->records[i];
		struct activity_work w = { .record = r, .tgid = b->h.tgid };

		if (!r->kind || r->kind > TKS_CUPTI_OVERHEAD) {
			discard_work(a, &b->h, DISCARD_UNKNOWN_KIND);
			continue;
		}
		a->records[r->kind]++;
		if (r->kind == TKS_CUPTI_OVERHEAD)
			continue;
		if (!has_good_times(&b->h, r)) {
			discard(a, DISCARD_INVALID_TIME);
			if (is_work(r))
				lose(a, &b->h);
			continue;
		}
		if (r->kind != TKS_CUPTI_LAUNCH)
			continue;
		take_launch(a, &b->h, r);
		if (a->config.work)
			a->config.work(a->config.ctx, &w);
	}
}

static void take_batch(struct activity *a, const struct tks_cupti_activity *b)
{
	struct activity_owner o;

	if (!b->count && a->config.flushed)
		a->config.flushed(a->config.ctx, b->h.tgid, b->h.time_ns);
	take_others(a, b);
	activity_owner_of(a, b->h.tgid, &o);
	for (uint32_t i = 0; i < b->count; i++)
		if (is_first_of_device(b, i))
			take_device(a, b, b->records[i].device, o.id);
}

/* ------------------------------------------------------------------ records */

static bool batch_fits(const struct tks_header *h)
{
	const struct tks_cupti_activity *b = (const void *)h;

	return h->size >= sizeof(*b) && b->version == TKS_CUPTI_VERSION &&
	       b->count <= TKS_CUPTI_BATCH &&
	       h->size - sizeof(*b) >= b->count * sizeof(b->records[0]);
}

static bool name_fits(const struct tks_header *h)
{
	const struct tks_cupti_kernel_name *n = (const void *)h;

	return h->size >= sizeof(*n) && n->len <= TKS_CUPTI_NAME_MAX &&
	       h->size - sizeof(*n) >= n->len;
}

static bool take_name(struct activity *a, const struct tks_header *h)
{
	const struct tks_cupti_kernel_name *n = (const void *)h;

	if (!name_fits(h))
		return false;
	kernel_names_told(a->names, h->tgid, n->id, n->name, n->len);
	return true;
}

static bool take_device_record(struct activity *a, const struct tks_header *h)
{
	const struct tks_cupti_device_record *d = (const void *)h;

	if (h->size < sizeof(*d))
		return false;
	if (!devices_announce(a->devices, h->tgid, &d->device))
		discard(a, DISCARD_NO_ROOM);
	return true;
}

static bool take_status(struct activity *a, const struct tks_header *h)
{
	const struct tks_cupti_status_record *s = (const void *)h;
	struct activity_owner o;
	int lost;

	if (h->size < sizeof(*s))
		return false;
	activity_owner_of(a, h->tgid, &o);
	lost = activity_status_told(a->status, h->tgid, &s->status, &o);
	if (lost < 0)
		discard(a, DISCARD_NO_ROOM);
	if (lost)
		lose(a, h);
	return true;
}

void activity_record(struct activity *a, const struct tks_header *h)
{
	bool good = true;

	switch (h->kind) {
	case TKS_KIND_CUPTI_ACTIVITY:
		good = batch_fits(h);
		if (good)
			take_batch(a, (const void *)h);
		break;
	case TKS_KIND_CUPTI_NAME:
		good = take_name(a, h);
		break;
	case TKS_KIND_CUPTI_DEVICE:
		good = take_device_record(a, h);
		break;
	case TKS_KIND_CUPTI_STATUS:
		good = take_status(a, h);
		break;
	}
	if (!good)
		discard_work(a, h, DISCARD_MALFORMED);
}
