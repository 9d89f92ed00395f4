/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections and requests: kernel records in, one request_record per finished request out.
 *
 * Owns every connection. A connection is classified by its first bytes; its role (server, client) is the direction
 * of the first request bytes. Where a byte is missed, the parser crosses the gap or the connection waits for a clean
 * request boundary; the request's counts are then unknown and so is its outcome (never a guess).
 */
#ifndef TRACK_TRACKER_H
#define TRACK_TRACKER_H

#include <stddef.h>
#include <stdint.h>

#include "tks_record.h"
#include "probe/event.h"
#include "track/record.h"

struct tracker_config {
	size_t max_connections; /* 0: 16384; the least recently used is evicted, counted */
	size_t max_pipelined;	/* 0: 32 open requests on one connection */
	uint64_t tick_ns; /* the kernel's tick (jiffy); 0: unknown, then send stalls are too */
	/* Of the records' itl; must outlive the tracker. NULL: the catalogue's. */
	const struct hist_bounds *itl_bounds;
};

/* Why a stream is not parsed, or not wholly: label of tokscope_streams_unparsed_total. */
enum unparsed_reason {
	UNPARSED_TLS,
	UNPARSED_HTTP2,
	UNPARSED_WEBSOCKET,
	UNPARSED_ZMTP,
	UNPARSED_MID_STREAM, /* older than the agent, or resumed after a loss */
	UNPARSED_TRUNCATED,  /* a gap that framing could not cross */
	UNPARSED_MALFORMED,
	UNPARSED_ENCODED, /* Content-Encoding */
	UNPARSED_UNKNOWN,
	UNPARSED_MAX,
};
const char *unparsed_reason_name(enum unparsed_reason r);

/* A request that runs in its server, told within about a second of its start and again when it ends. CLOCK_MONOTONIC. */
struct request_run {
	uint64_t id; /* > 0; also in its record */
	const struct server *server;
	bool by_engine; /* the engine tells when it runs, else: from request complete to the last content */
	uint64_t start_ns;
	uint64_t stop_ns; /* 0: it runs on */
};

struct tracker_ops {
	/* Which server a socket belongs to; NULL: none. */
	const struct server *(*resolve)(void *ctx, uint32_t tgid, const struct tks_sock *sk);
	void (*finished)(void *ctx, const struct request_record *r);
	/* Any stream that cannot be parsed, once for each. s may be NULL. */
	void (*unparsed)(void *ctx, const struct server *s, enum unparsed_reason reason);
	/* One SSE/NDJSON event of a server-leg answer; for tokscope_stream_events_total. May be NULL. */
	void (*stream_event)(void *ctx, const struct server *s, bool content);
	/* In-flight gauges changed by these amounts (-1, 0, +1). May be NULL. */
	void (*gauge)(void *ctx, const struct server *s, int in_flight, int awaiting_first_token);
	/* Before `finished`, for that request. May be NULL. */
	void (*run)(void *ctx, const struct request_run *run);
	/* Asks the kernel to keep only head and tail of this socket's sends, or all again. May be NULL. */
	void (*sock_mode)(void *ctx, uint64_t sock_id, uint32_t mode);
};

struct tracker_stats {
	uint64_t connections;	    /* open now */
	uint64_t open_requests;	    /* now */
	uint64_t evicted;	    /* connections evicted by the limit */
	uint64_t pipeline_overflow; /* requests beyond max_pipelined: connection given up */
	uint64_t gaps, gap_bytes;   /* missing pieces of streams seen */
	uint64_t records;	    /* finished requests */
	uint64_t no_memory;
};

struct tracker;

struct tracker *tracker_new(const struct tracker_config *config, const struct tracker_ops *ops,
			    void *ctx);
void tracker_free(struct tracker *t); /* unfinished requests are reported with outcome unknown */

/* Kernel records, in ring order. Sizes were checked by the reader. */
void tracker_data(struct tracker *t, const struct tks_data *d);
void tracker_sock_state(struct tracker *t, const struct tks_sock_state *s);
/* From probes, in ring order with the records above. Of an unknown request: nothing becomes of it. */
void tracker_engine_event(struct tracker *t, const struct engine_event *e);
void tracker_process_exit(struct tracker *t, uint32_t tgid, uint64_t time_ns);

/*
 * Housekeeping, about once a second: ends what waited for evidence long enough, drops connections that were closed, and
 * those idle for 10 minutes with no open request (unix sockets: with one too, as nothing tells of their close).
 */
void tracker_tick(struct tracker *t, uint64_t now_ns);

void tracker_get_stats(const struct tracker *t, struct tracker_stats *out);

/* `wire decode`: both directions of one connection as raw bytes, no kernel. Times stay unknown. */
int tracker_decode(const struct tracker_ops *ops, void *ctx, const uint8_t *request,
		   size_t request_len, const uint8_t *response, size_t response_len);

#endif
