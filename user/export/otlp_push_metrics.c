// SPDX-License-Identifier: Apache-2.0
#include "export/otlp_push_metrics.h"

#include "base/cleanup.h"
#include "base/clock.h"

#define INTERVAL_MS 60000 /* OTEL_METRIC_EXPORT_INTERVAL */

/* ------------------------------------------------------------------ the signal's thread */

/* The snapshot is done with: delivered, refused for good or in the base's place. Takes it over. */
static void advance(struct otlp_push_metrics *p, struct snapshot *s)
{
	if (!p->form.delta) {
		snapshot_free(s);
		return;
	}
	snapshot_free(p->base);
	p->base = s;
}

/*
 * Sends what is new in s. Whether s is done with; if not, the next snapshot tells of its values too. last: there is no next
 * one.
 */
static bool send_snapshot(struct otlp_push_metrics *p, const struct snapshot *s, bool last)
{
	_cleanup_(buf_free) struct buf body = BUF_INIT;
	struct otlp_worker *w = &p->worker;
	int points = w->rules->metrics(&body, &p->form, s, p->base);

	if (points <= 0)
		return !points;
	if (!otlp_worker_wrap(w, &body, points))
		return true;
	if (otlp_worker_send(w, &body, points) != OTLP_RETRY)
		return true;
	if (last)
		otlp_worker_drop(w, OTLP_SHUTDOWN, points);
	return false;
}

/* Whether it has to be tried again before the interval is over. */
static bool push(struct otlp_push_metrics *p, bool last)
{
	struct otlp_worker *w = &p->worker;
	struct snapshot *s = w->ops.snapshot(w->ctx);

	if (!s)
		return true;
	if (send_snapshot(p, s, last)) {
		advance(p, s);
		return false;
	}
	snapshot_free(s);
	return true;
}

static void *run(void *arg)
{
	struct otlp_push_metrics *p = arg;
	struct otlp_worker *w = &p->worker;
	uint64_t next = clock_monotonic_ns() + p->interval_ns, at = next;

	while (!otlp_worker_pause(w, at)) {
		uint64_t now = clock_monotonic_ns();

		if (now >= next)
			next += (1 + (now - next) / p->interval_ns) * p->interval_ns;
		otlp_retry_begin(&w->retry, now);
		at = next;
		if (push(p, false)) {
			otlp_worker_again(w);
			at = w->retry.asked || w->retry.at_ns < next ? w->retry.at_ns : next;
		}
	}
	push(p, true);
	return NULL;
}

/* ------------------------------------------------------------------ life */

int otlp_push_metrics_start(struct otlp_push_metrics *p, const struct otlp_settings *settings)
{
	uint64_t ms = settings->metric_interval_ms ? settings->metric_interval_ms : INTERVAL_MS;
	int rc;

	p->interval_ns = ms * NSEC_PER_MSEC;
	/* Everything here is counted as it happens, so "lowmemory" is delta throughout (specification: only asynchronous
	 * instruments differ). */
	p->form.delta =
		settings->temporality == OTLP_DELTA || settings->temporality == OTLP_LOWMEMORY;
	p->form.exponential = settings->histogram == OTLP_HISTOGRAM_EXPONENTIAL;
	rc = otlp_worker_init(&p->worker, settings, OTLP_METRICS, settings->metric_timeout_ms);
	if (rc <= 0)
		return rc;
	rc = otlp_worker_start(&p->worker, run, p);
	if (!rc)
		return 1;
	otlp_push_metrics_free(p);
	return rc;
}

void otlp_push_metrics_free(struct otlp_push_metrics *p)
{
	otlp_worker_join(&p->worker);
	snapshot_free(p->base);
	otlp_worker_free(&p->worker);
}
