// SPDX-License-Identifier: Apache-2.0
#include "export/otlp_push_records.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

/* OTEL_BSP_* and OTEL_BLRP_* of the specification */
#define QUEUE_SIZE	2048
#define BATCH_SIZE	512
#define TRACES_DELAY_MS 5000
#define LOGS_DELAY_MS	1000

/* Spans or log records of one request. */
static uint64_t items_of(const struct otlp_push_records *p, const struct request_record *r)
{
	const struct otlp_worker *w = &p->worker;

	return w->rules->items[w->signal] ? w->rules->items[w->signal](r) : 1;
}

/* ------------------------------------------------------------------ from the tracker's thread */

void otlp_push_records_add(struct otlp_push_records *p, const struct request_record *r,
			   struct resource *resource)
{
	struct kept_record *kept = kept_record_new(r, resource), *oldest;
	struct otlp_worker *w = &p->worker;

	if (!kept) {
		otlp_worker_drop(w, OTLP_NO_MEMORY, items_of(p, r));
		return;
	}
	pthread_mutex_lock(&w->lock);
	oldest = otlp_queue_push(&p->queue, kept, clock_monotonic_ns());
	/* The thread sleeps until the batch's time, or for ever while there is none. */
	if (p->queue.count == 1 || p->queue.count == p->queue.batch)
		pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	if (oldest)
		otlp_worker_drop(w, OTLP_QUEUE_FULL, items_of(p, &oldest->record));
	kept_record_free(oldest);
}

/* ------------------------------------------------------------------ the signal's thread */

/* With worker.lock held, or without the thread. */
static void take_batch(struct otlp_push_records *p)
{
	p->count = otlp_queue_take(&p->queue, p->batch, clock_monotonic_ns());
	p->items = 0;
	for (size_t i = 0; i < p->count; i++)
		p->items += items_of(p, &p->batch[i]->record);
}

static void free_batch(struct otlp_push_records *p)
{
	for (size_t i = 0; i < p->count; i++)
		kept_record_free(p->batch[i]);
	p->count = 0;
}

/*
 * Waits for a batch, and for the time that the collector wants to be left alone. False: there is nothing, and it is to end.
 */
static bool next_batch(struct otlp_push_records *p)
{
	struct otlp_worker *w = &p->worker;
	uint64_t due;

	pthread_mutex_lock(&w->lock);
	while (!w->stop) {
		due = otlp_queue_due(&p->queue);
		due = due > w->retry.at_ns ? due : w->retry.at_ns;
		if (clock_monotonic_ns() >= due)
			break;
		otlp_worker_sleep(w, due);
	}
	take_batch(p);
	pthread_mutex_unlock(&w->lock);
	return p->count;
}

/* Records of no server are told as the agent's own; it is described in any snapshot. */
static void describe(struct otlp_push_records *p)
{
	struct otlp_worker *w = &p->worker;
	struct snapshot *s;

	for (size_t i = 0; i < p->count; i++) {
		if (p->batch[i]->resource)
			continue;
		if (!p->looked_up && (s = w->ops.snapshot(w->ctx))) {
			p->looked_up = true;
			p->own = resource_get((struct resource *)snapshot_resource(s, 0));
			snapshot_free(s);
		}
		p->batch[i]->resource = resource_get(p->own);
	}
}

/* Whether there is something to send; what cannot be is counted. */
static bool encode(struct otlp_push_records *p, struct buf *body)
{
	const struct kept_record *const *batch = (const struct kept_record *const *)p->batch;
	struct otlp_worker *w = &p->worker;

	describe(p);
	if (w->rules->records[w->signal](body, batch, p->count)) {
		otlp_worker_drop(w, OTLP_NO_MEMORY, p->items);
		return false;
	}
	return body->len && otlp_worker_wrap(w, body, p->items);
}

/* Attempts until the end of it. False: the agent ends, and the collector cannot take more. */
static bool deliver(struct otlp_push_records *p, const struct buf *body)
{
	struct otlp_worker *w = &p->worker;
	bool last;

	otlp_retry_begin(&w->retry, clock_monotonic_ns());
	for (;;) {
		last = otlp_worker_stopping(w);
		if (otlp_worker_send(w, body, p->items) != OTLP_RETRY)
			return true;
		if (last) {
			otlp_worker_drop(w, OTLP_SHUTDOWN, p->items);
			return false;
		}
		if (!otlp_worker_again(w)) {
			otlp_worker_drop(w, OTLP_EXPIRED, p->items);
			return true;
		}
		otlp_worker_pause(w, w->retry.at_ns);
	}
}

/* Sends the batch, and frees it. False: as deliver(). */
static bool push(struct otlp_push_records *p)
{
	struct buf body = BUF_INIT;
	bool go_on = !encode(p, &body) || deliver(p, &body);

	buf_free(&body);
	free_batch(p);
	return go_on;
}

static void *run(void *arg)
{
	struct otlp_push_records *p = arg;

	while (next_batch(p) && push(p))
		;
	return NULL;
}

/* ------------------------------------------------------------------ life */

static int init_queue(struct otlp_push_records *p, const struct otlp_batch_settings *b)
{
	uint64_t size = b->max_queue_size ? b->max_queue_size : QUEUE_SIZE;
	uint64_t batch = b->max_batch_size ? b->max_batch_size : BATCH_SIZE;
	uint64_t delay_ms = b->schedule_delay_ms	      ? b->schedule_delay_ms
			    : p->worker.signal == OTLP_TRACES ? TRACES_DELAY_MS
							      : LOGS_DELAY_MS;

	batch = batch < size ? batch : size;
	p->batch = calloc(batch, sizeof(struct kept_record *));
	if (p->batch && !otlp_queue_init(&p->queue, size, batch, delay_ms * NSEC_PER_MSEC))
		return 0;
	log_error("out of memory for a queue of %llu %s; lower its size (max_queue_size)",
		  (unsigned long long)size, otlp_signal_name(p->worker.signal));
	return -ENOMEM;
}

int otlp_push_records_start(struct otlp_push_records *p, const struct otlp_settings *settings,
			    enum otlp_signal signal)
{
	const struct otlp_batch_settings *b = &settings->batch[signal];
	int rc = otlp_worker_init(&p->worker, settings, signal, b->export_timeout_ms);

	if (rc <= 0)
		return rc;
	rc = init_queue(p, b);
	if (!rc)
		rc = otlp_worker_start(&p->worker, run, p);
	if (!rc)
		return 1;
	otlp_push_records_free(p);
	return rc;
}

void otlp_push_records_free(struct otlp_push_records *p)
{
	otlp_worker_join(&p->worker);
	for (take_batch(p); p->count; take_batch(p)) {
		otlp_worker_drop(&p->worker, OTLP_SHUTDOWN, p->items);
		free_batch(p);
	}
	otlp_queue_free(&p->queue);
	free(p->batch);
	resource_put(p->own);
	otlp_worker_free(&p->worker);
}
