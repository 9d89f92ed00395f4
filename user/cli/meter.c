// SPDX-License-Identifier: Apache-2.0
#include "cli/meter.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "cli/gpu_metrics.h"
#include "cli/probe_metrics.h"
#include "cli/self_metrics.h"
#include "track/observe.h"

static void on_finished(void *ctx, const struct request_record *r)
{
	struct meter *m = ctx;
	struct request_record traced;

	if (m->sampler) {
		traced = *r;
		sampler_decide(m->sampler, &traced, clock_monotonic_ns());
		r = &traced;
	}
	observer_finished(m->observer, r);
	if (m->ops->finished)
		m->ops->finished(m->ctx, r);
}

static void on_unparsed(void *ctx, const struct server *s, enum unparsed_reason reason)
{
	struct meter *m = ctx;

	observer_unparsed(m->observer, s, reason);
	if (m->ops->unparsed)
		m->ops->unparsed(m->ctx, s, reason);
}

static void on_stream_event(void *ctx, const struct server *s, bool content)
{
	struct meter *m = ctx;

	observer_stream_event(m->observer, s, content);
}

static void on_gauge(void *ctx, const struct server *s, int in_flight, int awaiting)
{
	struct meter *m = ctx;

	observer_gauge(m->observer, s, in_flight, awaiting);
}

static void on_retired(void *ctx, const struct server *s)
{
	struct meter *m = ctx;

	probe_metrics_retire(m->probes, &m->session, s);
	observer_retire(m->observer, s);
	if (m->ops->retired)
		m->ops->retired(m->ctx, s);
}

static void on_gpu(void *ctx, const struct tks_gpu *r)
{
	struct meter *m = ctx;

	gpu_metrics_record(m->gpu, m->session.discovery, r);
}

static void on_process_gone(void *ctx, uint32_t tgid)
{
	struct meter *m = ctx;

	gpu_metrics_process_gone(m->gpu, m->session.discovery, tgid);
}

static void on_tick(void *ctx, uint64_t now_ns)
{
	struct meter *m = ctx;

	observer_flush(m->observer);
	self_metrics_update(m->registry, &m->session);
	gpu_metrics_update(m->gpu, &m->session);
	probe_metrics_update(m->probes, &m->session);
	if (m->ops->tick)
		m->ops->tick(m->ctx, now_ns);
}

static const struct session_ops session_ops = {
	.finished = on_finished,
	.unparsed = on_unparsed,
	.stream_event = on_stream_event,
	.gauge = on_gauge,
	.retired = on_retired,
	.gpu = on_gpu,
	.process_gone = on_process_gone,
	.tick = on_tick,
};

int meter_open(struct meter *m, const struct config *c, const struct meter_ops *ops, void *ctx)
{
	const struct registry_config rc = { .max_series = c->max_series };
	const struct observer_config oc = { .exemplars = true, .gen_ai_client = c->gen_ai_client };
	int err;

	memset(m, 0, sizeof(*m));
	m->ops = ops;
	m->ctx = ctx;
	m->registry = registry_new(&rc);
	m->observer = m->registry ? observer_new(m->registry, &oc) : NULL;
	m->gpu = m->observer ? gpu_metrics_new(m->registry) : NULL;
	m->probes = m->gpu ? probe_metrics_new(m->registry) : NULL;
	if (!m->probes) {
		log_error("out of memory");
		return -ENOMEM;
	}
	err = session_open(&m->session, c, &session_ops, m);
	if (!err)
		on_tick(m, 0);
	return err;
}

void meter_close(struct meter *m)
{
	if (m->session.loader)
		session_close(&m->session);
	probe_metrics_free(m->probes);
	gpu_metrics_free(m->gpu);
	observer_free(m->observer);
	registry_free(m->registry);
}
