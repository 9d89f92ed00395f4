// SPDX-License-Identifier: Apache-2.0
/*
 * Health of a connection, and the share of it that falls into one request: the growth of the kernel's counts from the
 * record of the request's first byte to the last record before its end.
 */
#include "base/clock.h"
#include "track/conn.h"

#define USEC_PER_SEC 1e6

/* Records of two threads may come in another order than their calls: what only grows never goes back. */
static void grow(uint32_t *count, uint32_t now)
{
	if ((int32_t)(now - *count) > 0)
		*count = now;
}

/* Where the kernel saw the accept, all that was counted before the first record belongs to the first request. */
static void first_record(struct net *n, const struct tks_tcp *tcp)
{
	n->known = true;
	n->first = true;
	n->accept_wait_us = tcp->accept_wait_us;
	n->counts = (struct tcp_counts){ tcp->retransmits, tcp->rwnd_limited_ticks };
	if (n->accept_wait_us == TKS_ACCEPT_WAIT_UNKNOWN)
		n->start = n->counts;
}

void net_take(struct conn *c, const struct tks_tcp *tcp)
{
	struct net *n = &c->net;

	if (c->counted)
		return;
	if (!n->known)
		first_record(n, tcp);
	n->srtt_us = tcp->srtt_us;
	grow(&n->counts.retransmits, tcp->retransmits);
	grow(&n->counts.stalled_ticks, tcp->rwnd_limited_ticks);
}

void net_request_begins(struct conn *c)
{
	if (!c->net.first)
		c->net.start = c->net.counts;
}

void net_request_new(struct request *rq)
{
	struct net *n = &rq->conn->net;

	rq->net_start = n->start;
	rq->accept_wait_us = n->first ? n->accept_wait_us : TKS_ACCEPT_WAIT_UNKNOWN;
	n->first = false;
}

static void growth(const struct request *rq, struct request_record *r)
{
	const struct conn *c = rq->conn;
	uint64_t tick_ns = c->tracker->config.tick_ns;
	struct tcp_counts start = rq->net_start, end = rq->left ? rq->net_left : c->net.counts;

	r->retransmits = end.retransmits - start.retransmits;
	if (tick_ns)
		r->send_stall_s =
			(double)(end.stalled_ticks - start.stalled_ticks) * tick_ns / NSEC_PER_SEC;
	r->bytes_after_close = rq->bytes_after_close;
}

void net_summary(const struct request *rq, struct request_record *r)
{
	const struct net *n = &rq->conn->net;

	if (!n->known || rq->conn->role != ROLE_SERVER)
		return;
	if (n->srtt_us)
		r->srtt_s = n->srtt_us / USEC_PER_SEC;
	if (rq->accept_wait_us != TKS_ACCEPT_WAIT_UNKNOWN)
		r->accept_wait_s = rq->accept_wait_us / USEC_PER_SEC;
	if (!rq->lost) /* else it is not known where it ended */
		growth(rq, r);
}
