// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "export/otlp_request.h"

#define SEVERITY(word) OPENTELEMETRY__PROTO__LOGS__V1__SEVERITY_NUMBER__SEVERITY_NUMBER_##word

static void set_severity(otlp_log_record *log, enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_OK:
		log->severity_number = SEVERITY(INFO);
		log->severity_text = "INFO";
		break;
	case OUTCOME_ERROR:
		log->severity_number = SEVERITY(ERROR);
		log->severity_text = "ERROR";
		break;
	default:
		log->severity_number = SEVERITY(WARN);
		log->severity_text = "WARN";
		break;
	}
}

/* "chat ok 200": nothing that a client wrote. */
static otlp_any_value *make_body(struct arena *a, const struct request_record *r)
{
	const char *operation = r->route ? r->route->operation : http1_method_name(r->method);
	char body[96], *copy;

	if (r->status)
		snprintf(body, sizeof(body), "%s %s %d", operation, outcome_name(r->outcome),
			 r->status);
	else
		snprintf(body, sizeof(body), "%s %s", operation, outcome_name(r->outcome));
	copy = arena_strdup(a, body);
	return copy ? otlp_text_value(a, copy) : NULL;
}

static otlp_log_record *make_log(struct arena *a, const struct kept_record *k)
{
	const struct request_record *r = &k->record;
	struct otlp_attributes l = otlp_request_attributes(a, k);
	otlp_log_record *log = otlp_log_record_new(a);

	if (!log)
		return NULL;
	log->time_unix_nano = r->time_ns;
	log->observed_time_unix_nano = otlp_request_end_ns(r);
	set_severity(log, r->outcome);
	log->event_name = "tokscope.request";
	log->body = make_body(a, r);
	log->attributes = l.items;
	log->n_attributes = l.count;
	log->trace_id = otlp_id(a, r->trace_id, OTLP_TRACE_ID_LEN);
	log->span_id = otlp_id(a, r->span_id, OTLP_SPAN_ID_LEN);
	log->flags = otlp_trace_flags(r);
	return log;
}

static ProtobufCMessage *make_logs(struct arena *a, const struct kept_record *const *records,
				   size_t count)
{
	otlp_logs_request *request = otlp_logs_request_new(a);
	otlp_resource_logs **resource = arena_array(a, 1, sizeof(*resource));
	otlp_scope_logs **scope = arena_array(a, 1, sizeof(*scope));

	if (!request || !resource || !scope)
		return NULL;
	*resource = otlp_resource_logs_new(a);
	*scope = otlp_scope_logs_new(a);
	if (!*resource || !*scope)
		return NULL;
	(*scope)->scope = otlp_make_scope(a);
	(*scope)->log_records = arena_array(a, count, sizeof(*(*scope)->log_records));
	for (size_t i = 0; (*scope)->log_records && i < count; i++) {
		otlp_log_record *log = make_log(a, records[i]);

		if (log)
			(*scope)->log_records[(*scope)->n_log_records++] = log;
	}
	(*resource)->resource = otlp_make_resource(a, records[0]->resource);
	(*resource)->scope_logs = scope;
	(*resource)->n_scope_logs = 1;
	request->resource_logs = resource;
	request->n_resource_logs = 1;
	return &request->base;
}

int otlp_encode_logs(struct buf *out, const struct kept_record *const *records, size_t count)
{
	return otlp_encode_groups(out, records, count, make_logs);
}
