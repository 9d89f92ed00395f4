// SPDX-License-Identifier: Apache-2.0
#include "track/phases.h"

#include <string.h>

#include "discover/engine.h"
#include "track/conn.h"

/* ------------------------------------------------------------------ what the engine calls a request by */

static struct handle_key key_of(enum handle_kind kind, uint32_t tgid, uint64_t id)
{
	return (struct handle_key){ .id = id, .tgid = tgid, .kind = kind };
}

static struct request *find(struct tracker *t, enum handle_kind kind, uint32_t tgid, uint64_t id)
{
	struct handle_key key = key_of(kind, tgid, id);
	struct handle *h;

	HASH_FIND(hh, t->handles, &key, sizeof(key), h);
	return h ? h->request : NULL;
}

static void release(struct tracker *t, struct handle *h)
{
	if (!h->request)
		return;
	HASH_DELETE(hh, t->handles, h);
	h->request = NULL;
}

/* A name that another request had is that one's no more. */
static void name(struct request *rq, enum handle_kind kind, uint32_t tgid, uint64_t id)
{
	struct tracker *t = rq->conn->tracker;
	struct handle *h = &rq->phases.handles[kind];
	struct request *before = find(t, kind, tgid, id);

	if (before)
		release(t, &before->phases.handles[kind]);
	release(t, h);
	h->key = key_of(kind, tgid, id);
	h->request = rq;
	HASH_ADD(hh, t->handles, key, sizeof(h->key), h);
	if (h->hh.tbl)
		return;
	h->request = NULL;
	t->stats.no_memory++;
}

void phases_request_read(struct request *rq)
{
	struct conn *c = rq->conn;

	if (rq->route && c->role == ROLE_SERVER)
		name(rq, HANDLE_THREAD, c->tgid, c->tracker->tid);
}

void phases_request_gone(struct request *rq)
{
	for (int i = 0; i < HANDLE_KINDS; i++)
		release(rq->conn->tracker, &rq->phases.handles[i]);
}

/* ------------------------------------------------------------------ events */

static void started(struct tracker *t, const struct engine_event *e)
{
	struct request *rq = find(t, HANDLE_ID, e->tgid, e->id);

	if (!rq)
		return;
	release(t, &rq->phases.handles[HANDLE_ID]);
	name(rq, HANDLE_SLOT, e->tgid, e->slot);
	rq->phases.started = e->time_ns;
}

static void queued(struct tracker *t, const struct engine_event *e)
{
	struct request *rq = find(t, HANDLE_THREAD, e->tgid, e->tid);

	/* The first of them is the request itself; what else it posts (more choices, a cancellation) is not followed. */
	if (!rq || rq->phases.queued)
		return;
	name(rq, HANDLE_ID, e->tgid, e->id);
	rq->phases.queued = e->time_ns;
}

static void tokenized(struct tracker *t, const struct engine_event *e)
{
	struct request *rq = find(t, HANDLE_THREAD, e->tgid, e->tid);

	if (!rq || rq->phases.queued)
		return;
	if (!rq->phases.tokenize)
		rq->phases.tokenize = e->time_ns - e->duration_ns;
	rq->phases.tokenize_ns += e->duration_ns;
}

static void token(struct tracker *t, const struct engine_event *e)
{
	struct request *rq = find(t, HANDLE_SLOT, e->tgid, e->slot);

	if (rq && !rq->phases.token)
		rq->phases.token = e->time_ns;
}

static void finished(struct tracker *t, const struct engine_event *e)
{
	struct request *rq = find(t, HANDLE_SLOT, e->tgid, e->slot);

	if (!rq)
		return;
	release(t, &rq->phases.handles[HANDLE_SLOT]);
	rq->phases.finished = e->time_ns;
}

void tracker_engine_event(struct tracker *t, const struct engine_event *e)
{
	static void (*const take[])(struct tracker * t, const struct engine_event *e) = {
		[EVENT_TOKENIZED] = tokenized, [EVENT_QUEUED] = queued,
		[EVENT_STARTED] = started,     [EVENT_TOKEN] = token,
		[EVENT_FINISHED] = finished,
	};

	if (e->kind > EVENT_NONE && e->kind < EVENTS)
		take[e->kind](t, e);
}

/* ------------------------------------------------------------------ the record */

static double between(uint64_t from, uint64_t to)
{
	return to > from ? (to - from) / 1e9 : 0;
}

/* A stamp that was not seen, or lies behind the end, is the end: what the request was in then, it was in to its end. */
static uint64_t until(uint64_t stamp, uint64_t end)
{
	return stamp && stamp < end ? stamp : end;
}

static void set_phase(struct request_record *r, enum phase p, uint64_t complete, uint64_t from,
		      double seconds)
{
	r->phase_s[p] = seconds;
	r->phase_start_s[p] = between(complete, from);
}

static void by_probes(const struct phases *p, struct request_record *r, uint64_t complete,
		      uint64_t end)
{
	uint64_t start = until(p->started, end), token = until(p->token, end);

	if (p->tokenize_ns)
		set_phase(r, PHASE_TOKENIZE, complete, p->tokenize, p->tokenize_ns / 1e9);
	set_phase(r, PHASE_QUEUE, complete, p->queued, between(p->queued, start));
	set_phase(r, PHASE_PREFILL, complete, start, between(start, token));
	set_phase(r, PHASE_DECODE, complete, token, between(token, until(p->finished, end)));
}

/*
 * Servers that flush the headers of a stream when its text is rendered, tokenized and handed to the engine, and not
 * before: vLLM's API server and TGI's router. llama.cpp flushes them when a slot is free, but older ones with the first
 * token; SGLang, Triton and Ollama with the first token; transformers at once.
 */
static bool headers_end_tokenize(const char *engine)
{
	return !strcmp(engine, "vllm") || !strcmp(engine, "tgi");
}

/* An engine that we know writes tokens as it decodes them; what is behind any other server may keep them back. */
static void by_wire(struct request_record *r)
{
	const char *engine = r->server ? r->server->engine : ENGINE_UNKNOWN;

	if (isnan(r->ttft_s) || isnan(r->duration_s) || !strcmp(engine, ENGINE_UNKNOWN))
		return;
	if (headers_end_tokenize(engine) && r->time_to_headers_s <= r->ttft_s) {
		r->phase_s[PHASE_TOKENIZE] = r->time_to_headers_s;
		r->phase_start_s[PHASE_TOKENIZE] = 0;
	}
	r->phase_s[PHASE_DECODE] = r->duration_s - r->ttft_s;
	r->phase_start_s[PHASE_DECODE] = r->ttft_s;
}

static double known(double seconds)
{
	return isnan(seconds) ? 0 : seconds;
}

void phases_summary(const struct request *rq, struct request_record *r, uint64_t end_ns)
{
	if (rq->complete) {
		r->phase_s[PHASE_RECEIVE] = between(rq->first_ns, rq->complete_ns);
		r->phase_start_s[PHASE_RECEIVE] = -r->phase_s[PHASE_RECEIVE];
	}
	if (isnan(r->duration_s))
		return;
	if (rq->phases.queued)
		by_probes(&rq->phases, r, rq->complete_ns, end_ns);
	else
		by_wire(r);
	r->phase_s[PHASE_OTHER] = r->duration_s;
	for (enum phase p = PHASE_TOKENIZE; p < PHASE_OTHER; p++)
		r->phase_s[PHASE_OTHER] -= known(r->phase_s[p]);
}
