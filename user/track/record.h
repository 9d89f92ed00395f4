/* SPDX-License-Identifier: Apache-2.0 */
/* One finished request: the record of design.md 6. Holds no text of prompt or answer. */
#ifndef TRACK_RECORD_H
#define TRACK_RECORD_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "discover/server.h"
#include "metric/hist.h"
#include "wire/answer.h"
#include "wire/route.h"

enum outcome {
	OUTCOME_UNKNOWN, /* bytes were missed, or the end was not seen */
	OUTCOME_OK,
	OUTCOME_ERROR,
	OUTCOME_ABORTED,
	OUTCOME_MAX,
};
const char *outcome_name(enum outcome o);

enum leg {
	LEG_SERVER,
	LEG_INTERNAL, /* between two traced processes, or a traced process as client */
};

enum token_source {
	TOKENS_NONE,
	TOKENS_ENGINE,
	TOKENS_PROBE,
	TOKENS_USAGE,
	TOKENS_EVENTS, /* an estimate: content events */
};
/* "engine", ...; NULL for TOKENS_NONE. */
const char *token_source_name(enum token_source s);

enum phase {
	PHASE_RECEIVE, /* outside the sum */
	PHASE_TOKENIZE,
	PHASE_QUEUE,
	PHASE_PREFILL,
	PHASE_DECODE,
	PHASE_OTHER,
	PHASE_MAX,
};
const char *phase_name(enum phase p);

/* Seconds that are not known are NAN; counts that are not known are -1; strings that are not known are "". */
struct request_record {
	const struct server
		*server;  /* NULL: no server known (wire decode). Valid during the callback only. */
	uint64_t time_ns; /* wall clock of request complete, ns since the epoch; 0 unknown */
	uint32_t pid;
	const struct route *route;
	enum http1_method method;
	int status; /* 0 unknown */
	enum outcome outcome;
	char error_type[32]; /* "" none: "404", "stream_error", "server_disconnect", "_OTHER" */
	enum leg leg;
	int stream; /* 1, 0, -1 unknown */
	char request_model[ANSWER_MODEL_MAX + 1];
	char response_model[ANSWER_MODEL_MAX + 1];
	char finish_reason[ANSWER_REASON_MAX + 1];
	char trace_id[33];
	char span_id[17];	 /* of this request's own span; "" while there is none */
	char parent_span_id[17]; /* from traceparent */
	int trace_flags;	 /* of traceparent; -1: there was none. Bit 0: the caller samples */
	bool sampled;		 /* its span is exported */
	char request_id[HTTP1_ID_MAX + 1];
	double duration_s;
	double ttft_s;
	double time_to_headers_s;
	double tpot_s;
	/* Gaps between content events, per choice. count 0 where the answer is no stream. */
	const struct hist
		*itl; /* family ITL's boundaries; NULL: none. Valid during the callback only. */
	double itl_min_s, itl_p50_s, itl_p99_s, itl_max_s;
	int64_t events, content_events;
	int64_t choices; /* distinct choice indexes seen with content; 0 none */
	int64_t input_tokens, output_tokens, cached_tokens, wasted_tokens;
	enum token_source token_source;
	uint64_t bytes_in, bytes_out;
	double phase_s[PHASE_MAX];
	/* From request complete to the phase's beginning, for those that are one piece; of receive: negative. */
	double phase_start_s[PHASE_MAX];
	/*
	 * Of the server's TCP connection, unknown on unix sockets: segments sent again and time without room at the
	 * peer, both during the request; the last smoothed round-trip time; established to accepted, only with the
	 * connection's first request; how many of bytes_out were written after the peer's end was known.
	 */
	int64_t retransmits;
	double srtt_s, send_stall_s, accept_wait_s;
	int64_t bytes_after_close;
	uint64_t run;		/* id of struct request_run; 0: it was not told of */
	double gpu_s;		/* NAN until a later source fills it */
	const char *gpu_source; /* NULL */
};

/* A record of which nothing is known. */
void request_record_init(struct request_record *r);
/* gen_ai.provider.name: by the dialect for a gateway (no engine was recognised), else the engine. NULL: unknown. */
const char *request_provider(const struct request_record *r);

#endif
