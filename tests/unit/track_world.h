/* SPDX-License-Identifier: Apache-2.0 */
/* A tracker with one server, fed by hand: what it reports is kept for the tests. */
#ifndef TRACK_WORLD_H
#define TRACK_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "track/tracker.h"

#define WORLD_RECORDS 64
#define MS	      1000000ULL

/* Where the made-up sockets are. */
#define SERVER_PORT 8080
#define SERVER_PID  100

struct world {
	struct tracker *tracker;
	struct server server;
	struct server *none;			      /* set: sockets belong to no server */
	struct request_record records[WORLD_RECORDS]; /* ->itl is not valid any more */
	uint64_t itl_count[WORLD_RECORDS];
	size_t count;
	struct request_run runs[WORLD_RECORDS]; /* as told, begins and ends */
	size_t run_count;
	unsigned int unparsed[UNPARSED_MAX];
	unsigned int content, other;
	int in_flight, awaiting;
	uint32_t mode; /* last sock_mode */
	unsigned int modes;
	uint64_t now;
};

/* One connection's two directions, as the kernel would tell of them. */
struct link {
	struct world *world;
	struct tks_sock sk;
	uint32_t tgid;
	uint32_t tid; /* 0: the main thread */
	uint16_t flags;
	uint64_t pos[2];
	uint32_t first;	    /* position of the first byte this end ever wrote */
	struct tks_tcp tcp; /* of the next records */
};

static const struct server *world_resolve(void *ctx, uint32_t tgid, const struct tks_sock *sk)
{
	struct world *w = ctx;

	(void)tgid;
	(void)sk;
	return w->server.id ? &w->server : NULL;
}

static void world_finished(void *ctx, const struct request_record *r)
{
	struct world *w = ctx;

	assert_true(w->count < WORLD_RECORDS);
	w->itl_count[w->count] = r->itl ? r->itl->count : 0;
	w->records[w->count++] = *r;
}

static void world_unparsed(void *ctx, const struct server *s, enum unparsed_reason reason)
{
	struct world *w = ctx;

	(void)s;
	w->unparsed[reason]++;
}

static void world_event(void *ctx, const struct server *s, bool content)
{
	struct world *w = ctx;

	(void)s;
	if (content)
		w->content++;
	else
		w->other++;
}

static void world_gauge(void *ctx, const struct server *s, int in_flight, int awaiting)
{
	struct world *w = ctx;

	(void)s;
	w->in_flight += in_flight;
	w->awaiting += awaiting;
	assert_true(w->in_flight >= 0 && w->awaiting >= 0 && w->awaiting <= w->in_flight);
}

static void world_run(void *ctx, const struct request_run *run)
{
	struct world *w = ctx;

	assert_true(w->run_count < WORLD_RECORDS);
	w->runs[w->run_count++] = *run;
}

static void world_mode(void *ctx, uint64_t sock_id, uint32_t mode)
{
	struct world *w = ctx;

	(void)sock_id;
	w->mode = mode;
	w->modes++;
}

static const struct tracker_ops world_ops = {
	.resolve = world_resolve,
	.finished = world_finished,
	.unparsed = world_unparsed,
	.stream_event = world_event,
	.gauge = world_gauge,
	.run = world_run,
	.sock_mode = world_mode,
};

static struct world *world_new(const struct tracker_config *config)
{
	static const struct tracker_config defaults;
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->server = (struct server){
		.id = 1, .engine = "llama.cpp", .port = SERVER_PORT, .pid = SERVER_PID
	};
	w->tracker = tracker_new(config ?: &defaults, &world_ops, w);
	assert_non_null(w->tracker);
	w->now = 1000 * MS;
	return w;
}

/* Ends what is open; the records stay. */
static void world_end(struct world *w)
{
	tracker_free(w->tracker);
	w->tracker = NULL;
}

static void world_free(struct world *w)
{
	world_end(w);
	assert_int_equal(w->in_flight, 0);
	assert_int_equal(w->awaiting, 0);
	free(w);
}

/* The server's end of a connection from client port `port`. */
static struct link link_new(struct world *w, uint16_t port)
{
	struct link l = { .world = w,
			  .tgid = SERVER_PID,
			  .pos = { 1000u + port, 4294967200u },
			  .tcp.accept_wait_us = TKS_ACCEPT_WAIT_UNKNOWN };

	l.first = l.pos[TKS_SEND];
	l.sk = (struct tks_sock){ .id = port,
				  .ino = 5000 + port,
				  .netns = 1,
				  .family = 2,
				  .lport = SERVER_PORT,
				  .rport = port,
				  .laddr = { 127, 0, 0, 1 },
				  .raddr = { 127, 0, 0, 1 } };
	return l;
}

static __attribute__((unused)) struct link link_unix(struct world *w, uint64_t id)
{
	struct link l = { .world = w, .tgid = SERVER_PID, .flags = TKS_DATA_UNIX };

	l.sk = (struct tks_sock){ .id = id, .ino = 5000 + id, .netns = 1, .family = 1 };
	return l;
}

/* The client's end of the same connection, in process tgid. */
static __attribute__((unused)) struct link link_peer(const struct link *l, uint32_t tgid)
{
	struct link p = { .world = l->world, .tgid = tgid, .pos = { 7, 9 }, .tcp = l->tcp };

	p.sk = l->sk;
	p.sk.id += 100000;
	p.sk.lport = l->sk.rport;
	p.sk.rport = l->sk.lport;
	memcpy(p.sk.laddr, l->sk.raddr, 16);
	memcpy(p.sk.raddr, l->sk.laddr, 16);
	return p;
}

static struct tks_data *link_record(struct link *l, enum tks_dir dir, const void *data, size_t len,
				    size_t skip, int ret)
{
	struct tks_data *d = calloc(1, sizeof(*d) + len);

	assert_non_null(d);
	d->h = (struct tks_header){ .size = sizeof(*d) + len,
				    .kind = TKS_KIND_DATA,
				    .flags = l->flags,
				    .time_ns = l->world->now,
				    .tgid = l->tgid,
				    .tid = l->tid ?: l->tgid };
	d->sk = l->sk;
	d->dir = dir;
	d->pos = l->pos[dir];
	d->len = len;
	d->skip = skip;
	d->ret = ret;
	d->tcp = l->tcp;
	if (len)
		memcpy(d->data, data, len);
	return d;
}

static void link_move(struct link *l, enum tks_dir dir, size_t n)
{
	l->pos[dir] += n;
	if (!(l->flags & TKS_DATA_UNIX))
		l->pos[dir] = (uint32_t)l->pos[dir];
}

/* One call that moved len captured and skip uncaptured bytes. */
static void link_bytes(struct link *l, enum tks_dir dir, const void *data, size_t len, size_t skip)
{
	struct tks_data *d = link_record(l, dir, data, len, skip, len + skip);

	tracker_data(l->world->tracker, d);
	link_move(l, dir, len + skip);
	free(d);
}

/* A record that the ring buffer had no room for. */
static __attribute__((unused)) void link_lose(struct link *l, enum tks_dir dir, size_t len)
{
	link_move(l, dir, len);
}

/* A call that moved nothing: 0 is the peer's end, negative an errno. */
static __attribute__((unused)) void link_result(struct link *l, enum tks_dir dir, int ret)
{
	struct tks_data *d = link_record(l, dir, NULL, 0, 0, ret);

	tracker_data(l->world->tracker, d);
	free(d);
}

static __attribute__((unused)) void link_state(struct link *l, uint8_t state, int err)
{
	struct tks_sock_state s = { .h = { .size = sizeof(s),
					   .kind = TKS_KIND_SOCK_STATE,
					   .time_ns = l->world->now,
					   .tgid = l->tgid },
				    .sk = l->sk,
				    .err = err,
				    .new_state = state,
				    .first = l->first,
				    .sent = l->pos[TKS_SEND] };

	tracker_sock_state(l->world->tracker, &s);
}

/* What the server receives and sends; each takes a millisecond. */
static void ask(struct link *l, const char *text)
{
	l->world->now += MS;
	link_bytes(l, TKS_RECV, text, strlen(text), 0);
}

static void answer(struct link *l, const char *text)
{
	l->world->now += MS;
	link_bytes(l, TKS_SEND, text, strlen(text), 0);
}

/* Sends one chunk of a chunked body. */
static __attribute__((unused)) void chunk(struct link *l, const char *text)
{
	char buf[4096];

	snprintf(buf, sizeof(buf), "%zx\r\n%s\r\n", strlen(text), text);
	answer(l, buf);
}

static __attribute__((unused)) void ask_json(struct link *l, const char *route, const char *body)
{
	char buf[4096];

	snprintf(buf, sizeof(buf), "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n%s",
		 route, strlen(body), body);
	ask(l, buf);
}

static __attribute__((unused)) void answer_json(struct link *l, int status, const char *body)
{
	char buf[4096];

	snprintf(buf, sizeof(buf),
		 "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		 status, strlen(body), body);
	answer(l, buf);
}

#define SSE_HEAD \
	"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
#define ROLE \
	"data: {\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}\n\n"
#define TOKEN \
	"data: {\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n"
#define USAGE                                                                   \
	"data: {\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":7," \
	"\"completion_tokens\":3}}\n\n"
#define DONE "data: [DONE]\n\n"
#define LAST "0\r\n\r\n"
#define CHAT "/v1/chat/completions"

/* include/net/tcp_states.h */
enum {
	FIN_WAIT1 = 4,
	CLOSE = 7,
	CLOSE_WAIT = 8,
	LAST_ACK = 9
};

static __attribute__((unused)) struct request_record *only(struct world *w)
{
	assert_int_equal(w->count, 1);
	return &w->records[0];
}

static __attribute__((unused)) void begin_stream(struct link *l)
{
	ask_json(l, CHAT, "{\"stream\":true}");
	answer(l, SSE_HEAD);
	chunk(l, ROLE);
	chunk(l, TOKEN);
}

static __attribute__((unused)) void assert_aborted(struct world *w, int64_t wasted)
{
	struct request_record *r = only(w);

	assert_int_equal(r->outcome, OUTCOME_ABORTED);
	assert_string_equal(r->error_type, "");
	assert_int_equal(r->wasted_tokens, wasted);
	assert_true(isnan(r->tpot_s));
}

#endif
