/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load generator and oracle: what a client on the same host sees of each request, stamped with CLOCK_MONOTONIC right
 * after every recv(). It has a parser of its own and shares no code with user/wire on purpose.
 */
#ifndef LOADGEN_H
#define LOADGEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define NS_PER_S 1000000000ULL

static inline double seconds(uint64_t ns)
{
	return (double)ns / (double)NS_PER_S;
}

uint64_t now_ns(void); /* CLOCK_MONOTONIC */

/* A growing array; `size` is one element's. Out of memory ends the program. */
struct vec {
	void *items;
	size_t count, capacity;
};
void vec_append(struct vec *v, const void *items, size_t count, size_t size);

/* ---------------------------------------------------------------- options (loadgen_options.c) */
struct options {
	const char *host;
	const char *unix_path;
	const char *path;
	const char *model;
	const char *json;
	uint64_t port;
	uint64_t clients;
	uint64_t requests; /* 0: until duration */
	uint64_t max_tokens;
	uint64_t prompt_bytes;
	uint64_t abort_after; /* content events; 0: never */
	uint64_t abort_every;
	double duration_s; /* 0: until requests */
	double rate;	   /* request starts a second; 0: as fast as answers come */
	double ramp_up_s;  /* without rate: the first request of each client within these */
	double timeout_s;  /* of one request */
	bool no_stream;
	bool close;
	bool keep_alive;
	bool include_usage;
	bool progress;
	bool help;
};
/* Exits on --help and on mistakes. */
void options_parse(struct options *o, int argc, char **argv);

/* ---------------------------------------------------------------- one answer (loadgen_parse.c) */
enum body_state {
	BODY_HEAD,
	BODY_LENGTH,
	BODY_CHUNK_SIZE,
	BODY_CHUNK_DATA,
	BODY_CHUNK_END,
	BODY_TRAILER,
	BODY_TO_CLOSE,
	BODY_DONE,
	BODY_BROKEN,
};

enum body_kind {
	KIND_OTHER,
	KIND_JSON,
	KIND_SSE,
	KIND_NDJSON,
};

struct answer {
	enum body_state state;
	enum body_kind kind;
	int status;
	uint64_t left; /* bytes of the body or chunk */
	bool close;    /* the server will close the connection */
	bool failed;   /* an error event or error object was seen */
	bool malformed; /* an event or document that is no JSON, or was cut short; BODY_BROKEN at the end */
	struct vec frame; /* an unfinished line of the framing: head, chunk size */
	struct vec line;  /* an unfinished line of the body */
	struct vec data; /* the data lines of the event under way; the document of a plain answer */
	/* what was seen; times are CLOCK_MONOTONIC, 0 while unknown; token counts are -1 while unknown */
	uint64_t headers_ns; /* end of the head */
	uint64_t first_ns;   /* first content event */
	uint64_t content_ns; /* latest content event */
	uint64_t last_ns;    /* latest byte */
	uint64_t bytes;
	int64_t events, content_events;
	struct vec gaps; /* uint64_t ns between content events */
	char finish_reason[32];
	int64_t input_tokens, output_tokens, cached_tokens;
	bool has_timings; /* llama.cpp's own account */
	int64_t prompt_n, cache_n, predicted_n;
	double prompt_ms, predicted_ms;
};
/* Keeps the memory of the vectors. */
void answer_reset(struct answer *a);
void answer_feed(struct answer *a, const char *data, size_t len, uint64_t time_ns);
void answer_eof(struct answer *a);

/* ---------------------------------------------------------------- one client (loadgen_client.c) */
enum client_state {
	CLIENT_IDLE,
	CLIENT_CONNECTING,
	CLIENT_SENDING,
	CLIENT_RECEIVING,
};

enum outcome {
	OUTCOME_OK,
	OUTCOME_ERROR,
	OUTCOME_ABORTED,
	OUTCOME_MAX,
};
const char *outcome_name(enum outcome o);

struct run;

struct client {
	int fd; /* -1: not connected */
	enum client_state state;
	struct answer answer;
	struct vec out; /* the request */
	size_t sent;
	uint64_t number;     /* of the request */
	uint64_t started_ns; /* its first byte was about to be sent, or the connection to be made */
	uint64_t sent_ns;    /* the send of its last byte returned: request complete */
	bool reused;	     /* on a connection that had served another request */
	bool resent; /* the server closed such a connection without a byte of answer: sent again on a new one */
};
void client_start(struct run *r, struct client *c);
/* The socket became ready to send, or its connection is made. */
void client_writable(struct run *r, struct client *c);
/* len bytes came at time_ns; 0 is the server's end, negative -errno. */
void client_received(struct run *r, struct client *c, const char *data, long len, uint64_t time_ns);
/* The request is over; error names what went wrong, NULL where nothing did. */
void client_finish(struct run *r, struct client *c, enum outcome outcome, const char *error);
void client_free(struct client *c);

/* ---------------------------------------------------------------- the run (loadgen.c) and its report */
struct run {
	struct options options;
	int epoll_fd;
	FILE *json;	   /* NULL: none */
	uint64_t start_ns; /* also the unique part of the request ids */
	uint64_t end_ns;
	uint64_t started, open;
	uint64_t finished[OUTCOME_MAX];
	uint64_t bytes, events, content_events, input_tokens, output_tokens, cached_tokens;
	struct vec ttft, itl, tpot, duration; /* uint64_t ns, requests with outcome ok */
	struct client *clients;
};
void request_id(const struct run *r, const struct client *c, char *buf, size_t len);
/* Takes one finished request into the sums and writes its JSON line. */
void report_request(struct run *r, struct client *c, enum outcome outcome, const char *error,
		    uint64_t end_ns);
/* Called twice a second; a terminal gets each, a log every tenth and the last. */
void report_progress(const struct run *r, uint64_t tick, bool last);
void report_summary(struct run *r, FILE *f);

#endif
