/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An exporter and its collector in one process. The collector answers by script and keeps what arrives; encoders that write
 * plain text stand in for those of OTLP.
 */
#ifndef OTLP_WORLD_H
#define OTLP_WORLD_H

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "export/otlp_rules.h"
#include "otlp_drops.h"

#define REQUESTS_MAX 64
#define REPLIES_MAX  8
#define HOUR_MS	     3600000
#define POINTS	     10 /* in each message of metrics */
/* Export...ServiceResponse{partial_success{rejected: 2, error_message: "too old"}} */
#define PARTIAL "\x0a\x0b\x08\x02\x12\x07too old"

/* ------------------------------------------------------------------ the collector */

struct reply {
	unsigned int status; /* 0: none, ever */
	const char *body;    /* NULL: empty */
	const char *header, *value;
	size_t len; /* of a body of so many NULs; 0: body's own */
};

struct request {
	char path[64], body[256], type[64], encoding[16], agent[32], key[32];
};

struct collector {
	struct MHD_Daemon *daemon;
	struct reply replies[REPLIES_MAX]; /* one after the other; the last one again and again */
	size_t reply_count;
	struct MHD_Connection *silent[REPLIES_MAX]; /* connections that get no answer */
	size_t silent_count;
	bool ending;
	pthread_mutex_t lock;
	pthread_cond_t arrived;
	struct request requests[REQUESTS_MAX];
	size_t count; /* under lock; more than there is room are only counted */
};

static void copy_header(struct MHD_Connection *c, const char *name, char *out, size_t len)
{
	const char *value = MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);

	snprintf(out, len, "%s", value ? value : "");
}

static void copy_body(struct request *r, const struct buf *body)
{
	z_stream z = { .next_in = (unsigned char *)body->data,
		       .avail_in = body->len,
		       .next_out = (unsigned char *)r->body,
		       .avail_out = sizeof(r->body) - 1 };

	if (strcmp(r->encoding, "gzip")) {
		snprintf(r->body, sizeof(r->body), "%.*s", (int)body->len, body->data);
		return;
	}
	inflateInit2(&z, 15 + 16);
	if (inflate(&z, Z_FINISH) != Z_STREAM_END)
		strcpy(r->body, "no gzip");
	inflateEnd(&z);
}

/* Keeps the request; returns the answer to it. NULL: it got none before, and the collector ends. */
static const struct reply *keep(struct collector *c, struct MHD_Connection *connection,
				const char *path, const struct buf *body)
{
	struct request ignored = { 0 }, *r;
	const struct reply *reply;

	pthread_mutex_lock(&c->lock);
	if (c->ending) {
		pthread_mutex_unlock(&c->lock);
		return NULL;
	}
	r = c->count < REQUESTS_MAX ? &c->requests[c->count] : &ignored;
	reply = &c->replies[c->count < c->reply_count ? c->count : c->reply_count - 1];
	snprintf(r->path, sizeof(r->path), "%s", path);
	copy_header(connection, "Content-Type", r->type, sizeof(r->type));
	copy_header(connection, "Content-Encoding", r->encoding, sizeof(r->encoding));
	copy_header(connection, "User-Agent", r->agent, sizeof(r->agent));
	copy_header(connection, "api-key", r->key, sizeof(r->key));
	copy_body(r, body);
	c->count++;
	pthread_cond_broadcast(&c->arrived);
	pthread_mutex_unlock(&c->lock);
	return reply;
}

static enum MHD_Result answer(struct MHD_Connection *connection, const struct reply *reply)
{
	size_t len = reply->len ? reply->len : reply->body ? strlen(reply->body) : 0;
	void *body = calloc(1, len + 1);
	struct MHD_Response *response;
	enum MHD_Result ok;

	if (reply->body)
		memcpy(body, reply->body, len);
	response = MHD_create_response_from_buffer(len, body, MHD_RESPMEM_MUST_FREE);
	if (reply->header)
		MHD_add_response_header(response, reply->header, reply->value);
	ok = MHD_queue_response(connection, reply->status, response);
	MHD_destroy_response(response);
	return ok;
}

static enum MHD_Result say_nothing(struct collector *c, struct MHD_Connection *connection)
{
	pthread_mutex_lock(&c->lock);
	assert_true(c->silent_count < REPLIES_MAX);
	c->silent[c->silent_count++] = connection;
	pthread_mutex_unlock(&c->lock);
	MHD_suspend_connection(connection);
	return MHD_YES;
}

static void stop_collector(struct collector *c)
{
	if (!c->daemon)
		return;
	pthread_mutex_lock(&c->lock);
	c->ending = true;
	for (size_t i = 0; i < c->silent_count; i++)
		MHD_resume_connection(c->silent[i]);
	pthread_mutex_unlock(&c->lock);
	MHD_stop_daemon(c->daemon);
	c->daemon = NULL;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *path,
				  const char *method, const char *version, const char *data,
				  size_t *len, void **state)
{
	struct collector *c = cls;
	const struct reply *reply;
	struct buf *body = *state;

	(void)version;
	(void)method;
	if (!body) {
		*state = calloc(1, sizeof(struct buf));
		return MHD_YES;
	}
	if (*len) {
		buf_append(body, data, *len);
		*len = 0;
		return MHD_YES;
	}
	reply = keep(c, connection, path, body);
	if (!reply)
		return MHD_NO;
	return reply->status ? answer(connection, reply) : say_nothing(c, connection);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode code)
{
	struct buf *body = *state;

	(void)cls;
	(void)connection;
	(void)code;
	if (body)
		buf_free(body);
	free(body);
}

/* ------------------------------------------------------------------ one exporter and its collector */

struct otlp_world {
	struct collector collector;
	struct registry *registry;
	struct otlp_settings settings;
	struct otlp_rules rules;
	struct otlp *otlp;
	char url[64];
	uint32_t pid; /* of the last record */
	int snapshots;
	struct otlp_drops dropped;
};

static struct snapshot *on_snapshot(void *ctx)
{
	struct otlp_world *w = ctx;
	struct snapshot *s = registry_snapshot(w->registry);

	s->time_ns = ++w->snapshots;
	return s;
}

static void on_dropped(void *ctx, enum otlp_signal signal, const char *reason, uint64_t count)
{
	otlp_drops_add(&((struct otlp_world *)ctx)->dropped, signal, reason, count);
}

static int text_metrics(struct buf *out, const struct otlp_metrics_form *form,
			const struct snapshot *now, const struct snapshot *base)
{
	buf_printf(out, "%s %s now %d base %d", form->delta ? "delta" : "cumulative",
		   form->exponential ? "exponential" : "explicit", (int)now->time_ns,
		   base ? (int)base->time_ns : 0);
	return POINTS;
}

static int text_records(struct buf *out, const struct kept_record *const *records, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_printf(out, "%s%d", i ? " " : "", (int)records[i]->record.pid);
	return 0;
}

static int large_records(struct buf *out, const struct kept_record *const *records, size_t count)
{
	(void)records;
	(void)count;
	out->len = (64 << 20) + 1; /* more than there is, and never looked at */
	return 0;
}

static int no_memory(struct buf *out, const struct kept_record *const *records, size_t count)
{
	(void)out;
	(void)records;
	(void)count;
	return -ENOMEM;
}

static int setup(void **state)
{
	struct otlp_world *w = calloc(1, sizeof(*w));

	w->registry = registry_new(&(struct registry_config){ 0 });
	pthread_mutex_init(&w->collector.lock, NULL);
	pthread_cond_init(&w->collector.arrived, NULL);
	w->settings.base.headers = "api-key=SECRET-KEY-123";
	w->settings.batch[OTLP_TRACES] = (struct otlp_batch_settings){ .schedule_delay_ms = HOUR_MS,
								       .max_queue_size = 4,
								       .max_batch_size = 2 };
	w->settings.batch[OTLP_LOGS] = w->settings.batch[OTLP_TRACES];
	w->rules = (struct otlp_rules){
		.retry_first_ms = 1,
		.retry_max_ms = 2,
		.give_up_ms = HOUR_MS,
		.flush_ms = HOUR_MS,
		.flush_failing_ms = HOUR_MS,
		.metrics = text_metrics,
		.records = { [OTLP_TRACES] = text_records, [OTLP_LOGS] = text_records },
	};
	*state = w;
	return 0;
}

static void collect(struct otlp_world *w, const struct reply *replies, size_t count)
{
	struct collector *c = &w->collector;

	assert_true(count <= REPLIES_MAX);
	memcpy(c->replies, replies, count * sizeof(*replies));
	c->reply_count = count;
	c->daemon = MHD_start_daemon(MHD_USE_AUTO_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0,
				     NULL, NULL, on_request, c, MHD_OPTION_NOTIFY_COMPLETED,
				     on_completed, NULL, MHD_OPTION_END);
	assert_non_null(c->daemon);
	snprintf(w->url, sizeof(w->url), "http://127.0.0.1:%d",
		 MHD_get_daemon_info(c->daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
}

static const struct otlp_ops ops = { on_snapshot, on_dropped };

static void open_otlp(struct otlp_world *w)
{
	w->otlp = otlp_new_by(&w->settings, &ops, w, &w->rules);
	assert_non_null(w->otlp);
}

#define STATUS(code)             \
	{                        \
		.status = (code) \
	}
#define BODY(code, text)                         \
	{                                        \
		.status = (code), .body = (text) \
	}
#define HEADER(code, name, text)                                    \
	{                                                           \
		.status = (code), .header = (name), .value = (text) \
	}
#define NEVER               \
	{                   \
		.status = 0 \
	}
#define REPLIES(...)                           \
	(const struct reply[]){ __VA_ARGS__ }, \
		sizeof((const struct reply[]){ __VA_ARGS__ }) / sizeof(struct reply)

/* A collector with these answers, and an exporter of one signal to it. */
static void start(struct otlp_world *w, enum otlp_signal signal, const struct reply *replies,
		  size_t count)
{
	collect(w, replies, count);
	for (int i = 0; i < OTLP_SIGNALS; i++)
		w->settings.exporter[i] =
			i == (int)signal ? OTLP_EXPORTER_OTLP : OTLP_EXPORTER_NONE;
	w->settings.base.endpoint = w->url;
	open_otlp(w);
}

/* Hands in n requests, numbered on. */
static void record(struct otlp_world *w, int n)
{
	while (n--)
		otlp_record(w->otlp, &(struct request_record){ .pid = ++w->pid, .sampled = true },
			    NULL);
}

/* Until `count` messages have arrived; that they do not is an error of the test, told after a minute. */
static void await(struct otlp_world *w, size_t count)
{
	struct collector *c = &w->collector;
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += 60;
	pthread_mutex_lock(&c->lock);
	while (c->count < count)
		if (pthread_cond_timedwait(&c->arrived, &c->lock, &end))
			break;
	assert_true(c->count >= count);
	pthread_mutex_unlock(&c->lock);
}

/* Ends the exporter; then nothing changes any more. */
static void finish(struct otlp_world *w)
{
	otlp_free(w->otlp);
	w->otlp = NULL;
}

/* What arrived, in order; only the first ones where more than `count` did. */
static void check_bodies(const struct otlp_world *w, const char *const *bodies, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_string_equal(w->collector.requests[i].body, bodies[i]);
}

#define CHECK_BODIES(w, ...)                                                                  \
	do {                                                                                  \
		const char *const bodies_[] = { __VA_ARGS__ };                                \
		assert_int_equal((w)->collector.count, sizeof(bodies_) / sizeof(bodies_[0])); \
		check_bodies(w, bodies_, sizeof(bodies_) / sizeof(bodies_[0]));               \
	} while (0)

static int teardown(void **state)
{
	struct otlp_world *w = *state;

	otlp_free(w->otlp);
	stop_collector(&w->collector);
	registry_free(w->registry);
	free(w);
	return 0;
}

#endif
