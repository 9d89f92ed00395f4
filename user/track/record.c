// SPDX-License-Identifier: Apache-2.0
#include "track/record.h"

#include <stddef.h>
#include <string.h>

const char *outcome_name(enum outcome o)
{
	static const char *const names[OUTCOME_MAX] = {
		[OUTCOME_UNKNOWN] = "unknown",
		[OUTCOME_OK] = "ok",
		[OUTCOME_ERROR] = "error",
		[OUTCOME_ABORTED] = "aborted",
	};

	return o < OUTCOME_MAX ? names[o] : "unknown";
}

const char *token_source_name(enum token_source s)
{
	switch (s) {
	case TOKENS_ENGINE:
		return "engine";
	case TOKENS_PROBE:
		return "probe";
	case TOKENS_USAGE:
		return "usage";
	case TOKENS_EVENTS:
		return "events";
	case TOKENS_NONE:
		break;
	}
	return NULL;
}

const char *phase_name(enum phase p)
{
	static const char *const names[PHASE_MAX] = {
		[PHASE_RECEIVE] = "receive", [PHASE_TOKENIZE] = "tokenize", [PHASE_QUEUE] = "queue",
		[PHASE_PREFILL] = "prefill", [PHASE_DECODE] = "decode",	    [PHASE_OTHER] = "other",
	};

	return p < PHASE_MAX ? names[p] : "other";
}

const char *request_provider(const struct request_record *r)
{
	if (r->server && strcmp(r->server->engine, "unknown"))
		return r->server->engine;
	return r->route ? r->route->provider : NULL;
}

void request_record_init(struct request_record *r)
{
	memset(r, 0, sizeof(*r));
	r->duration_s = r->ttft_s = r->time_to_headers_s = r->tpot_s = NAN;
	r->itl_min_s = r->itl_p50_s = r->itl_p99_s = r->itl_max_s = NAN;
	r->srtt_s = r->send_stall_s = r->accept_wait_s = r->gpu_s = NAN;
	for (int p = 0; p < PHASE_MAX; p++)
		r->phase_s[p] = r->phase_start_s[p] = NAN;
	r->stream = -1;
	r->events = r->content_events = -1;
	r->input_tokens = r->output_tokens = r->cached_tokens = r->wasted_tokens = -1;
	r->retransmits = r->bytes_after_close = -1;
	r->trace_flags = -1;
}
