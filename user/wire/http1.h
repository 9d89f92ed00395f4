/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Incremental HTTP/1.x parser for one direction of one connection.
 *
 * Byte boundaries never matter: the same stream cut anywhere gives the same callbacks (body chunks may be cut
 * differently, nothing else). Bytes that were not captured are reported with http1_gap() and crossed by
 * Content-Length or chunk size where possible. The parser allocates nothing; header values that callers need are
 * copied into struct http1_head, everything else is dropped as soon as it is scanned. It zeroes its windows.
 */
#ifndef WIRE_HTTP1_H
#define WIRE_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http1_kind {
	HTTP1_REQUEST,
	HTTP1_RESPONSE,
};

enum http1_method {
	HTTP1_METHOD_OTHER,
	HTTP1_GET,
	HTTP1_HEAD,
	HTTP1_POST,
	HTTP1_PUT,
	HTTP1_DELETE,
	HTTP1_OPTIONS,
	HTTP1_PATCH,
	HTTP1_CONNECT,
};
/* "POST", ...; "_OTHER" as OpenTelemetry's http.request.method has it. */
const char *http1_method_name(enum http1_method m);

enum body_format {
	BODY_OTHER, /* anything that is not looked into */
	BODY_JSON,
	BODY_SSE,    /* text/event-stream */
	BODY_NDJSON, /* application/x-ndjson and friends */
};

#define HTTP1_TARGET_MAX 512
#define HTTP1_ID_MAX	 128

/* One message's start line and the headers that matter. */
struct http1_head {
	enum http1_method method; /* requests */
	int status;		  /* responses: 100..999 */
	int minor;		  /* HTTP/1.minor */
	int64_t content_length;	  /* -1: none given */
	bool chunked;
	bool keep_alive; /* by version and Connection header */
	bool upgrade;	 /* 101 answer, or a request with Connection: upgrade */
	bool expect_continue;
	bool encoded; /* Content-Encoding other than identity: the body cannot be read */
	enum body_format format;
	char target
		[HTTP1_TARGET_MAX]; /* requests: path without query, NUL-terminated, cut at the size; wiped
					       after the head callback returns */
	char traceparent[56];		   /* W3C trace context, "" if absent or malformed */
	char request_id[HTTP1_ID_MAX + 1]; /* x-request-id, cut, printable ASCII only */
};

/* What the head callback answers (bits). */
enum http1_head_reply {
	HTTP1_BODY_NORMAL = 0,
	HTTP1_NO_BODY = 1 << 0, /* response to HEAD (1xx, 204 and 304 the parser knows itself) */
	HTTP1_TUNNEL = 1 << 1,	/* 2xx to CONNECT: what follows is not HTTP */
};

enum http1_end {
	HTTP1_END_COMPLETE,  /* by length, last chunk, or no body */
	HTTP1_END_CLOSE,     /* close-delimited body ended by the sender's end */
	HTTP1_END_TRUNCATED, /* http1_eof() in mid-message */
};

struct http1_events {
	/* Complete header block. For a 1xx response (not 101) interim is called instead and no message starts. */
	int (*head)(void *ctx,
		    const struct http1_head *head); /* returns enum http1_head_reply bits */
	void (*interim)(void *ctx, int status);	    /* may be NULL */
	void (*body)(void *ctx, const uint8_t *data, size_t len);
	void (*body_gap)(void *ctx,
			 uint64_t len); /* body bytes that were not captured, framing intact */
	void (*end)(void *ctx, enum http1_end how);
};

enum http1_state { /* private to http1.c, listed for tests and debug output */
	HTTP1_S_START,
	HTTP1_S_LINE,
	HTTP1_S_HEADER,
	HTTP1_S_BODY_LENGTH,
	HTTP1_S_BODY_CLOSE,
	HTTP1_S_CHUNK_SIZE,
	HTTP1_S_CHUNK_EXT,
	HTTP1_S_CHUNK_DATA,
	HTTP1_S_CHUNK_CRLF,
	HTTP1_S_TRAILER,
	HTTP1_S_TUNNEL, /* upgraded: everything is ignored */
	HTTP1_S_BROKEN, /* framing lost: everything is ignored until http1_restart() */
};

/* One header line, name included, that is looked at; longer lines are scanned past (their value is not used). */
#define HTTP1_LINE_MAX 1024
/* A header block larger than this is malformed. */
#define HTTP1_BLOCK_MAX (256 * 1024)

struct http1 {
	enum http1_kind kind;
	enum http1_state state;
	const struct http1_events *events;
	void *ctx;
	struct http1_head head;
	uint64_t left;	   /* bytes left of the body or chunk */
	uint32_t block;	   /* bytes of the current header block so far */
	uint16_t line_len; /* bytes in line */
	bool line_cut;	   /* the line was longer than line[] */
	bool line_done;	   /* line[] is a whole header line, unless the next byte folds it */
	bool saw_cr;
	bool te_other; /* Transfer-Encoding that does not end in chunked */
	char line[HTTP1_LINE_MAX];
};

void http1_init(struct http1 *p, enum http1_kind kind, const struct http1_events *events,
		void *ctx);

/*
 * Feeds captured bytes. Returns 0, or -EPROTO when the bytes are not HTTP/1: the state is then HTTP1_S_BROKEN and
 * the rest is ignored. Any number of messages may start and end in one call.
 */
int http1_feed(struct http1 *p, const uint8_t *data, size_t len);

/*
 * len bytes of the stream are missing here. Returns 0 when framing is intact (the gap lies wholly inside a body of
 * known length, a chunk, or a close-delimited body; body_gap is called), else -ENODATA and HTTP1_S_BROKEN.
 */
int http1_gap(struct http1 *p, uint64_t len);

/* The sender ended its direction. Calls end() when a message is under way. */
void http1_eof(struct http1 *p);

/* Forget everything and expect a message start next (a clean boundary was found). */
void http1_restart(struct http1 *p);

/* True between messages, with nothing read of the next. */
bool http1_idle(const struct http1 *p);

#endif
