// SPDX-License-Identifier: Apache-2.0
#include "track/observe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "discover/labels.h"

/* Model names that become label values; further ones are "other" (design.md 6, Bounds). */
#define MODELS_MAX 64

/* The labels of a server, then four of a request: S and G of metrics.def. */
#define REQUEST_LABELS (SERVER_LABELS + 4)

struct model {
	UT_hash_handle hh;
	char name[ANSWER_MODEL_MAX + 1];
};

struct observed {
	UT_hash_handle hh;
	uint32_t id;
	char port[NUMBER_MAX];
	uint64_t events[2]; /* not in the registry yet; index: carries content */
	const char *labels[SERVER_LABELS];
};

struct observer {
	struct registry *registry;
	struct observer_config config;
	struct observed *servers; /* uthash by id */
	struct model *models;	  /* uthash by name */
	struct observed nowhere;  /* requests of no server: its labels are absent */
};

struct observer *observer_new(struct registry *registry, const struct observer_config *config)
{
	struct observer *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->registry = registry;
	o->config = *config;
	return o;
}

static void drop_server(struct observer *o, struct observed *s)
{
	HASH_DEL(o->servers, s);
	free(s);
}

void observer_free(struct observer *o)
{
	struct observed *s, *next_server;
	struct model *m, *next_model;

	if (!o)
		return;
	HASH_ITER(hh, o->servers, s, next_server)
		drop_server(o, s);
	HASH_ITER(hh, o->models, m, next_model) {
		HASH_DEL(o->models, m);
		free(m);
	}
	free(o);
}

/* ------------------------------------------------------------------ labels */

/* The texts are those of s, also when they change; s outlives its entry: observer_retire() comes first. */
static struct observed *observed(struct observer *o, const struct server *s)
{
	struct observed *e = NULL;

	if (s)
		HASH_FIND(hh, o->servers, &s->id, sizeof(s->id), e);
	if (e || !s)
		return e ?: &o->nowhere;
	e = calloc(1, sizeof(*e));
	if (!e)
		return &o->nowhere;
	e->id = s->id;
	server_labels(s, e->port, e->labels);
	HASH_ADD(hh, o->servers, id, sizeof(e->id), e);
	if (e->hh.tbl)
		return e;
	free(e);
	return &o->nowhere;
}

static const char *model_label(struct observer *o, const char *name)
{
	struct model *m = NULL;

	if (!*name)
		return NULL;
	HASH_FIND_STR(o->models, name, m);
	if (m)
		return m->name;
	m = HASH_COUNT(o->models) < MODELS_MAX ? calloc(1, sizeof(*m)) : NULL;
	if (!m)
		return "other";
	strncat(m->name, name, sizeof(m->name) - 1);
	HASH_ADD_STR(o->models, name, m);
	if (m->hh.tbl)
		return m->name;
	free(m);
	return "other";
}

/* Label values of one measurement: the server's, the request's, then what the family adds. */
struct measurement {
	struct observer *observer;
	const struct request_record *record; /* NULL: of no request */
	uint32_t owner;
	const char *values[METRIC_LABELS_MAX];
};

static struct measurement measurement_of_server(struct observer *o, const struct server *s)
{
	const struct observed *e = observed(o, s);
	struct measurement m = { .observer = o, .owner = e->id };

	memcpy(m.values, e->labels, sizeof(e->labels));
	return m;
}

static struct measurement measurement_of_request(struct observer *o, const struct request_record *r)
{
	struct measurement m = measurement_of_server(o, r->server);

	m.record = r;
	m.values[SERVER_LABELS] = r->route->operation;
	m.values[SERVER_LABELS + 1] = request_provider(r);
	m.values[SERVER_LABELS + 2] = model_label(o, r->request_model);
	m.values[SERVER_LABELS + 3] = model_label(o, r->response_model);
	return m;
}

/* `more`: up to three values of the family's own labels. */
static void set_own(struct measurement *m, size_t first, const char *const more[3])
{
	for (size_t i = 0; i < 3 && first + i < METRIC_LABELS_MAX; i++)
		m->values[first + i] = more ? more[i] : NULL;
}

#define OWN(...) ((const char *const[3]){ __VA_ARGS__ })

static void add(struct measurement *m, enum metric_id id, const char *const own[3], double delta)
{
	set_own(m, REQUEST_LABELS, own);
	registry_add(m->observer->registry, id, m->owner, m->values, delta);
}

/* Of exported spans only: whoever follows an exemplar finds its trace. m has the labels of the observation just made. */
static void mark(const struct measurement *m, enum metric_id id, double value)
{
	const struct request_record *r = m->record;
	struct exemplar e = { .value = value };

	if (!r || !r->sampled || !m->observer->config.exemplars || isnan(value))
		return;
	memcpy(e.trace_id, r->trace_id, sizeof(e.trace_id));
	memcpy(e.span_id, r->span_id, sizeof(e.span_id));
	e.time_ns = r->time_ns;
	if (r->duration_s > 0)
		e.time_ns += (uint64_t)(r->duration_s * 1e9);
	registry_exemplar(m->observer->registry, id, m->values, &e);
}

static void distribute(struct measurement *m, enum metric_id id, const char *const own[3],
		       double value)
{
	if (isnan(value))
		return;
	set_own(m, REQUEST_LABELS, own);
	registry_observe(m->observer->registry, id, m->owner, m->values, value);
	mark(m, id, value);
}

/* ------------------------------------------------------------------ finished requests */

static void observe_times(struct measurement *m, const struct request_record *r)
{
	bool ok_stream = r->stream == 1 && r->outcome == OUTCOME_OK;

	distribute(m, M_REQUEST_DURATION, OWN(outcome_name(r->outcome), r->error_type),
		   r->duration_s);
	distribute(m, M_TIME_TO_HEADERS, NULL, r->time_to_headers_s);
	for (enum phase p = 0; p < PHASE_MAX; p++)
		distribute(m, M_PHASE_DURATION, OWN(phase_name(p)), r->phase_s[p]);
	if (ok_stream)
		distribute(m, M_TIME_TO_FIRST_TOKEN, NULL, r->ttft_s);
	if (ok_stream)
		distribute(m, M_TIME_PER_OUTPUT_TOKEN, NULL, r->tpot_s);
	if (r->itl) {
		set_own(m, REQUEST_LABELS, NULL);
		registry_merge(m->observer->registry, M_INTER_TOKEN_LATENCY, m->owner, m->values,
			       r->itl);
		mark(m, M_INTER_TOKEN_LATENCY, r->itl_max_s);
	}
}

static void observe_tokens(struct measurement *m, const struct request_record *r)
{
	const struct {
		const char *type;
		int64_t count;
	} tokens[] = { { "input", r->input_tokens }, { "output", r->output_tokens } };

	for (size_t i = 0; i < 2; i++) {
		if (tokens[i].count < 0)
			continue;
		add(m, M_TOKENS, OWN(tokens[i].type, token_source_name(r->token_source)),
		    tokens[i].count);
		/* The distribution names no source: estimates stay out of it. */
		if (r->token_source != TOKENS_EVENTS)
			distribute(m, M_REQUEST_TOKENS, OWN(tokens[i].type), tokens[i].count);
	}
	if (r->cached_tokens >= 0)
		add(m, M_TOKENS_CACHED, NULL, r->cached_tokens);
	if (r->wasted_tokens >= 0)
		add(m, M_TOKENS_WASTED, OWN(outcome_name(r->outcome)), r->wasted_tokens);
}

static void observe_net(struct measurement *m, const struct request_record *r)
{
	if (r->retransmits >= 0)
		add(m, M_NET_RETRANSMITS, NULL, r->retransmits);
	if (r->bytes_after_close >= 0)
		add(m, M_NET_AFTER_CLOSE, NULL, r->bytes_after_close);
	distribute(m, M_NET_SEND_STALL, NULL, r->send_stall_s);
	distribute(m, M_NET_ACCEPT_WAIT, NULL, r->accept_wait_s);
	distribute(m, M_NET_RTT, NULL, r->srtt_s);
}

static void flush(struct observer *o, struct observed *s)
{
	static const char *const kinds[] = { "other", "content" };

	for (size_t i = 0; i < 2; i++) {
		const char *values[METRIC_LABELS_MAX] = { NULL };

		if (!s->events[i])
			continue;
		memcpy(values, s->labels, sizeof(s->labels));
		values[SERVER_LABELS] = kinds[i];
		registry_add(o->registry, M_STREAM_EVENTS, s->id, values, s->events[i]);
		s->events[i] = 0;
	}
}

/*
 * What an instrumented client would have told. Without an error type a request counts as a success there, so that what was
 * aborted or ended unseen stays out.
 */
static void observe_as_client(struct measurement *m, const struct request_record *r)
{
	if (r->outcome == OUTCOME_OK || r->outcome == OUTCOME_ERROR)
		distribute(m, M_CLIENT_OPERATION_DURATION, OWN(r->error_type), r->duration_s);
	if (r->token_source == TOKENS_NONE || r->token_source == TOKENS_EVENTS)
		return;
	if (r->input_tokens >= 0)
		distribute(m, M_CLIENT_TOKEN_USAGE, OWN("input"), r->input_tokens);
	if (r->output_tokens >= 0)
		distribute(m, M_CLIENT_TOKEN_USAGE, OWN("output"), r->output_tokens);
}

void observer_finished(struct observer *o, const struct request_record *r)
{
	struct measurement m;
	char status[8] = "";

	flush(o, observed(o, r->server));
	if (r->leg == LEG_INTERNAL)
		return;
	m = measurement_of_request(o, r);
	if (r->status)
		snprintf(status, sizeof(status), "%d", r->status);
	add(&m, M_REQUESTS, OWN(outcome_name(r->outcome), status, r->error_type), 1);
	observe_times(&m, r);
	observe_tokens(&m, r);
	observe_net(&m, r);
	if (o->config.gen_ai_client)
		observe_as_client(&m, r);
}

/* ------------------------------------------------------------------ events and gauges */

void observer_unparsed(struct observer *o, const struct server *s, enum unparsed_reason reason)
{
	struct measurement m = measurement_of_server(o, s);

	m.values[SERVER_LABELS] = unparsed_reason_name(reason);
	registry_add(o->registry, M_STREAMS_UNPARSED, m.owner, m.values, 1);
}

void observer_stream_event(struct observer *o, const struct server *s, bool content)
{
	observed(o, s)->events[content]++;
}

void observer_flush(struct observer *o)
{
	struct observed *s, *next;

	HASH_ITER(hh, o->servers, s, next)
		flush(o, s);
	flush(o, &o->nowhere);
}

void observer_gauge(struct observer *o, const struct server *s, int in_flight,
		    int awaiting_first_token)
{
	struct measurement m = measurement_of_server(o, s);

	if (in_flight)
		registry_add(o->registry, M_IN_FLIGHT, m.owner, m.values, in_flight);
	if (awaiting_first_token)
		registry_add(o->registry, M_AWAITING_FIRST_TOKEN, m.owner, m.values,
			     awaiting_first_token);
}

void observer_retire(struct observer *o, const struct server *s)
{
	struct observed *e = NULL;

	HASH_FIND(hh, o->servers, &s->id, sizeof(s->id), e);
	if (e)
		drop_server(o, e);
	registry_retire(o->registry, s->id);
}
