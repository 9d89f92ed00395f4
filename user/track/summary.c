// SPDX-License-Identifier: Apache-2.0
/* What is known of a finished request becomes its record. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "track/conn.h"

/* Seconds between two stamps; NAN when one is not known. An answer may begin before the request is read wholly: 0. */
static double seconds(uint64_t from, uint64_t to)
{
	if (!from || !to)
		return NAN;
	return to > from ? (to - from) / 1e9 : 0;
}

/* traceparent is checked already: "00-<32 hex>-<16 hex>-<2 hex>" (W3C Trace Context). */
static void trace_context(const struct request *rq, struct request_record *r)
{
	if (!*rq->traceparent)
		return;
	memcpy(r->trace_id, rq->traceparent + 3, 32);
	memcpy(r->parent_span_id, rq->traceparent + 36, 16);
	r->trace_flags = (int)strtol(rq->traceparent + 53, NULL, 16);
}

static void identity(const struct request *rq, struct request_record *r)
{
	r->pid = rq->conn->tgid;
	r->route = rq->route;
	r->method = rq->method;
	r->status = rq->status;
	r->stream = rq->answered ? rq->stream : rq->asked_stream;
	memcpy(r->request_id, rq->request_id, sizeof(r->request_id));
	trace_context(rq, r);
	/* Only a server that accepted a name vouches for it: else clients could make labels (design.md 6, Bounds). */
	if (rq->status / 100 != 2)
		return;
	memcpy(r->request_model, rq->model, sizeof(r->request_model));
	if (!rq->answer)
		return;
	memcpy(r->response_model, answer_facts(rq->answer)->model, sizeof(r->response_model));
	memcpy(r->finish_reason, answer_facts(rq->answer)->finish_reason, sizeof(r->finish_reason));
}

static void times(const struct request *rq, struct request_record *r, uint64_t end_ns)
{
	if (rq->complete_ns)
		r->time_ns = clock_wall_ns(rq->complete_ns);
	r->duration_s = seconds(rq->complete_ns, end_ns);
	r->time_to_headers_s = seconds(rq->complete_ns, rq->headers_ns);
	if (r->stream == 1 && !rq->missed)
		r->ttft_s = seconds(rq->complete_ns, rq->content_ns);
	phases_summary(rq, r, end_ns);
}

static void gaps(const struct request *rq, struct request_record *r)
{
	if (!rq->itl_ready || !rq->itl.count || rq->missed || r->outcome == OUTCOME_UNKNOWN)
		return;
	r->itl = &rq->itl;
	r->itl_min_s = rq->itl.min;
	r->itl_p50_s = hist_quantile(&rq->itl, 0.5);
	r->itl_p99_s = hist_quantile(&rq->itl, 0.99);
	r->itl_max_s = rq->itl.max;
}

/*
 * Is a content event a token, but for what is held back now and then? vLLM and SGLang put all tokens into one event that have
 * come since the last: under load, several.
 */
static bool events_are_tokens(const struct server *s)
{
	return !s || (strcmp(s->engine, "vllm") && strcmp(s->engine, "sglang"));
}

/* Counts only where every byte of the answer was understood: a cut makes them unknown, never a guess. */
static void counts(const struct request *rq, struct request_record *r)
{
	const struct answer_facts *f = rq->answer ? answer_facts(rq->answer) : NULL;

	if (!f || !f->in_sync || rq->missed || r->outcome == OUTCOME_UNKNOWN)
		return;
	r->input_tokens = f->input_tokens;
	r->output_tokens = f->output_tokens;
	r->cached_tokens = f->cached_tokens;
	if (f->output_tokens >= 0 || f->input_tokens >= 0)
		r->token_source = TOKENS_USAGE;
	if (r->stream != 1)
		return;
	r->events = f->events;
	r->content_events = f->content_events;
	if (r->output_tokens < 0 && f->input_tokens < 0 && events_are_tokens(r->server)) {
		r->output_tokens = f->content_events;
		r->token_source = TOKENS_EVENTS;
	}
}

/* design.md 6, Population: exact token count, one choice. */
static void per_token(struct request_record *r)
{
	bool exact = r->token_source != TOKENS_NONE && r->token_source != TOKENS_EVENTS;

	if (r->stream == 1 && r->outcome == OUTCOME_OK && exact && r->choices == 1 &&
	    r->output_tokens > 1)
		r->tpot_s = (r->duration_s - r->ttft_s) / (r->output_tokens - 1);
}

void request_summary(const struct request *rq, struct request_record *r, uint64_t end_ns)
{
	identity(rq, r);
	times(rq, r, end_ns);
	gaps(rq, r);
	r->choices = __builtin_popcount(rq->choices);
	counts(rq, r);
	per_token(r);
	if (r->outcome == OUTCOME_ABORTED || r->outcome == OUTCOME_ERROR)
		r->wasted_tokens = r->output_tokens;
	r->bytes_in = rq->bytes_in;
	r->bytes_out = rq->bytes_out;
	net_summary(rq, r);
}
