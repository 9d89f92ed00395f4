// SPDX-License-Identifier: Apache-2.0
/*
 * HTTP messages of one connection become requests with answers: answers come in the order of the requests.
 *
 * Where framing is lost in one direction, that direction waits for a record that begins with a start line. Requests
 * that were under way then are `lost`: they end as unknown, because nothing tells what was missed.
 */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "track/conn.h"

/* What comes next is the first byte of a request. */
static void request_begins(struct conn *c)
{
	c->x->request_start_ns = c->tracker->now;
	net_request_begins(c);
}

static void request_lost(struct conn *c, enum unparsed_reason reason)
{
	struct exchange *x = c->x;

	x->request_waiting = true;
	x->doubtful |= c->open || !http1_idle(&x->response);
	if (x->receiving)
		x->receiving->lost = true;
	x->receiving = NULL;
	c->net.first = false;
	conn_unparsed(c, reason);
}

static void response_lost(struct conn *c, enum unparsed_reason reason)
{
	struct request *rq;

	c->x->response_waiting = true;
	c->x->answering = NULL;
	DL_FOREACH(c->requests, rq)
	rq->lost = true;
	conn_unparsed(c, reason);
}

/* ------------------------------------------------------------------ requests */

/* Bits of enum http1_head_reply. */
static int on_request_head(void *ctx, const struct http1_head *head)
{
	struct conn *c = ctx;
	struct exchange *x = c->x;
	struct request *rq;

	if (c->last_answered)
		return HTTP1_BODY_NORMAL; /* read to be thrown away: RFC 9112, section 9.6 */
	if (x->response_waiting)
		conn_finish_lost(c);
	if (!c->open && http1_idle(&x->response))
		x->doubtful = false;
	if (c->open >= c->tracker->config.max_pipelined) {
		c->tracker->stats.pipeline_overflow++;
		c->state = CONN_IGNORED;
		return HTTP1_BODY_NORMAL;
	}
	rq = request_new(c, head);
	if (!rq) {
		c->tracker->stats.no_memory++;
		c->state = CONN_IGNORED;
		return HTTP1_BODY_NORMAL;
	}
	rq->lost = x->doubtful;
	if (rq->route)
		conn_head_tail(c, false);
	x->receiving = rq;
	return HTTP1_BODY_NORMAL;
}

static void on_request_body(void *ctx, const uint8_t *data, size_t len)
{
	struct conn *c = ctx;

	if (c->x->receiving)
		request_body(c->x->receiving, data, len);
}

static void on_request_gap(void *ctx, uint64_t len)
{
	struct conn *c = ctx;

	if (c->x->receiving)
		request_body_gap(c->x->receiving, len);
}

static void on_request_end(void *ctx, enum http1_end how)
{
	struct conn *c = ctx;
	struct exchange *x = c->x;

	if (x->receiving && how == HTTP1_END_COMPLETE)
		request_complete(x->receiving);
	x->receiving = NULL;
	request_begins(c);
}

/* ------------------------------------------------------------------ answers */

/* The oldest request; one that has had its head lost its end, and another answer begins. */
static struct request *next_unanswered(struct conn *c)
{
	while (c->requests && c->requests->answered)
		request_finish(c->requests, OUTCOME_UNKNOWN, "", 0);
	return c->requests;
}

static int on_response_head(void *ctx, const struct http1_head *head)
{
	struct conn *c = ctx;
	struct request *rq = next_unanswered(c);

	if (head->upgrade) {
		conn_unparsed(c, UNPARSED_WEBSOCKET);
		c->state = CONN_IGNORED;
	}
	c->x->answering = rq;
	c->last_answered = !head->keep_alive;
	if (!rq)
		return HTTP1_BODY_NORMAL;
	request_answer_head(rq, head);
	if (!rq->route && head->content_length > TKS_CALL_MAX)
		conn_head_tail(c, true);
	if (rq->method == HTTP1_CONNECT && head->status / 100 == 2)
		return HTTP1_TUNNEL;
	return rq->method == HTTP1_HEAD ? HTTP1_NO_BODY : HTTP1_BODY_NORMAL;
}

static void on_response_body(void *ctx, const uint8_t *data, size_t len)
{
	struct conn *c = ctx;

	if (c->x->answering)
		request_answer_body(c->x->answering, data, len);
}

static void on_response_gap(void *ctx, uint64_t len)
{
	struct conn *c = ctx;

	if (c->x->answering)
		request_answer_gap(c->x->answering, len);
}

/* An answer that was cut short stays open: whoever cut it decides the outcome. */
static void on_response_end(void *ctx, enum http1_end how)
{
	struct conn *c = ctx;
	struct request *rq = c->x->answering;

	c->x->answering = NULL;
	if (rq && how != HTTP1_END_TRUNCATED)
		request_answered(rq, how);
}

/* ------------------------------------------------------------------ bytes */

struct exchange *exchange_new(struct conn *c, bool boundary)
{
	static const struct http1_events requests = {
		.head = on_request_head,
		.body = on_request_body,
		.body_gap = on_request_gap,
		.end = on_request_end,
	};
	static const struct http1_events answers = {
		.head = on_response_head,
		.body = on_response_body,
		.body_gap = on_response_gap,
		.end = on_response_end,
	};
	struct exchange *x = malloc(sizeof(*x));

	if (!x)
		return NULL;
	memset(x, 0, sizeof(*x));
	http1_init(&x->request, HTTP1_REQUEST, &requests, c);
	http1_init(&x->response, HTTP1_RESPONSE, &answers, c);
	x->response_waiting = boundary;
	return x;
}

void exchange_free(struct exchange *x)
{
	if (!x)
		return;
	explicit_bzero(x, sizeof(*x));
	free(x);
}

/* Whether a record that begins so may begin a message; one that is too short to tell is tried. */
static bool begins(const uint8_t *data, size_t len, enum protocol wanted)
{
	enum protocol p = classify_bytes(data, len < CLASSIFY_MAX ? len : CLASSIFY_MAX);

	return p == wanted || p == PROTOCOL_MORE;
}

void exchange_request_bytes(struct conn *c, const uint8_t *data, size_t len)
{
	struct exchange *x = c->x;

	if (x->request_waiting) {
		if (!begins(data, len, PROTOCOL_HTTP1_REQUEST))
			return;
		http1_restart(&x->request);
		x->request_waiting = false;
	}
	if (http1_idle(&x->request))
		request_begins(c);
	if (http1_feed(&x->request, data, len))
		request_lost(c, UNPARSED_MALFORMED);
}

void exchange_response_bytes(struct conn *c, const uint8_t *data, size_t len)
{
	struct exchange *x = c->x;
	bool waited = x->response_waiting;

	if (waited) {
		if (!begins(data, len, PROTOCOL_HTTP1_RESPONSE))
			return;
		http1_restart(&x->response);
		x->response_waiting = false;
	}
	if (!http1_feed(&x->response, data, len))
		return;
	if (waited && !x->answering)
		x->response_waiting = true; /* it only looked like one */
	else
		response_lost(c, UNPARSED_MALFORMED);
}

void exchange_gap(struct conn *c, bool request, uint64_t len)
{
	struct exchange *x = c->x;

	if (request && !x->request_waiting && http1_gap(&x->request, len))
		request_lost(c, UNPARSED_TRUNCATED);
	if (!request && !x->response_waiting && http1_gap(&x->response, len))
		response_lost(c, UNPARSED_TRUNCATED);
}

bool exchange_idle(const struct conn *c)
{
	const struct exchange *x = c->x;

	return x && !c->open && !x->request_waiting && !x->response_waiting &&
	       http1_idle(&x->request) && http1_idle(&x->response);
}
