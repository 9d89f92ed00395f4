/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to user/track: what the tracker keeps of one connection and of its open requests.
 *
 *   tracker.c   table, limits, entry points        stream.c    positions
 *   conn.c      protocol, role, resuming            exchange.c  HTTP messages -> requests
 *   request.c   one request, its gauges             outcome.c   ends: who left first
 *   summary.c   request -> request_record           pair.c      two ends of one connection
 *   net.c       health of the connection        phases.c    where its time went
 *   runs.c      when it ran
 */
#ifndef TRACK_CONN_H
#define TRACK_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/keyed_hash.h"
#include "metric/hist.h"
#include "track/phases.h"
#include "track/stream.h"
#include "track/tracker.h"
#include "wire/answer.h"
#include "wire/classify.h"
#include "wire/http1.h"

struct tracker {
	struct tracker_config config;
	const struct tracker_ops *ops;
	void *ctx;
	struct conn *conns;  /* uthash by key */
	struct conn *oldest; /* utlist, least recently used first */
	struct conn *by_client_port
		[2]; /* uthash by endpoint of the client end; index: enum conn_role - 1 */
	struct handle *handles; /* uthash by key: what engines call their requests by */
	uint64_t now;	/* time of the record under way, CLOCK_MONOTONIC; 0 unknown (wire decode) */
	uint32_t tid;	/* thread of the record under way */
	uint64_t runs;	/* ids given to requests that run, so far */
	uint64_t entry; /* number of the entry under way: a server pointer lives no longer */
	struct tracker_stats stats;
};

enum conn_state {
	CONN_NEW,     /* too few bytes to tell */
	CONN_WAITING, /* not readable so far: a record that begins with a request line starts it */
	CONN_HTTP,
	CONN_IGNORED,
	CONN_CLOSED, /* kept for a moment: records of the last calls may follow the state change */
};

enum conn_role {
	ROLE_NONE,
	ROLE_SERVER,
	ROLE_CLIENT,
};

struct conn_key {
	uint64_t id;
	uint64_t ino;
};

/* An address and port that mean the same seen from both ends: IPv4 is mapped, loopback is told apart by netns. */
struct endpoint {
	uint8_t addr[16];
	uint32_t netns;
	uint16_t port;
	uint16_t pad;
};

/*
 * The peer's end, as the kernel tells of it. It may be told before the records of calls that were under way: it takes
 * effect once all bytes written before it have come by, so that an end after the terminator is none before it.
 */
struct remote_end {
	bool pending;
	bool reset;
	uint32_t first,
		sent; /* positions of the first byte that this end wrote, and after the last */
	uint64_t time_ns;
};

/* What the kernel counts of a connection (struct tks_tcp): only grows, and wraps. */
struct tcp_counts {
	uint32_t retransmits, stalled_ticks;
};

/* The health of a TCP connection as its last record told it. */
struct net {
	bool known; /* a record of plain TCP told it: not on unix sockets, MPTCP, in wire decode */
	bool first; /* the connection's first request is still to come */
	uint32_t srtt_us;	 /* 0: not measured */
	uint32_t accept_wait_us; /* or TKS_ACCEPT_WAIT_UNKNOWN */
	struct tcp_counts counts;
	struct tcp_counts start; /* at the first byte of the request under way */
};

/* First bytes of a direction, until they decide the protocol. */
struct first_bytes {
	uint8_t data[CLASSIFY_MAX];
	uint8_t len;
	uint64_t time_ns;
};

/* Parser state; exists only while a message is under way, a request is open, or a boundary is awaited. */
struct exchange {
	struct http1 request, response;
	bool request_waiting, response_waiting; /* framing was lost: a clean boundary is awaited */
	bool doubtful; /* requests were missed while others were open: answers may not match */
	uint64_t request_start_ns; /* first byte of the request under way */
	struct request *receiving; /* whose body is arriving; NULL: nobody's */
	struct request *answering; /* whose answer is under way; NULL: nobody's */
};

struct conn {
	UT_hash_handle hh;
	UT_hash_handle hh_pair;
	struct conn *prev, *next;
	struct tracker *tracker;
	struct conn_key key;
	struct endpoint client_end; /* key of hh_pair */
	struct tks_sock sk;
	uint32_t tgid; /* the process that used it last */
	enum conn_state state;
	enum conn_role role;
	bool counted; /* positions are the agent's own count: no state changes are reported (unix, MPTCP) */
	bool indexed;	/* in tracker.by_client_port */
	bool paired;	/* the other end was seen in a traced process */
	bool head_tail; /* TKS_SOCK_HEAD_TAIL is set */
	bool died;	/* its process ended: the close that follows is no decision of the server */
	bool last_answered; /* the server said that it closes, or did: it may read on, but answers no more */
	bool client_left; /* at client_left_ns */
	uint64_t client_left_ns;
	struct remote_end end;
	struct net net;
	uint64_t last_ns;	     /* last record that moved bytes */
	uint64_t closed_ns;	     /* the socket was closed, or its process died; 0: open */
	uint32_t unparsed;	     /* bits of enum unparsed_reason: each is reported once */
	struct stream stream[2];     /* by enum tks_dir */
	struct first_bytes first[2]; /* likewise */
	const struct server *server; /* valid while server_entry == tracker.entry */
	uint64_t server_entry;
	struct exchange *x;
	struct request *requests; /* utlist, oldest first */
	size_t open;
};

struct request {
	struct request *prev, *next;
	struct conn *conn;
	const struct route
		*route; /* NULL: not an inference request, kept for its place in the queue */
	enum http1_method method;
	int status;
	int stream;	  /* 1, 0, -1 unknown */
	int asked_stream; /* what the request said */
	bool complete;	  /* the whole request was read, at complete_ns */
	bool answered;	  /* final response head seen */
	bool lost;	  /* framing was lost: outcome and counts are unknown */
	bool missed;	  /* bytes of the answer's body were missed */
	bool left;	  /* the client left before the answer's end, at left_ns */
	bool itl_ready;
	uint8_t choices; /* bits as in struct answer_event */
	/* 0 unknown. complete_ns: last byte of the request that was read so far. */
	uint64_t first_ns, complete_ns, headers_ns, content_ns, left_ns;
	uint64_t choice_ns[ANSWER_CHOICES_MAX]; /* last content event of each choice */
	uint64_t bytes_in, bytes_out, bytes_after_close;
	struct tcp_counts net_start, net_left; /* at the first byte; when the client left */
	uint32_t accept_wait_us; /* TKS_ACCEPT_WAIT_UNKNOWN on all but a connection's first */
	struct answer *ask;	 /* body of the request */
	struct answer *answer;	 /* NULL: not looked into */
	struct hist itl;
	struct phases phases;
	uint64_t run;		  /* id of its run; 0: not told of */
	bool in_flight, awaiting; /* what was added to the gauges of gauge_server */
	uint32_t gauge_server;
	char model[ANSWER_MODEL_MAX + 1]; /* what the request named */
	char traceparent[56];
	char request_id[HTTP1_ID_MAX + 1];
};

/* ---- tracker.c */

/* Reports the stream, once for each reason. */
void conn_unparsed(struct conn *c, enum unparsed_reason reason);
/* The server the connection belongs to, NULL: none. Valid during this entry only. */
const struct server *conn_server(struct conn *c);
/* A connection outside the table, for wire decode. conn_free() reports what is open. NULL: out of memory. */
struct conn *conn_new(struct tracker *t, const struct tks_data *d);
void conn_free(struct conn *c);

/* ---- conn.c */

void conn_piece(struct conn *c, enum tks_dir dir, const struct stream_piece *p);
/* Nothing of it will be read any more: requests end as they are, memory goes. */
void conn_give_up(struct conn *c, enum conn_state state);
/* Asks the kernel for head and tail of this socket's sends only, or for all again. */
void conn_head_tail(struct conn *c, bool on);
static inline enum tks_dir conn_request_dir(const struct conn *c)
{
	return c->role == ROLE_CLIENT ? TKS_SEND : TKS_RECV;
}

/* ---- exchange.c */

/* NULL: out of memory. `boundary`: answers are read from the next clean boundary on only. */
struct exchange *exchange_new(struct conn *c, bool boundary);
void exchange_free(struct exchange *x);
void exchange_request_bytes(struct conn *c, const uint8_t *data, size_t len);
void exchange_response_bytes(struct conn *c, const uint8_t *data, size_t len);
void exchange_gap(struct conn *c, bool request, uint64_t len);
/* Between messages, nothing open, nothing awaited. */
bool exchange_idle(const struct conn *c);

/* ---- request.c */

/* Appends a request to the connection's queue. NULL: out of memory. */
struct request *request_new(struct conn *c, const struct http1_head *head);
void request_body(struct request *rq, const uint8_t *data, size_t len);
void request_body_gap(struct request *rq, uint64_t len);
void request_complete(struct request *rq);
/* The final head of its answer; starts reading the body. */
void request_answer_head(struct request *rq, const struct http1_head *head);
void request_answer_body(struct request *rq, const uint8_t *data, size_t len);
void request_answer_gap(struct request *rq, uint64_t len);
/* The client left, at time_ns. */
void request_left(struct request *rq, uint64_t time_ns);
/* Reports the request and frees it. error_type may be ""; end_ns 0: the end is not known. */
void request_finish(struct request *rq, enum outcome outcome, const char *error_type,
		    uint64_t end_ns);

/* ---- summary.c */

/* Everything but outcome and error_type, which r holds already: r is filled from what is known of rq. */
void request_summary(const struct request *rq, struct request_record *r, uint64_t end_ns);

/* ---- net.c */

/* Every record of the connection, before what it says takes effect. */
void net_take(struct conn *c, const struct tks_tcp *tcp);
/* The record under way holds the first byte of a request. */
void net_request_begins(struct conn *c);
/* rq is the request that began. */
void net_request_new(struct request *rq);
/* Fills r's part about the network; what is not known stays as it is. */
void net_summary(const struct request *rq, struct request_record *r);

/* ---- outcome.c */

/* The peer's end was read, or an error says that nothing moves any more (reset). */
void conn_remote_end(struct conn *c, bool reset);
/* The kernel tells of the peer's end, and what this end had written by then. */
void conn_remote_end_at(struct conn *c, bool reset, const struct tks_sock_state *s);
/* Before a record of the sending direction is read: an end that lies before it takes effect. */
void conn_remote_end_before(struct conn *c, uint32_t pos);
/* This end closed its sending direction, or its process died (c->died). */
void conn_local_end(struct conn *c);
/* The answer is complete. */
void request_answered(struct request *rq, enum http1_end how);
/* Ends all open requests of which no end was seen: aborted where the client is known to have left, else unknown. */
void conn_finish_all(struct conn *c);
/* Ends requests whose framing was lost: what follows on the connection is not theirs. */
void conn_finish_lost(struct conn *c);
/* Ends requests whose client left so long ago that nothing more is to be expected. */
void conn_finish_left(struct conn *c, uint64_t now_ns);

/* ---- pair.c */

void pair_add(struct conn *c);
void pair_remove(struct conn *c);
/* Whether the other end belongs to a traced process too. Once yes, always yes. */
bool pair_known(struct conn *c);
/* A server's end whose client is no traced process. */
bool conn_is_server_leg(struct conn *c);

#endif
