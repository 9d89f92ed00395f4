// SPDX-License-Identifier: Apache-2.0
#include "cli/gpu_share.h"

#include <stdlib.h>
#include <utlist.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/clock.h"
#include "gpu/attribution.h"

/*
 * The library looks for finished work every 500 ms (cupti/keeper.c), hands it over, and says so: what is older than the last but
 * one time is told, which is 0.5 to 1 s ago. Not sooner than SETTLE_NS, as work that still runs then is told at its end; and who
 * says nothing for SILENT_NS is not waited for, so that records of others get their time within HOLD_NS.
 */
#define SETTLE_NS (1300 * NSEC_PER_MSEC)
#define SILENT_NS (1800 * NSEC_PER_MSEC)
#define HOLD_NS	  (2 * NSEC_PER_SEC)
#define HOLD_MAX  4096 /* records, about 1.3 KiB each */

/* A process with the library. A server's work is told wholly where all of them tell theirs. */
struct source {
	UT_hash_handle hh;
	uint32_t tgid, server;
	bool active;
	uint64_t flushed_ns; /* when it last said that it has handed over all there was */
	uint64_t told_ns;    /* work that ended before has been told */
};

struct held {
	UT_hash_handle hh; /* by run */
	struct held *prev, *next;
	struct request_record record;
	struct hist itl;
	uint64_t since_ns;
	bool settled;
};

struct gpu_share {
	void (*finished)(void *ctx, const struct request_record *r);
	void *ctx;
	struct attribution *attribution;
	struct source *sources;
	struct held *by_run;
	struct held *oldest; /* utlist */
	uint64_t not_held;   /* records that there was no room for */
	bool ended;
};

/* ------------------------------------------------------------------ records that wait */

static void release(struct gpu_share *g, struct held *h)
{
	HASH_DEL(g->by_run, h);
	DL_DELETE(g->oldest, h);
	g->finished(g->ctx, &h->record);
	hist_free(&h->itl);
	free(h);
}

static struct held *find(struct gpu_share *g, uint64_t run)
{
	struct held *h;

	HASH_FIND(hh, g->by_run, &run, sizeof(run), h);
	return h;
}

static void on_settled(void *ctx, const struct attribution_result *r)
{
	struct held *h = find(ctx, r->request);

	if (!h)
		return;
	h->settled = true;
	if (!r->known || h->record.outcome == OUTCOME_UNKNOWN)
		return;
	h->record.gpu_s = (double)r->gpu_ns / NSEC_PER_SEC;
	h->record.gpu_source = attribution_source_name(r->source);
}

static const struct attribution_ops attribution_ops = { .settled = on_settled };

/* The record's histogram is the tracker's: a copy is kept. */
static struct held *keep(const struct request_record *r, uint64_t now_ns)
{
	struct held *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->record = *r;
	h->since_ns = now_ns;
	if (!r->itl)
		return h;
	h->record.itl = &h->itl;
	if (!hist_copy(&h->itl, r->itl))
		return h;
	free(h);
	return NULL;
}

static bool is_covered(const struct gpu_share *g, uint32_t server)
{
	bool covered = false;

	for (const struct source *s = g->sources; s; s = s->hh.next) {
		if (s->server != server)
			continue;
		if (!s->active)
			return false;
		covered = true;
	}
	return covered;
}

static bool add_held(struct gpu_share *g, const struct request_record *r, uint64_t now_ns)
{
	struct held *h = keep(r, now_ns);

	if (!h)
		return false;
	HASH_ADD(hh, g->by_run, record.run, sizeof(h->record.run), h);
	if (!h->hh.tbl) {
		hist_free(&h->itl);
		free(h);
		return false;
	}
	DL_APPEND(g->oldest, h);
	return true;
}

bool gpu_share_hold(struct gpu_share *g, const struct request_record *r, uint64_t now_ns)
{
	bool held;

	if (g->ended || !r->run || !r->server || !is_covered(g, r->server->id) || find(g, r->run))
		return false;
	held = HASH_COUNT(g->by_run) < HOLD_MAX && add_held(g, r, now_ns);
	g->not_held += !held;
	return held;
}

static void release_server(struct gpu_share *g, uint32_t server)
{
	struct held *h, *next;

	DL_FOREACH_SAFE(g->oldest, h, next)
	if (h->record.server->id == server)
		release(g, h);
}

/* ------------------------------------------------------------------ who tells all of its work */

static struct source *find_source(struct gpu_share *g, uint32_t tgid)
{
	struct source *s;

	HASH_FIND(hh, g->sources, &tgid, sizeof(tgid), s);
	return s;
}

static struct source *add_source(struct gpu_share *g, uint32_t server, uint32_t tgid)
{
	struct source *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->tgid = tgid;
	s->server = server;
	HASH_ADD(hh, g->sources, tgid, sizeof(s->tgid), s);
	if (s->hh.tbl)
		return s;
	free(s);
	return NULL;
}

/* Who tells has changed: of what ran until now a part may be told by nobody. */
static void cover_anew(struct gpu_share *g, uint32_t server, uint64_t now_ns)
{
	attribution_uncovered(g->attribution, server);
	if (is_covered(g, server))
		attribution_covered(g->attribution, server, now_ns);
}

static void drop_source(struct gpu_share *g, struct source *s)
{
	HASH_DEL(g->sources, s);
	free(s);
}

void gpu_share_process_gone(struct gpu_share *g, uint32_t tgid, uint64_t now_ns)
{
	struct source *s = find_source(g, tgid);
	uint32_t server = s ? s->server : 0;

	if (!s)
		return;
	drop_source(g, s);
	cover_anew(g, server, now_ns);
}

void gpu_share_process(struct gpu_share *g, uint32_t server, uint32_t tgid, bool active,
		       uint64_t now_ns)
{
	struct source *s = find_source(g, tgid);

	if (s && s->server == server && s->active == active)
		return;
	if (s && s->server != server) {
		gpu_share_process_gone(g, tgid, now_ns);
		s = NULL;
	}
	if (!s)
		s = add_source(g, server, tgid);
	/* One that there is no memory for tells nothing that could be relied on. */
	if (!s) {
		attribution_uncovered(g->attribution, server);
		return;
	}
	s->active = active;
	s->flushed_ns = s->told_ns = now_ns;
	cover_anew(g, server, now_ns);
}

void gpu_share_flushed(struct gpu_share *g, uint32_t tgid, uint64_t now_ns)
{
	struct source *s = find_source(g, tgid);

	if (!s)
		return;
	s->told_ns = s->flushed_ns;
	s->flushed_ns = now_ns;
}

bool gpu_share_has_process(const struct gpu_share *g)
{
	return g->sources;
}

void gpu_share_lost(struct gpu_share *g, uint32_t tgid, uint64_t now_ns)
{
	const struct source *s = find_source(g, tgid);

	if (s)
		attribution_lost(g->attribution, s->server, now_ns);
}

void gpu_share_lost_any(struct gpu_share *g, uint64_t now_ns)
{
	for (const struct source *s = g->sources; s; s = s->hh.next)
		attribution_lost(g->attribution, s->server, now_ns);
}

void gpu_share_server_gone(struct gpu_share *g, uint32_t server)
{
	struct source *s, *next;

	release_server(g, server);
	HASH_ITER(hh, g->sources, s, next)
		if (s->server == server)
			drop_source(g, s);
	attribution_forget(g->attribution, server);
}

/* ------------------------------------------------------------------ work and requests */

void gpu_share_busy(struct gpu_share *g, uint32_t server, uint32_t gpu, struct interval *items,
		    size_t count)
{
	if (server)
		attribution_busy(g->attribution, gpu, server, items, count);
}

void gpu_share_run(struct gpu_share *g, const struct request_run *run)
{
	/* Of servers that are not covered (yet), too: those that are begun later share the work with this one. */
	if (run->stop_ns)
		attribution_request_end(g->attribution, run->id, run->stop_ns);
	else
		attribution_request_start(g->attribution, run->id, run->server->id, run->start_ns,
					  run->by_engine ? ATTRIBUTION_ENGINE
							 : ATTRIBUTION_IN_FLIGHT);
}

/* Up to when has everybody told everything? */
static uint64_t watermark(struct gpu_share *g, uint64_t now_ns)
{
	uint64_t mark = now_ns > SETTLE_NS ? now_ns - SETTLE_NS : 0;

	for (const struct source *s = g->sources; s; s = s->hh.next) {
		if (!s->active)
			continue;
		if (now_ns > s->told_ns + SILENT_NS)
			attribution_lost(g->attribution, s->server, now_ns);
		else if (s->told_ns < mark)
			mark = s->told_ns;
	}
	return mark;
}

void gpu_share_tick(struct gpu_share *g, uint64_t now_ns)
{
	struct held *h, *next;

	attribution_settle(g->attribution, watermark(g, now_ns));
	DL_FOREACH_SAFE(g->oldest, h, next)
	if (h->settled || now_ns >= h->since_ns + HOLD_NS)
		release(g, h);
}

void gpu_share_publish(const struct gpu_share *g, struct registry *r)
{
	struct attribution_stats stats;

	attribution_get_stats(g->attribution, &stats);

	const struct {
		const char *reason;
		uint64_t count;
	} rows[] = {
		{ "share_late", stats.late },
		{ "share_late_request", stats.late_requests },
		{ "share_no_room", stats.refused + g->not_held },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *values[METRIC_LABELS_MAX] = { rows[i].reason };

		if (rows[i].count)
			registry_set(r, M_GPU_RECORDS_DISCARDED, 0, values, rows[i].count);
	}
}

/* ------------------------------------------------------------------ life */

struct gpu_share *gpu_share_new(void (*finished)(void *ctx, const struct request_record *r),
				void *ctx)
{
	const struct attribution_config config = { 0 };
	struct gpu_share *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->finished = finished;
	g->ctx = ctx;
	g->attribution = attribution_new(&config, &attribution_ops, g);
	if (g->attribution)
		return g;
	free(g);
	return NULL;
}

void gpu_share_end(struct gpu_share *g)
{
	struct held *h, *next;

	g->ended = true;
	DL_FOREACH_SAFE(g->oldest, h, next)
	release(g, h);
}

void gpu_share_free(struct gpu_share *g)
{
	struct source *s, *next;

	if (!g)
		return;
	gpu_share_end(g);
	HASH_ITER(hh, g->sources, s, next)
		drop_source(g, s);
	attribution_free(g->attribution);
	free(g);
}
