// SPDX-License-Identifier: Apache-2.0
#include "export/otlp_request.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"

/* Room for everything below. */
#define ATTRIBUTES_MAX 64

/* As request_provider(), whose record still has its server; here the Resource says what engine it is. */
static const char *provider(const struct kept_record *k)
{
	const char *engine = resource_text(k->resource, "tokscope.server");

	return engine && strcmp(engine, "unknown") ? engine : request_provider(&k->record);
}

/* The GenAI conventions (semantic-conventions v1.41.1, docs/gen-ai/gen-ai-spans.md). */
static void put_gen_ai(struct otlp_attributes *l, const struct kept_record *k)
{
	const struct request_record *r = &k->record;

	otlp_put_text(l, "gen_ai.operation.name", r->route ? r->route->operation : NULL);
	otlp_put_text(l, "gen_ai.provider.name", provider(k));
	otlp_put_text(l, "gen_ai.request.model", r->request_model);
	otlp_put_text(l, "gen_ai.response.model", r->response_model);
	if (r->stream >= 0)
		otlp_put_bool(l, "gen_ai.request.stream", r->stream);
	otlp_put_texts(l, "gen_ai.response.finish_reasons", r->finish_reason);
	otlp_put_count(l, "gen_ai.usage.input_tokens", r->input_tokens);
	otlp_put_count(l, "gen_ai.usage.output_tokens", r->output_tokens);
	otlp_put_count(l, "gen_ai.usage.cache_read.input_tokens", r->cached_tokens);
	otlp_put_double(l, "gen_ai.response.time_to_first_chunk", r->ttft_s);
}

/* The HTTP conventions (semantic-conventions v1.41.1, docs/http/http-spans.md). Only HTTP in the clear is ever read. */
static void put_http(struct otlp_attributes *l, const struct kept_record *k)
{
	const struct request_record *r = &k->record;

	otlp_put_text(l, "http.request.method", http1_method_name(r->method));
	otlp_put_text(l, "http.route", r->route ? r->route->pattern : NULL);
	otlp_put_count(l, "http.response.status_code", r->status ? r->status : -1);
	otlp_put_count(l, "http.request.body.size", r->bytes_in);
	otlp_put_count(l, "http.response.body.size", r->bytes_out);
	otlp_put_texts(l, "http.request.header.x-request-id", r->request_id);
	otlp_put_text(l, "url.scheme", "http");
	otlp_put_text(l, "network.protocol.name", "http");
	otlp_put_text(l, "server.address", k->address);
	otlp_put_count(l, "server.port", k->port ? k->port : -1);
	otlp_put_text(l, "error.type", r->error_type);
}

static void put_stream(struct otlp_attributes *l, const struct kept_record *k)
{
	const struct request_record *r = &k->record;

	otlp_put_double(l, "tokscope.time_to_first_token", r->ttft_s);
	otlp_put_double(l, "tokscope.time_to_headers", r->time_to_headers_s);
	otlp_put_double(l, "tokscope.time_per_output_token", r->tpot_s);
	otlp_put_count(l, "tokscope.inter_token_latency.count",
		       k->itl_count ? (int64_t)k->itl_count : -1);
	otlp_put_double(l, "tokscope.inter_token_latency.min", r->itl_min_s);
	otlp_put_double(l, "tokscope.inter_token_latency.p50", r->itl_p50_s);
	otlp_put_double(l, "tokscope.inter_token_latency.p99", r->itl_p99_s);
	otlp_put_double(l, "tokscope.inter_token_latency.max", r->itl_max_s);
	otlp_put_count(l, "tokscope.events", r->events);
	otlp_put_count(l, "tokscope.content_events", r->content_events);
	otlp_put_text(l, "tokscope.token.source", token_source_name(r->token_source));
	otlp_put_count(l, "tokscope.tokens.wasted", r->wasted_tokens);
}

static void put_phases(struct otlp_attributes *l, const struct request_record *r)
{
	static const char *const keys[PHASE_MAX] = {
		[PHASE_RECEIVE] = "tokscope.phase.receive",
		[PHASE_TOKENIZE] = "tokscope.phase.tokenize",
		[PHASE_QUEUE] = "tokscope.phase.queue",
		[PHASE_PREFILL] = "tokscope.phase.prefill",
		[PHASE_DECODE] = "tokscope.phase.decode",
		[PHASE_OTHER] = "tokscope.phase.other",
	};

	for (int p = 0; p < PHASE_MAX; p++)
		otlp_put_double(l, keys[p], r->phase_s[p]);
}

static void put_net(struct otlp_attributes *l, const struct request_record *r)
{
	otlp_put_count(l, "tokscope.net.retransmits", r->retransmits);
	otlp_put_double(l, "tokscope.net.rtt", r->srtt_s);
	otlp_put_double(l, "tokscope.net.send_stall", r->send_stall_s);
	otlp_put_double(l, "tokscope.net.accept_wait", r->accept_wait_s);
	otlp_put_count(l, "tokscope.net.bytes_after_close", r->bytes_after_close);
}

struct otlp_attributes otlp_request_attributes(struct arena *a, const struct kept_record *k)
{
	const struct request_record *r = &k->record;
	struct otlp_attributes l = otlp_attributes(a, ATTRIBUTES_MAX);

	put_gen_ai(&l, k);
	put_http(&l, k);
	otlp_put_text(&l, "tokscope.outcome", outcome_name(r->outcome));
	otlp_put_text(&l, "tokscope.leg", r->leg == LEG_SERVER ? "server" : "internal");
	otlp_put_count(&l, "tokscope.process.pid", r->pid ? (int64_t)r->pid : -1);
	put_stream(&l, k);
	put_phases(&l, r);
	put_net(&l, r);
	otlp_put_double(&l, "tokscope.gpu.time", r->gpu_s);
	otlp_put_text(&l, "tokscope.gpu.source", r->gpu_source);
	return l;
}

uint64_t otlp_request_end_ns(const struct request_record *r)
{
	return r->time_ns +
	       (r->duration_s > 0 ? (uint64_t)llround(r->duration_s * NSEC_PER_SEC) : 0);
}

uint32_t otlp_trace_flags(const struct request_record *r)
{
	uint32_t flags = r->trace_flags < 0 ? 0 : (uint32_t)r->trace_flags & 0xff;

	return r->sampled ? flags | 1 : flags & ~1u;
}

static bool seen_before(const struct kept_record *const *records, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (records[k]->resource == records[i]->resource)
			return true;
	return false;
}

static size_t gather(const struct kept_record **group, const struct kept_record *const *records,
		     size_t count, const struct resource *resource)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		if (records[i]->resource == resource)
			group[n++] = records[i];
	return n;
}

int otlp_encode_groups(struct buf *out, const struct kept_record *const *records, size_t count,
		       otlp_group_fn make)
{
	_cleanup_free_ const struct kept_record **group = calloc(count + 1, sizeof(*group));
	size_t before = out->len;
	int err = group ? 0 : -ENOMEM;

	for (size_t i = 0; i < count && !err; i++) {
		struct arena a = { 0 };

		if (seen_before(records, i))
			continue;
		err = otlp_append(
			out, &a,
			make(&a, group, gather(group, records, count, records[i]->resource)));
		arena_free(&a);
	}
	if (err)
		out->len = before;
	return err;
}
