// SPDX-License-Identifier: Apache-2.0
/* One request, from its head to its record: times, events, gauges. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "track/conn.h"
#include "track/runs.h"

/* ------------------------------------------------------------------ gauges */

static void gauge(struct request *rq, const struct server *s, int in_flight, int awaiting)
{
	struct tracker *t = rq->conn->tracker;

	rq->in_flight += in_flight;
	rq->awaiting += awaiting;
	if (t->ops->gauge)
		t->ops->gauge(t->ctx, s, in_flight, awaiting);
}

/* Requests between traced processes are counted at neither end. */
static void gauge_begin(struct request *rq)
{
	struct conn *c = rq->conn;
	const struct server *s = conn_server(c);

	if (!s || c->role != ROLE_SERVER || pair_known(c))
		return;
	rq->gauge_server = s->id;
	gauge(rq, s, 1, 1);
}

/* What was added is taken from the same server, or from none when that one is gone with its series. */
static void gauge_end(struct request *rq, bool in_flight)
{
	const struct server *s = conn_server(rq->conn);

	if (!rq->in_flight || !s || s->id != rq->gauge_server)
		return;
	if (in_flight || rq->awaiting)
		gauge(rq, s, in_flight ? -1 : 0, rq->awaiting ? -1 : 0);
}

/* ------------------------------------------------------------------ the request */

static void append(struct conn *c, struct request *rq)
{
	rq->conn = c;
	DL_APPEND(c->requests, rq);
	c->open++;
	c->tracker->stats.open_requests++;
}

struct request *request_new(struct conn *c, const struct http1_head *head)
{
	struct tracker *t = c->tracker;
	struct request *rq = calloc(1, sizeof(*rq));

	if (!rq)
		return NULL;
	rq->route = route_match(head->method, head->target, rq->model, sizeof(rq->model));
	rq->method = head->method;
	rq->stream = -1;
	rq->asked_stream = -1;
	rq->first_ns = c->x->request_start_ns;
	rq->complete_ns = t->now;
	append(c, rq);
	net_request_new(rq);
	if (c->client_left)
		request_left(rq, t->now);
	if (!rq->route)
		return rq;
	memcpy(rq->traceparent, head->traceparent, sizeof(rq->traceparent));
	memcpy(rq->request_id, head->request_id, sizeof(rq->request_id));
	if (rq->route->dialect != DIALECT_NONE && !head->encoded)
		rq->ask = answer_new(rq->route->dialect, false, head->format, NULL, NULL);
	gauge_begin(rq);
	return rq;
}

void request_body(struct request *rq, const uint8_t *data, size_t len)
{
	rq->bytes_in += len;
	rq->complete_ns = rq->conn->tracker->now;
	if (rq->ask)
		answer_feed(rq->ask, data, len);
}

void request_body_gap(struct request *rq, uint64_t len)
{
	rq->bytes_in += len;
	rq->complete_ns = rq->conn->tracker->now;
	if (rq->ask)
		answer_gap(rq->ask, len);
}

/* What the body said is kept; its windows are not needed any more. */
void request_complete(struct request *rq)
{
	const struct answer_facts *f;

	rq->complete = true;
	rq->complete_ns = rq->conn->tracker->now;
	phases_request_read(rq);
	if (!rq->ask)
		return;
	answer_end(rq->ask);
	f = answer_facts(rq->ask);
	rq->asked_stream = f->stream;
	if (!*rq->model)
		memcpy(rq->model, f->model, sizeof(rq->model));
	answer_free(rq->ask);
	rq->ask = NULL;
}

void request_left(struct request *rq, uint64_t time_ns)
{
	rq->left = true;
	rq->left_ns = time_ns > rq->complete_ns ? time_ns : rq->complete_ns;
	rq->net_left = rq->conn->net.counts;
}

/* ------------------------------------------------------------------ the answer */

static void content_of_choice(struct request *rq, unsigned int choice, uint64_t now)
{
	struct tracker_stats *stats = &rq->conn->tracker->stats;
	uint64_t before = rq->choice_ns[choice];

	rq->choice_ns[choice] = now;
	if (!(rq->choices & 1u << choice))
		return;
	if (!rq->itl_ready && hist_init(&rq->itl, rq->conn->tracker->config.itl_bounds)) {
		stats->no_memory++;
		return;
	}
	rq->itl_ready = true;
	if (now && hist_observe(&rq->itl, (now - before) / 1e9, 1))
		stats->no_memory++;
}

static void on_event(void *ctx, const struct answer_event *ev)
{
	struct request *rq = ctx;
	struct tracker *t = rq->conn->tracker;

	if (t->ops->stream_event && conn_is_server_leg(rq->conn))
		t->ops->stream_event(t->ctx, conn_server(rq->conn), ev->content);
	if (!ev->content)
		return;
	if (!rq->choices) {
		rq->content_ns = t->now;
		gauge_end(rq, false);
	}
	for (unsigned int i = 0; i < ANSWER_CHOICES_MAX; i++)
		if (ev->choices & 1u << i)
			content_of_choice(rq, i, t->now);
	rq->choices |= ev->choices;
}

void request_answer_head(struct request *rq, const struct http1_head *head)
{
	static const struct answer_events events = { .event = on_event };
	struct conn *c = rq->conn;

	rq->answered = true;
	rq->status = head->status;
	rq->headers_ns = c->tracker->now;
	if (!rq->route)
		return;
	rq->stream = head->format == BODY_SSE || head->format == BODY_NDJSON;
	if (head->encoded) {
		conn_unparsed(c, UNPARSED_ENCODED);
		rq->missed = true;
		return;
	}
	if (rq->route->dialect == DIALECT_NONE || head->format == BODY_OTHER)
		return;
	rq->answer = answer_new(rq->route->dialect, true, head->format, &events, rq);
	if (!rq->answer) {
		c->tracker->stats.no_memory++;
		rq->missed = true;
	}
}

static void count_out(struct request *rq, uint64_t len)
{
	rq->bytes_out += len;
	if (rq->left)
		rq->bytes_after_close += len;
}

void request_answer_body(struct request *rq, const uint8_t *data, size_t len)
{
	count_out(rq, len);
	if (rq->answer)
		answer_feed(rq->answer, data, len);
}

void request_answer_gap(struct request *rq, uint64_t len)
{
	count_out(rq, len);
	rq->missed = true;
	if (rq->answer)
		answer_gap(rq->answer, len);
}

/* ------------------------------------------------------------------ the end */

/* The client's end of a connection whose server is traced too tells nothing that the server's does not. */
static bool is_told_by_other_end(struct conn *c)
{
	return c->role == ROLE_CLIENT && pair_known(c);
}

static void report(struct request *rq, enum outcome outcome, const char *error_type,
		   uint64_t end_ns)
{
	struct conn *c = rq->conn;
	struct tracker *t = c->tracker;
	struct request_record r;

	request_record_init(&r);
	r.server = conn_server(c);
	r.outcome = outcome;
	r.leg = conn_is_server_leg(c) ? LEG_SERVER : LEG_INTERNAL;
	strncat(r.error_type, error_type, sizeof(r.error_type) - 1);
	request_summary(rq, &r, end_ns);
	run_end(rq, &r, end_ns);
	t->stats.records++;
	t->ops->finished(t->ctx, &r);
}

static void remove_request(struct request *rq)
{
	struct conn *c = rq->conn;

	DL_DELETE(c->requests, rq);
	c->open--;
	c->tracker->stats.open_requests--;
	if (c->x && c->x->receiving == rq)
		c->x->receiving = NULL;
	if (c->x && c->x->answering == rq)
		c->x->answering = NULL;
	phases_request_gone(rq);
	answer_free(rq->ask);
	answer_free(rq->answer);
	if (rq->itl_ready)
		hist_free(&rq->itl);
	free(rq);
}

void request_finish(struct request *rq, enum outcome outcome, const char *error_type,
		    uint64_t end_ns)
{
	gauge_end(rq, true);
	if (rq->route && !is_told_by_other_end(rq->conn))
		report(rq, outcome, error_type, end_ns);
	remove_request(rq);
}
