// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "export/otlp_request.h"

#define KIND(word) OPENTELEMETRY__PROTO__TRACE__V1__SPAN__SPAN_KIND__SPAN_KIND_##word
#define PARENT_IS(word) \
	OPENTELEMETRY__PROTO__TRACE__V1__SPAN_FLAGS__SPAN_FLAGS_CONTEXT_##word##_MASK
#define STATUS_CODE(word) OPENTELEMETRY__PROTO__TRACE__V1__STATUS__STATUS_CODE__STATUS_CODE_##word

/* "chat llama-3": as the GenAI conventions name spans, with the model that answered where it is known. */
static char *name_of(struct arena *a, const struct request_record *r)
{
	const char *model = *r->response_model ? r->response_model : r->request_model;
	const char *operation = r->route ? r->route->operation : http1_method_name(r->method);
	char name[64 + sizeof(r->response_model)];

	snprintf(name, sizeof(name), "%s%s%s", operation, *model ? " " : "", model);
	return arena_strdup(a, name);
}

/* The HTTP conventions leave the status of a server's span unset where the client was wrong. */
static bool server_failed(const struct request_record *r)
{
	return r->outcome == OUTCOME_ERROR && (r->status < 400 || r->status >= 500);
}

static otlp_span_status *make_status(struct arena *a)
{
	otlp_span_status *s = otlp_span_status_new(a);

	if (s)
		s->code = STATUS_CODE(ERROR);
	return s;
}

static otlp_span *make_request(struct arena *a, const struct kept_record *k)
{
	const struct request_record *r = &k->record;
	struct otlp_attributes l = otlp_request_attributes(a, k);
	otlp_span *s = otlp_span_new(a);

	if (!s)
		return NULL;
	s->trace_id = otlp_id(a, r->trace_id, OTLP_TRACE_ID_LEN);
	s->span_id = otlp_id(a, r->span_id, OTLP_SPAN_ID_LEN);
	s->parent_span_id = otlp_id(a, r->parent_span_id, OTLP_SPAN_ID_LEN);
	s->flags = otlp_trace_flags(r) | PARENT_IS(HAS_IS_REMOTE);
	if (s->parent_span_id.len)
		s->flags |= PARENT_IS(IS_REMOTE);
	s->name = name_of(a, r);
	s->kind = KIND(SERVER);
	s->start_time_unix_nano = r->time_ns;
	s->end_time_unix_nano = otlp_request_end_ns(r);
	s->attributes = l.items;
	s->n_attributes = l.count;
	if (server_failed(r))
		s->status = make_status(a);
	return s;
}

/* Random as the parent's, and another one for each phase. */
static ProtobufCBinaryData child_id(struct arena *a, const otlp_span *parent, enum phase phase)
{
	uint8_t *id = parent->span_id.len ? arena_alloc(a, OTLP_SPAN_ID_LEN) : NULL;
	uint8_t any = 0;

	if (!id)
		return (ProtobufCBinaryData){ 0 };
	for (size_t i = 0; i < OTLP_SPAN_ID_LEN; i++) {
		id[i] = parent->span_id.data[i] ^ (uint8_t)((i + 1) * (phase + 1));
		any |= id[i];
	}
	id[0] |= !any;
	return (ProtobufCBinaryData){ OTLP_SPAN_ID_LEN, id };
}

static otlp_span *make_phase(struct arena *a, const struct request_record *r,
			     const otlp_span *parent, enum phase phase)
{
	struct otlp_attributes l = otlp_attributes(a, 1);
	otlp_span *s = otlp_span_new(a);

	if (!s)
		return NULL;
	otlp_put_text(&l, "tokscope.phase", phase_name(phase));
	s->trace_id = parent->trace_id;
	s->span_id = child_id(a, parent, phase);
	s->parent_span_id = parent->span_id;
	s->flags = otlp_trace_flags(r) | PARENT_IS(HAS_IS_REMOTE);
	s->name = (char *)phase_name(phase);
	s->kind = KIND(INTERNAL);
	s->start_time_unix_nano =
		r->time_ns + (uint64_t)llround(r->phase_start_s[phase] * NSEC_PER_SEC);
	s->end_time_unix_nano =
		s->start_time_unix_nano + (uint64_t)llround(r->phase_s[phase] * NSEC_PER_SEC);
	s->attributes = l.items;
	s->n_attributes = l.count;
	return s;
}

static bool has_phase(const struct request_record *r, enum phase p)
{
	return !isnan(r->phase_start_s[p]) && !isnan(r->phase_s[p]);
}

size_t otlp_span_count(const struct request_record *r)
{
	size_t count = 1;

	for (enum phase p = 0; p < PHASE_MAX; p++)
		count += has_phase(r, p);
	return count;
}

static void add(otlp_scope_spans *scope, otlp_span *span)
{
	if (span)
		scope->spans[scope->n_spans++] = span;
}

static void add_request(struct arena *a, otlp_scope_spans *scope, const struct kept_record *k)
{
	const struct request_record *r = &k->record;
	otlp_span *parent = make_request(a, k);

	add(scope, parent);
	for (enum phase p = 0; parent && p < PHASE_MAX; p++)
		if (has_phase(r, p))
			add(scope, make_phase(a, r, parent, p));
}

static ProtobufCMessage *make_traces(struct arena *a, const struct kept_record *const *records,
				     size_t count)
{
	otlp_traces_request *request = otlp_traces_request_new(a);
	otlp_resource_spans **resource = arena_array(a, 1, sizeof(*resource));
	otlp_scope_spans **scope = arena_array(a, 1, sizeof(*scope));

	if (!request || !resource || !scope)
		return NULL;
	*resource = otlp_resource_spans_new(a);
	*scope = otlp_scope_spans_new(a);
	if (!*resource || !*scope)
		return NULL;
	(*scope)->scope = otlp_make_scope(a);
	(*scope)->spans = arena_array(a, count * (1 + PHASE_MAX), sizeof(*(*scope)->spans));
	for (size_t i = 0; (*scope)->spans && i < count; i++)
		add_request(a, *scope, records[i]);
	(*resource)->resource = otlp_make_resource(a, records[0]->resource);
	(*resource)->scope_spans = scope;
	(*resource)->n_scope_spans = 1;
	request->resource_spans = resource;
	request->n_resource_spans = 1;
	return &request->base;
}

int otlp_encode_traces(struct buf *out, const struct kept_record *const *records, size_t count)
{
	return otlp_encode_groups(out, records, count, make_traces);
}
