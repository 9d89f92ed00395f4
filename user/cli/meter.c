// SPDX-License-Identifier: Apache-2.0
#include "cli/meter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/agent_resource.h"
#include "cli/cupti_metrics.h"
#include "cli/gpu_metrics.h"
#include "cli/gpu_share.h"
#include "cli/nvml_metrics.h"
#include "cli/probe_metrics.h"
#include "cli/self_metrics.h"
#include "discover/describe.h"
#include "discover/identity.h"
#include "discover/labels.h"
#include "track/observe.h"

static void tell_record(void *ctx, const struct request_record *r)
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

/* Where its GPU time will be known, it is told then. */
static void on_finished(void *ctx, const struct request_record *r)
{
	struct meter *m = ctx;

	if (!gpu_share_hold(m->share, r, clock_monotonic_ns()))
		tell_record(m, r);
}

static void on_run(void *ctx, const struct request_run *run)
{
	struct meter *m = ctx;

	gpu_share_run(m->share, run);
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

/* For OTLP, which tells of each server apart. */
static void on_found(void *ctx, const struct server *s)
{
	struct meter *m = ctx;
	struct resource *r = server_resource(s, m->host_id, m->host_name);

	registry_describe(m->registry, s->id, r);
	resource_put(r);
}

/* Whoever keeps a server's labels points to its names, which have changed in place; only the series have copies. */
static void on_renamed(void *ctx, const struct server *s)
{
	struct meter *m = ctx;
	struct labels l = { 0 };

	labels_of_server(&l, s);
	registry_relabel(m->registry, s->id, l.values, SERVER_LABELS);
	on_found(m, s);
}

static void on_retired(void *ctx, const struct server *s)
{
	struct meter *m = ctx;

	gpu_share_server_gone(m->share, s->id);
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

/* Only a library that is active tells all of its process's work. */
static void told_status(struct meter *m, const struct tks_cupti_status_record *r)
{
	const struct server *s = discovery_resolve_process(m->session.discovery, r->h.tgid);

	if (s && r->h.size >= sizeof(*r))
		gpu_share_process(m->share, s->id, r->h.tgid, r->status.state == TKS_CUPTI_ACTIVE,
				  r->h.time_ns);
}

static void on_cupti(void *ctx, const struct tks_header *h)
{
	struct meter *m = ctx;

	if (h->kind == TKS_KIND_CUPTI_STATUS)
		told_status(m, (const void *)h);
	cupti_metrics_record(m->cupti, h);
}

static void on_work(void *ctx, const struct activity_work *w)
{
	struct meter *m = ctx;

	m->ops->gpu_work(m->ctx, w);
}

static void on_busy(void *ctx, const struct gpu_use *u, struct interval *items, size_t count)
{
	struct meter *m = ctx;

	gpu_share_busy(m->share, u->server, u->gpu->number, items, count);
}

static void on_lost(void *ctx, uint32_t tgid, uint64_t now_ns)
{
	struct meter *m = ctx;

	gpu_share_lost(m->share, tgid, now_ns);
}

static void on_flushed(void *ctx, uint32_t tgid, uint64_t now_ns)
{
	struct meter *m = ctx;

	gpu_share_flushed(m->share, tgid, now_ns);
}

static void on_process_gone(void *ctx, uint32_t tgid)
{
	struct meter *m = ctx;

	gpu_share_process_gone(m->share, tgid, clock_monotonic_ns());
	cupti_metrics_process_gone(m->cupti, tgid);
	gpu_metrics_process_gone(m->gpu, m->session.discovery, tgid);
}

static void on_process_exec(void *ctx, uint32_t tgid)
{
	struct meter *m = ctx;

	gpu_share_process_gone(m->share, tgid, clock_monotonic_ns());
}

static void on_pulse(void *ctx, uint64_t now_ns)
{
	struct meter *m = ctx;

	/* Before anything of the time in which it was lost is settled. */
	if (gpu_share_has_process(m->share) && cupti_metrics_lost(m->cupti))
		gpu_share_lost_any(m->share, now_ns);
	gpu_share_tick(m->share, now_ns);
}

static void on_tick(void *ctx, uint64_t now_ns)
{
	struct meter *m = ctx;

	observer_flush(m->observer);
	self_metrics_update(m->registry, &m->session);
	gpu_metrics_update(m->gpu, &m->session);
	nvml_metrics_update(m->nvml, now_ns);
	cupti_metrics_update(m->cupti, !nvml_metrics_told(m->nvml), now_ns);
	nvml_metrics_tell_info(m->nvml);
	gpu_share_publish(m->share, m->registry);
	probe_metrics_update(m->probes, &m->session);
	if (m->ops->tick)
		m->ops->tick(m->ctx, now_ns);
}

static const struct hist_bounds *on_itl_bounds(void *ctx)
{
	struct meter *m = ctx;

	return registry_bounds(m->registry, M_INTER_TOKEN_LATENCY);
}

static const struct session_ops session_ops = {
	.finished = on_finished,
	.run = on_run,
	.unparsed = on_unparsed,
	.stream_event = on_stream_event,
	.gauge = on_gauge,
	.found = on_found,
	.renamed = on_renamed,
	.retired = on_retired,
	.gpu = on_gpu,
	.cupti = on_cupti,
	.process_gone = on_process_gone,
	.process_exec = on_process_exec,
	.pulse = on_pulse,
	.tick = on_tick,
	.itl_bounds = on_itl_bounds,
};

/* Returns 0 or negative errno after logging what is wrong. */
static int open_registry(struct meter *m, const struct config *c)
{
	const struct string_list *texts = &c->extra_boundaries;
	_cleanup_free_ struct extra_boundary *extra = calloc(texts->count + 1, sizeof(*extra));
	const struct registry_config rc = { .max_series = c->max_series,
					    .extra = extra,
					    .extra_count = texts->count };
	char error[BOUNDARY_ERROR_MAX];

	for (size_t i = 0; extra && i < texts->count; i++) {
		int err = extra_boundary_parse(texts->items[i], &extra[i], error);

		if (err) {
			log_error("metrics.extra_boundaries: %s", error);
			return err;
		}
	}
	m->registry = extra ? registry_new(&rc) : NULL;
	if (m->registry)
		return 0;
	log_error("out of memory");
	return -ENOMEM;
}

static void describe_agent(struct meter *m, const struct config *c)
{
	struct resource *r;

	identity_host(m->host_id, sizeof(m->host_id));
	identity_host_name(m->host_name, sizeof(m->host_name), c->node_name);
	r = agent_resource(c, m->host_id, m->host_name);
	registry_describe(m->registry, 0, r);
	resource_put(r);
}

/* With the privileges that are left: NVML is another's code. Servers are traced without it, too. */
static void open_nvml(struct meter *m, const struct config *c)
{
	m->nvml = nvml_metrics_new(m->registry, c);
	if (!m->nvml && errno != ENOENT)
		log_warn("GPUs are not read from NVML: %s", strerror(errno));
}

static int open_cupti(struct meter *m)
{
	const struct cupti_metrics_config cc = { .session = &m->session,
						 .inventory = m->gpus,
						 .names = m->ops->gpu_work,
						 .work = m->ops->gpu_work ? on_work : NULL,
						 .busy = on_busy,
						 .lost = on_lost,
						 .flushed = on_flushed,
						 .ctx = m };

	m->share = gpu_share_new(tell_record, m);
	m->cupti = m->share ? cupti_metrics_new(m->registry, &cc) : NULL;
	if (m->cupti)
		return 0;
	log_error("out of memory");
	return -ENOMEM;
}

int meter_open(struct meter *m, const struct config *c, const struct meter_ops *ops, void *ctx)
{
	const struct observer_config oc = { .exemplars = c->exemplars != EXEMPLARS_OFF,
					    .gen_ai_client = c->gen_ai_client };
	int err;

	memset(m, 0, sizeof(*m));
	m->ops = ops;
	m->ctx = ctx;
	err = open_registry(m, c);
	if (err)
		return err;
	m->observer = observer_new(m->registry, &oc);
	m->gpus = m->observer ? gpu_inventory_new("/proc") : NULL;
	m->gpu = m->gpus ? gpu_metrics_new(m->registry, m->gpus) : NULL;
	m->probes = m->gpu ? probe_metrics_new(m->registry) : NULL;
	if (!m->probes) {
		log_error("out of memory");
		return -ENOMEM;
	}
	err = open_cupti(m);
	if (err)
		return err;
	describe_agent(m, c);
	err = session_open(&m->session, c, &session_ops, m);
	if (err)
		return err;
	open_nvml(m, c);
	on_tick(m, 0);
	return 0;
}

void meter_end(struct meter *m)
{
	if (!m->session.loader)
		return;
	gpu_share_end(m->share);
	session_close(&m->session);
}

void meter_close(struct meter *m)
{
	meter_end(m);
	gpu_share_free(m->share);
	nvml_metrics_free(m->nvml);
	cupti_metrics_free(m->cupti);
	probe_metrics_free(m->probes);
	gpu_metrics_free(m->gpu);
	gpu_inventory_free(m->gpus);
	observer_free(m->observer);
	registry_free(m->registry);
}
