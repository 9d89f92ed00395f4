/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small inference server without a model: OpenAI-shaped chat completions over HTTP/1.1, written to the socket in
 * every way that real servers use. It counts exactly what it wrote (/metrics), so that tests have a truth.
 */
#ifndef STREAM_SERVER_H
#define STREAM_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct config {
	const char *host;
	const char *unix_path;
	const char *io;
	const char *text; /* of each content event */
	uint64_t port;
	uint64_t proxy; /* relay to this port of localhost instead of answering; 0: no */
	uint64_t tokens;
	uint64_t batch;	      /* content events in one write */
	uint64_t pad;	      /* length of the default text */
	uint64_t send_buffer; /* SO_SNDBUF; 0: the kernel's choice */
	uint64_t interval_us;
	uint64_t delay_first_us;
	uint64_t error_after; /* content events before an error event; 0: never */
	uint64_t die_after;   /* content events before the connection is closed; 0: never */
	bool close_delimited;
	bool usage; /* also where the request does not ask for it */
	bool fork;
	bool help;
};

/* Shared with the children of --fork. */
struct counters {
	atomic_uint_fast64_t requests_ok, requests_error, requests_aborted;
	atomic_uint_fast64_t events, content_events, input_tokens, output_tokens;
	atomic_uint_fast64_t next_id;
};

struct uring;
struct io_mode;

/* One connection's way out. */
struct writer {
	int fd;
	const struct io_mode *mode;
	struct uring *uring; /* mode iouring, made by the first write */
	int memfd;	     /* mode sendfile, -1 until the first write */
	off_t memfd_len;
};
/* NULL: no such mode. names is then what there is. */
const struct io_mode *io_mode_find(const char *name, const char **names);
/* Writes all of it. Returns 0 or a negative errno. */
int writer_put(struct writer *w, const char *data, size_t len);
void writer_close(struct writer *w);

/* NULL with errno set where the kernel has no io_uring. */
struct uring *uring_new(void);
void uring_free(struct uring *u);
/* One IORING_OP_SEND, waited for. Returns bytes or a negative errno. */
long uring_send(struct uring *u, int fd, const void *data, size_t len);

/* One request as far as the server cares. */
struct request {
	char method[16];
	char target[256];
	int minor; /* HTTP/1.minor */
	bool keep_alive;
	bool expect_continue;
	bool has_length;
	uint64_t length;
	/* from the body of a completion */
	bool stream;
	bool include_usage;
	uint64_t tokens;
	uint64_t prompt_tokens;
	uint64_t complete_ns; /* CLOCK_MONOTONIC when its last byte was read */
};

/* Everything one connection needs. */
struct connection {
	const struct config *config;
	struct counters *counters;
	struct writer writer;
};

/* Reads and answers requests until the connection ends (stream_http.c). */
void serve(struct connection *c);
/* Answers one completion. Returns 0, or a negative errno after which the connection must be closed (stream_chat.c). */
int chat(struct connection *c, const struct request *r);
/* A whole answer with Content-Length; the body is left out for HEAD. */
int answer(struct connection *c, const struct request *r, int status, const char *type,
	   const char *body);

#endif
