// SPDX-License-Identifier: Apache-2.0
/*
 * How requests end, by evidence only (design.md 6): the answer's terminator, or who left before it came.
 */
#include <stdio.h>
#include <utlist.h>

#include "base/clock.h"
#include "track/conn.h"

/* A server that notices late that its client left goes on writing: tokens written so long after are still counted. */
#define LEFT_NS (10 * NSEC_PER_SEC)
/* Records of calls that were under way at an end come within a reader's round (50 ms), or were lost. */
#define PENDING_NS NSEC_PER_SEC

static const struct answer_facts no_facts;

static const struct answer_facts *facts_of(const struct request *rq)
{
	return rq->answer ? answer_facts(rq->answer) : &no_facts;
}

/* The answer came to its end; end_ns. */
static void finish_whole(struct request *rq)
{
	const struct answer_facts *facts = facts_of(rq);
	uint64_t now = rq->conn->tracker->now;
	char status[8];

	snprintf(status, sizeof(status), "%d", rq->status);
	if (rq->lost)
		request_finish(rq, OUTCOME_UNKNOWN, "", 0);
	else if (rq->left)
		request_finish(rq, OUTCOME_ABORTED, "", rq->left_ns);
	else if (rq->status >= 400)
		request_finish(rq, OUTCOME_ERROR, status, now);
	else if (facts->error)
		request_finish(rq, OUTCOME_ERROR, rq->stream == 1 ? "stream_error" : "_OTHER", now);
	else if (rq->missed && rq->stream == 1)
		request_finish(rq, OUTCOME_UNKNOWN, "",
			       0); /* an error event may have been missed */
	else
		request_finish(rq, OUTCOME_OK, "", now);
}

/* The answer will not come to its end. */
static void finish_cut(struct request *rq)
{
	if (rq->lost)
		request_finish(rq, OUTCOME_UNKNOWN, "", 0);
	else if (rq->left)
		request_finish(rq, OUTCOME_ABORTED, "", rq->left_ns);
	else
		request_finish(rq, OUTCOME_ERROR, "server_disconnect", rq->conn->tracker->now);
}

/* Where the close is the terminator, the death of the process may have cut the answer as well as ended it. */
void request_answered(struct request *rq, enum http1_end how)
{
	struct answer *a = rq->answer;

	if (a)
		answer_end(a);
	if (how == HTTP1_END_CLOSE && rq->conn->died && !facts_of(rq)->done)
		rq->lost = true;
	finish_whole(rq);
}

/* ------------------------------------------------------------------ all requests of a connection */

static void cut_all(struct conn *c)
{
	struct request *rq, *tmp;

	DL_FOREACH_SAFE(c->requests, rq, tmp)
	finish_cut(rq);
}

static void client_left(struct conn *c, uint64_t time_ns)
{
	struct request *rq;

	if (c->client_left)
		return;
	c->client_left = true;
	c->client_left_ns = time_ns;
	DL_FOREACH(c->requests, rq)
	request_left(rq, time_ns);
}

/* The server sends no more. An orderly end is the terminator of an answer without length. */
static void server_left(struct conn *c, bool orderly)
{
	if (orderly && c->x)
		http1_eof(&c->x->response);
	cut_all(c);
}

static void remote_left(struct conn *c, bool reset, uint64_t time_ns)
{
	c->end.pending = false;
	if (c->role == ROLE_CLIENT) {
		server_left(c, !reset);
		return;
	}
	client_left(c, time_ns);
	if (c->x)
		http1_eof(&c->x->request);
	if (reset)
		cut_all(c);
}

/* Bytes that were written before the end, but whose records have not come; perhaps no record has come yet. */
static uint32_t bytes_to_come(const struct conn *c)
{
	const struct stream *s = &c->stream[TKS_SEND];
	uint32_t come = s->known ? (uint32_t)s->next : c->end.first;
	int32_t left = (int32_t)(c->end.sent - come);

	return c->role != ROLE_CLIENT && left > 0 ? left : 0;
}

/* Records that have not come by now were lost: whether the answer was whole before the client left is not known. */
static void take_pending(struct conn *c)
{
	struct tracker_stats *stats = &c->tracker->stats;
	uint32_t lost = c->end.pending ? bytes_to_come(c) : 0;
	struct request *rq;

	if (!c->end.pending)
		return;
	if (lost) {
		stats->gaps++;
		stats->gap_bytes += lost;
		DL_FOREACH(c->requests, rq)
		rq->lost = true;
	}
	remote_left(c, c->end.reset, c->end.time_ns);
}

void conn_remote_end_at(struct conn *c, bool reset, const struct tks_sock_state *s)
{
	if (!c->end.pending)
		c->end = (struct remote_end){ .pending = true,
					      .first = s->first,
					      .sent = s->sent,
					      .time_ns = c->tracker->now };
	c->end.reset |= reset;
	/* As a client, what came before the end is still to be read: then the end is read too. */
	if (c->role != ROLE_CLIENT && !bytes_to_come(c))
		take_pending(c);
}

void conn_remote_end_before(struct conn *c, uint32_t pos)
{
	if (c->end.pending && c->role != ROLE_CLIENT && (int32_t)(c->end.sent - pos) <= 0)
		take_pending(c);
}

void conn_remote_end(struct conn *c, bool reset)
{
	if (c->end.pending && !reset && c->role != ROLE_CLIENT)
		return; /* the kernel's word tells more exactly when */
	remote_left(c, reset, c->tracker->now);
}

void conn_local_end(struct conn *c)
{
	take_pending(c);
	c->last_answered = true;
	if (c->role == ROLE_CLIENT) {
		client_left(c, c->tracker->now);
		cut_all(c);
	} else {
		server_left(c, true);
	}
}

void conn_finish_all(struct conn *c)
{
	struct request *rq, *tmp;

	take_pending(c);
	DL_FOREACH_SAFE(c->requests, rq, tmp)
	{
		rq->lost |= !rq->left;
		finish_cut(rq);
	}
}

void conn_finish_lost(struct conn *c)
{
	struct request *rq, *tmp;

	DL_FOREACH_SAFE(c->requests, rq, tmp)
	{
		if (rq->lost)
			finish_cut(rq);
	}
}

void conn_finish_left(struct conn *c, uint64_t now_ns)
{
	struct request *rq, *tmp;

	if (c->end.pending && now_ns > c->end.time_ns + PENDING_NS)
		take_pending(c);
	DL_FOREACH_SAFE(c->requests, rq, tmp)
	{
		if (rq->left && now_ns > rq->left_ns + LEFT_NS)
			finish_cut(rq);
	}
}
