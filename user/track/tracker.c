// SPDX-License-Identifier: Apache-2.0
#include "track/tracker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "metric/registry.h"
#include "track/conn.h"
#include "track/runs.h"

/* 16384 connections of 4 to 10 KiB while a request is open, 0.5 KiB else: more than any server here accepts. */
#define CONNECTIONS_MAX 16384
#define PIPELINED_MAX	32

#define IDLE_NS		(600 * NSEC_PER_SEC)
/* Records of calls that were under way when the socket closed come within a reader's round (50 ms). */
#define LINGER_NS NSEC_PER_SEC

/* include/net/tcp_states.h, ABI */
enum tcp_state {
	TCP_STATE_FIN_WAIT1 = 4,
	TCP_STATE_CLOSE = 7,
	TCP_STATE_CLOSE_WAIT = 8,
	TCP_STATE_LAST_ACK = 9,
};

const char *unparsed_reason_name(enum unparsed_reason r)
{
	static const char *const names[UNPARSED_MAX] = {
		[UNPARSED_TLS] = "tls",
		[UNPARSED_HTTP2] = "http2",
		[UNPARSED_WEBSOCKET] = "websocket",
		[UNPARSED_ZMTP] = "zmtp",
		[UNPARSED_MID_STREAM] = "mid_stream",
		[UNPARSED_TRUNCATED] = "truncated",
		[UNPARSED_MALFORMED] = "malformed",
		[UNPARSED_ENCODED] = "encoded",
		[UNPARSED_UNKNOWN] = "unknown",
	};

	return r < UNPARSED_MAX ? names[r] : "unknown";
}

struct tracker *tracker_new(const struct tracker_config *config, const struct tracker_ops *ops,
			    void *ctx)
{
	struct tracker *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->config = *config;
	if (!t->config.max_connections)
		t->config.max_connections = CONNECTIONS_MAX;
	if (!t->config.max_pipelined)
		t->config.max_pipelined = PIPELINED_MAX;
	if (!t->config.itl_bounds)
		t->config.itl_bounds = metric_family(M_INTER_TOKEN_LATENCY)->bounds;
	t->ops = ops;
	t->ctx = ctx;
	return t;
}

/* ------------------------------------------------------------------ the table */

static struct conn_key key_of(const struct tks_sock *sk)
{
	return (struct conn_key){ .id = sk->id, .ino = sk->ino };
}

static struct conn *conn_find(struct tracker *t, const struct tks_sock *sk)
{
	struct conn_key key = key_of(sk);
	struct conn *c;

	HASH_FIND(hh, t->conns, &key, sizeof(key), c);
	return c;
}

struct conn *conn_new(struct tracker *t, const struct tks_data *d)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c) {
		t->stats.no_memory++;
		return NULL;
	}
	c->tracker = t;
	c->key = key_of(&d->sk);
	c->sk = d->sk;
	c->counted = d->h.flags & TKS_DATA_UNIX;
	return c;
}

void conn_free(struct conn *c)
{
	conn_give_up(c, CONN_CLOSED);
	explicit_bzero(c->first, sizeof(c->first));
	free(c);
}

static void conn_remove(struct conn *c)
{
	struct tracker *t = c->tracker;

	HASH_DELETE(hh, t->conns, c);
	DL_DELETE(t->oldest, c);
	t->stats.connections--;
	conn_free(c);
}

static struct conn *conn_add(struct tracker *t, const struct tks_data *d)
{
	struct conn *c;

	if (t->stats.connections >= t->config.max_connections) {
		t->stats.evicted += !t->oldest->closed_ns; /* one that only lingers is no loss */
		conn_remove(t->oldest);
	}
	c = conn_new(t, d);
	if (!c)
		return NULL;
	HASH_ADD(hh, t->conns, key, sizeof(c->key), c);
	if (!c->hh.tbl) {
		t->stats.no_memory++;
		free(c);
		return NULL;
	}
	DL_APPEND(t->oldest, c);
	t->stats.connections++;
	return c;
}

static void conn_touch(struct conn *c)
{
	DL_DELETE(c->tracker->oldest, c);
	DL_APPEND(c->tracker->oldest, c);
	c->last_ns = c->tracker->now;
}

const struct server *conn_server(struct conn *c)
{
	struct tracker *t = c->tracker;

	if (c->server_entry != t->entry && t->ops->resolve) {
		c->server = t->ops->resolve(t->ctx, c->tgid, &c->sk);
		c->server_entry = t->entry;
	}
	return c->server;
}

void conn_unparsed(struct conn *c, enum unparsed_reason reason)
{
	struct tracker *t = c->tracker;
	uint32_t bit = 1u << reason;

	if (c->unparsed & bit)
		return;
	c->unparsed |= bit;
	if (t->ops->unparsed)
		t->ops->unparsed(t->ctx, conn_server(c), reason);
}

/* ------------------------------------------------------------------ records */

static void begin(struct tracker *t, uint64_t time_ns)
{
	t->now = time_ns;
	t->entry++;
}

static void moved_bytes(struct conn *c, const struct tks_data *d)
{
	struct tracker_stats *stats = &c->tracker->stats;
	enum tks_dir dir = d->dir & 1;
	struct stream_piece p;

	if (dir == TKS_SEND)
		conn_remote_end_before(c, d->pos);
	net_take(c, &d->tcp);
	conn_touch(c);
	stream_take(&c->stream[dir], d, &p);
	stats->gaps += p.gap > 0;
	stats->gap_bytes += p.gap;
	conn_piece(c, dir, &p);
}

void tracker_data(struct tracker *t, const struct tks_data *d)
{
	struct conn *c = conn_find(t, &d->sk);

	begin(t, d->h.time_ns);
	t->tid = d->h.tid;
	if (!c && d->ret > 0)
		c = conn_add(t, d);
	if (!c)
		return;
	if (c->died && c->tgid != d->h.tgid) { /* another process has it too */
		c->died = false;
		c->closed_ns = 0;
	}
	c->tgid = d->h.tgid;
	if (d->ret > 0) {
		moved_bytes(c, d);
		return;
	}
	net_take(c, &d->tcp);
	if (d->ret < 0 || d->dir == TKS_RECV)
		conn_remote_end(c, d->ret < 0);
}

void tracker_sock_state(struct tracker *t, const struct tks_sock_state *s)
{
	struct conn *c = conn_find(t, &s->sk);

	begin(t, s->h.time_ns);
	if (!c || c->state == CONN_CLOSED)
		return;
	switch (s->new_state) {
	case TCP_STATE_CLOSE_WAIT:
		conn_remote_end_at(c, false, s);
		break;
	case TCP_STATE_FIN_WAIT1:
	case TCP_STATE_LAST_ACK:
		conn_local_end(c);
		break;
	case TCP_STATE_CLOSE:
		if (s->err)
			conn_remote_end_at(c, true, s);
		else
			conn_local_end(c);
		c->closed_ns = t->now;
		break;
	}
}

void tracker_process_exit(struct tracker *t, uint32_t tgid, uint64_t time_ns)
{
	struct conn *c, *tmp;

	begin(t, time_ns);
	DL_FOREACH_SAFE(t->oldest, c, tmp)
	{
		if (c->tgid != tgid || c->state == CONN_CLOSED)
			continue;
		c->died = true;
		if (c->closed_ns)
			continue;
		c->closed_ns = time_ns;
		/* Of TCP the kernel tells when the socket closes: it may be shared with a process that lives. */
		if (c->counted)
			conn_local_end(c);
	}
}

/* ------------------------------------------------------------------ housekeeping */

static bool conn_is_over(const struct conn *c, uint64_t now_ns)
{
	if (c->closed_ns)
		return now_ns > c->closed_ns + LINGER_NS;
	return now_ns > c->last_ns + IDLE_NS && (!c->open || c->counted);
}

void tracker_tick(struct tracker *t, uint64_t now_ns)
{
	struct conn *c, *tmp;

	begin(t, now_ns);
	DL_FOREACH_SAFE(t->oldest, c, tmp)
	{
		conn_finish_left(c, now_ns);
		if (!conn_is_over(c, now_ns))
			continue;
		if (c->died)
			conn_local_end(c);
		conn_remove(c);
	}
	runs_tick(t);
}

void tracker_get_stats(const struct tracker *t, struct tracker_stats *out)
{
	*out = t->stats;
}

void tracker_free(struct tracker *t)
{
	struct conn *c, *tmp;

	if (!t)
		return;
	begin(t, t->now);
	DL_FOREACH_SAFE(t->oldest, c, tmp)
	conn_remove(c);
	free(t);
}
