// SPDX-License-Identifier: Apache-2.0
#include "export/record_json.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "export/json_value.h"

#define SCHEMA_VERSION 1

/* Significant digits: nanoseconds of a request of a thousand seconds. */
#define DIGITS 12

/* All strings of a record are ASCII or checked before; what is not UTF-8 all the same becomes null. */
static json_t *text(const char *s)
{
	json_t *j = s && *s ? json_string(s) : NULL;

	return j ?: json_null();
}

static json_t *count(int64_t n)
{
	return n >= 0 ? json_integer(n) : json_null();
}

static json_t *truth(int value)
{
	return value < 0 ? json_null() : json_boolean(value);
}

static json_t *itl(const struct request_record *r)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "count",
			 count(r->itl ? (int64_t)r->itl->count : -1), "min",
			 json_number(r->itl_min_s), "p50", json_number(r->itl_p50_s), "p99",
			 json_number(r->itl_p99_s), "max", json_number(r->itl_max_s));
}

static json_t *phases(const struct request_record *r)
{
	json_t *o = json_object();

	for (enum phase p = 0; p < PHASE_MAX; p++)
		json_object_set_new(o, phase_name(p), json_number(r->phase_s[p]));
	return o;
}

static json_t *net(const struct request_record *r)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "retransmits", count(r->retransmits),
			 "srtt_s", json_number(r->srtt_s), "send_stall_s",
			 json_number(r->send_stall_s), "accept_wait_s",
			 json_number(r->accept_wait_s), "bytes_after_close",
			 count(r->bytes_after_close));
}

static void put(json_t *o, const char *key, json_t *value)
{
	json_object_set_new(o, key, value ?: json_null());
}

static void put_server(json_t *o, const struct request_record *r)
{
	const struct server *s = r->server;

	put(o, "server", text(s ? s->engine : NULL));
	put(o, "service_name", text(s ? s->service_name : NULL));
	put(o, "container_id", text(s ? s->container_id : NULL));
	put(o, "pod_uid", text(s ? s->pod_uid : NULL));
	put(o, "pid", count(r->pid ? (int64_t)r->pid : -1));
	put(o, "address", text(s ? s->address : NULL));
	put(o, "port", count(s && s->port ? s->port : -1));
}

static void put_request(json_t *o, const struct request_record *r)
{
	put(o, "provider", text(request_provider(r)));
	put(o, "operation", text(r->route ? r->route->operation : NULL));
	put(o, "method", text(http1_method_name(r->method)));
	put(o, "route", text(r->route ? r->route->pattern : NULL));
	put(o, "status", count(r->status ? r->status : -1));
	put(o, "outcome", text(outcome_name(r->outcome)));
	put(o, "error_type", text(r->error_type));
	put(o, "leg", text(r->leg == LEG_SERVER ? "server" : "internal"));
	put(o, "stream", truth(r->stream));
	put(o, "request_model", text(r->request_model));
	put(o, "response_model", text(r->response_model));
	put(o, "finish_reason", text(r->finish_reason));
	put(o, "trace_id", text(r->trace_id));
	put(o, "span_id", text(r->span_id));
	put(o, "parent_span_id", text(r->parent_span_id));
	put(o, "request_id", text(r->request_id));
}

static void put_numbers(json_t *o, const struct request_record *r)
{
	put(o, "duration_s", json_number(r->duration_s));
	put(o, "ttft_s", json_number(r->ttft_s));
	put(o, "time_to_headers_s", json_number(r->time_to_headers_s));
	put(o, "tpot_s", json_number(r->tpot_s));
	put(o, "itl_s", itl(r));
	put(o, "events", count(r->events));
	put(o, "content_events", count(r->content_events));
	put(o, "input_tokens", count(r->input_tokens));
	put(o, "output_tokens", count(r->output_tokens));
	put(o, "cached_tokens", count(r->cached_tokens));
	put(o, "wasted_tokens", count(r->wasted_tokens));
	put(o, "token_source", text(token_source_name(r->token_source)));
	put(o, "bytes_in", count(r->bytes_in));
	put(o, "bytes_out", count(r->bytes_out));
	put(o, "phases_s", phases(r));
	put(o, "net", net(r));
	put(o, "gpu_s", json_number(r->gpu_s));
	put(o, "gpu_source", text(r->gpu_source));
}

static int append(const char *data, size_t len, void *out)
{
	buf_append(out, data, len);
	return 0;
}

void record_json_write(struct buf *out, const struct request_record *r)
{
	json_t *o = json_object();

	put(o, "schema", json_integer(SCHEMA_VERSION));
	put(o, "time", json_wall_time(r->time_ns));
	put_server(o, r);
	put_request(o, r);
	put_numbers(o, r);
	if (!o || json_dump_callback(o, append, out, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS)))
		out->err = out->err ?: -ENOMEM;
	buf_puts(out, "\n");
	json_decref(o);
}
