// SPDX-License-Identifier: Apache-2.0
/* What a connection speaks, which end this is, and where reading starts or starts again. */
#include "track/conn.h"

#include <string.h>

/* A peer that speaks before it is asked, where HTTP servers only answer: an answer that began before we came. */
static bool answers_first(struct conn *c, enum tks_dir dir)
{
	const struct server *s = conn_server(c);
	bool serves = s && (!s->port || s->port == c->sk.lport);

	return s && serves == (dir == TKS_SEND);
}

void conn_head_tail(struct conn *c, bool on)
{
	struct tracker *t = c->tracker;

	if (on == c->head_tail)
		return;
	c->head_tail = on;
	if (t->ops->sock_mode)
		t->ops->sock_mode(t->ctx, c->sk.id, on ? TKS_SOCK_HEAD_TAIL : 0);
}

static void wipe_first(struct conn *c)
{
	explicit_bzero(c->first, sizeof(c->first));
}

static void wait_for_request(struct conn *c, enum unparsed_reason reason)
{
	conn_unparsed(c, reason);
	wipe_first(c);
	conn_head_tail(c, true);
	c->state = CONN_WAITING;
}

static void ignore(struct conn *c, enum unparsed_reason reason)
{
	conn_unparsed(c, reason);
	wipe_first(c);
	conn_head_tail(c, true);
	c->state = CONN_IGNORED;
}

void conn_give_up(struct conn *c, enum conn_state state)
{
	conn_finish_all(c);
	exchange_free(c->x);
	c->x = NULL;
	pair_remove(c);
	wipe_first(c);
	c->state = state;
}

/* ------------------------------------------------------------------ HTTP */

static void feed(struct conn *c, bool request, const uint8_t *data, size_t len)
{
	if (!len || c->state != CONN_HTTP)
		return;
	if (request)
		exchange_request_bytes(c, data, len);
	else
		exchange_response_bytes(c, data, len);
}

static void gap(struct conn *c, bool request, uint64_t len)
{
	if (len && c->state == CONN_HTTP)
		exchange_gap(c, request, len);
}

/* The exchange is made when bytes come, and goes when all is quiet: most connections are idle most of the time. */
static bool exchange_open(struct conn *c, bool boundary)
{
	if (!c->x)
		c->x = exchange_new(c, boundary);
	if (c->x)
		return true;
	c->tracker->stats.no_memory++;
	conn_give_up(c, CONN_WAITING);
	return false;
}

static void exchange_close(struct conn *c)
{
	if (c->state != CONN_HTTP) {
		conn_give_up(c, c->state);
		conn_head_tail(c, true);
	} else if (exchange_idle(c)) {
		exchange_free(c->x);
		c->x = NULL;
	}
}

static void http_piece(struct conn *c, enum tks_dir dir, const struct stream_piece *p)
{
	bool request = dir == conn_request_dir(c);

	if (!exchange_open(c, false))
		return;
	gap(c, request, p->gap);
	feed(c, request, p->data, p->len);
	gap(c, request, p->skip);
	exchange_close(c);
}

/* `before`: how many of the first bytes were read from earlier records. */
static void begin_http(struct conn *c, enum tks_dir dir, size_t before,
		       const struct stream_piece *p)
{
	struct tracker *t = c->tracker;
	struct first_bytes *f = &c->first[dir];
	uint64_t now = t->now;
	bool late = c->first[!dir].len > 0 || c->state == CONN_WAITING;

	c->net.first &= !late;
	c->role = dir == TKS_RECV ? ROLE_SERVER : ROLE_CLIENT;
	c->state = CONN_HTTP;
	conn_head_tail(c, false);
	pair_add(c);
	if (!exchange_open(c, late))
		return;
	t->now = f->time_ns;
	feed(c, true, f->data, before);
	t->now = now;
	wipe_first(c);
	http_piece(c, dir, p);
}

/* ------------------------------------------------------------------ before it is known what it is */

static void begin_as(struct conn *c, enum tks_dir dir, enum protocol protocol, size_t before,
		     const struct stream_piece *p)
{
	switch (protocol) {
	case PROTOCOL_MORE:
		if (p->skip)
			wait_for_request(c, UNPARSED_UNKNOWN);
		break;
	case PROTOCOL_HTTP1_REQUEST:
		begin_http(c, dir, before, p);
		break;
	case PROTOCOL_HTTP1_RESPONSE:
		wait_for_request(c, UNPARSED_MID_STREAM);
		break;
	case PROTOCOL_TLS:
		ignore(c, UNPARSED_TLS);
		break;
	case PROTOCOL_HTTP2:
		ignore(c, UNPARSED_HTTP2);
		break;
	case PROTOCOL_ZMTP:
		ignore(c, UNPARSED_ZMTP);
		break;
	case PROTOCOL_UNKNOWN:
		wait_for_request(c, answers_first(c, dir) ? UNPARSED_MID_STREAM : UNPARSED_UNKNOWN);
		break;
	}
}

static void new_piece(struct conn *c, enum tks_dir dir, const struct stream_piece *p)
{
	struct first_bytes *f = &c->first[dir];
	size_t before = f->len, n = sizeof(f->data) - before;

	if (n > p->len)
		n = p->len;
	if (p->gap || !p->len) {
		wait_for_request(c, answers_first(c, dir) ? UNPARSED_MID_STREAM : UNPARSED_UNKNOWN);
		return;
	}
	if (!before)
		f->time_ns = c->tracker->now;
	memcpy(f->data + before, p->data, n);
	f->len += n;
	begin_as(c, dir, classify_bytes(f->data, f->len), before, p);
}

/* A record that begins with a request line is a clean boundary: clients do not pipeline behind an open answer. */
static void waiting_piece(struct conn *c, enum tks_dir dir, const struct stream_piece *p)
{
	size_t n = p->len < CLASSIFY_MAX ? p->len : CLASSIFY_MAX;

	if (c->role != ROLE_NONE && dir != conn_request_dir(c))
		return;
	if (classify_bytes(p->data, n) == PROTOCOL_HTTP1_REQUEST)
		begin_http(c, dir, 0, p);
}

void conn_piece(struct conn *c, enum tks_dir dir, const struct stream_piece *p)
{
	if (!p->len && !p->gap && !p->skip)
		return;
	switch (c->state) {
	case CONN_NEW:
		new_piece(c, dir, p);
		break;
	case CONN_WAITING:
		waiting_piece(c, dir, p);
		break;
	case CONN_HTTP:
		http_piece(c, dir, p);
		break;
	case CONN_IGNORED:
	case CONN_CLOSED:
		break;
	}
}
