// SPDX-License-Identifier: Apache-2.0
#include "cli/session.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/interrupt.h"
#include "cli/privilege.h"
#include "gpu/majors.h"

/* The ring wakes the reader at 64 KiB unread (design.md 7); what is below that waits for this at most. */
#define POLL_MS	     50
#define DISCOVERY_NS (100 * NSEC_PER_MSEC)
#define HOUSEKEEP_NS NSEC_PER_SEC

/* ------------------------------------------------------------------ loader -> tracker, discovery */

static void process_gone(struct session *s, uint32_t tgid)
{
	cupti_drop_process(s->cupti, tgid);
	if (s->probes)
		probes_drop_process(s->probes, tgid);
	if (s->ops->process_gone)
		s->ops->process_gone(s->ctx, tgid);
}

static void on_process(struct session *s, const struct tks_proc *p)
{
	if (p->event == TKS_PROC_EXIT) {
		tracker_process_exit(s->tracker, p->h.tgid, p->h.time_ns);
		process_gone(s, p->h.tgid);
	}
	if (p->event == TKS_PROC_EXEC) {
		cupti_exec_process(s->cupti, p->h.tgid);
		if (s->probes)
			probes_exec_process(s->probes, p->h.tgid);
		if (s->ops->process_exec)
			s->ops->process_exec(s->ctx, p->h.tgid);
	}
	discovery_proc_event(s->discovery, p);
}

static void on_probe(struct session *s, const struct tks_probe_event *e)
{
	struct engine_event event;

	if (s->probes && probes_event(s->probes, e, &event))
		tracker_engine_event(s->tracker, &event);
}

static void on_record(void *ctx, const struct tks_header *h)
{
	struct session *s = ctx;

	s->records++;
	switch (h->kind) {
	case TKS_KIND_DATA:
		tracker_data(s->tracker, (const struct tks_data *)h);
		break;
	case TKS_KIND_SOCK_STATE:
		tracker_sock_state(s->tracker, (const struct tks_sock_state *)h);
		break;
	case TKS_KIND_PROC:
		on_process(s, (const struct tks_proc *)h);
		break;
	case TKS_KIND_PROBE:
		on_probe(s, (const struct tks_probe_event *)h);
		break;
	case TKS_KIND_GPU:
		if (s->ops->gpu)
			s->ops->gpu(s->ctx, (const struct tks_gpu *)h);
		break;
	case TKS_KIND_CUPTI_ACTIVITY:
	case TKS_KIND_CUPTI_NAME:
	case TKS_KIND_CUPTI_DEVICE:
	case TKS_KIND_CUPTI_STATUS:
		if (s->ops->cupti)
			s->ops->cupti(s->ctx, h);
		break;
	}
}

static const struct loader_ops loader_ops = { .record = on_record };

/* ------------------------------------------------------------------ discovery -> loader, consumer */

static int on_select(void *ctx, uint32_t pid)
{
	struct session *s = ctx;

	cupti_add_process(s->cupti, pid);
	if (s->probes)
		probes_add_process(s->probes, pid);
	return loader_select(s->loader, pid);
}

static void on_unselect(void *ctx, uint32_t pid)
{
	struct session *s = ctx;

	process_gone(s, pid);
	loader_unselect(s->loader, pid);
}

static void on_found(void *ctx, const struct server *server)
{
	struct session *s = ctx;

	log_info("found %s server %s:%u, pid %u: %s", server->engine, server->address, server->port,
		 server->pid, server->reason);
	if (s->ops->found)
		s->ops->found(s->ctx, server);
}

static void on_retired(void *ctx, const struct server *server)
{
	struct session *s = ctx;

	if (s->ops->retired)
		s->ops->retired(s->ctx, server);
}

static const struct discovery_ops discovery_ops = {
	.select = on_select,
	.unselect = on_unselect,
	.found = on_found,
	.retired = on_retired,
};

static uint32_t on_probes_server(void *ctx, uint32_t pid, const char **engine)
{
	const struct session *s = ctx;
	const struct server *server = discovery_resolve_process(s->discovery, pid);

	if (!server)
		return 0;
	*engine = discovery_engine(s->discovery, pid) ?: server->engine;
	return server->id;
}

static const struct probes_ops probes_ops = { .server = on_probes_server };

/* ------------------------------------------------------------------ tracker -> discovery, loader, consumer */

static const struct server *on_resolve(void *ctx, uint32_t tgid, const struct tks_sock *sk)
{
	struct session *s = ctx;

	return discovery_resolve(s->discovery, tgid, sk);
}

static void on_finished(void *ctx, const struct request_record *r)
{
	struct session *s = ctx;

	s->ops->finished(s->ctx, r);
}

static void on_unparsed(void *ctx, const struct server *server, enum unparsed_reason reason)
{
	struct session *s = ctx;

	if (s->ops->unparsed)
		s->ops->unparsed(s->ctx, server, reason);
}

static void on_stream_event(void *ctx, const struct server *server, bool content)
{
	struct session *s = ctx;

	if (s->ops->stream_event)
		s->ops->stream_event(s->ctx, server, content);
}

static void on_gauge(void *ctx, const struct server *server, int in_flight, int awaiting)
{
	struct session *s = ctx;

	if (s->ops->gauge)
		s->ops->gauge(s->ctx, server, in_flight, awaiting);
}

static void on_run(void *ctx, const struct request_run *run)
{
	struct session *s = ctx;

	if (s->ops->run)
		s->ops->run(s->ctx, run);
}

static void on_sock_mode(void *ctx, uint64_t sock_id, uint32_t mode)
{
	struct session *s = ctx;

	loader_sock_mode(s->loader, sock_id, mode);
}

static const struct tracker_ops tracker_ops = {
	.resolve = on_resolve,
	.finished = on_finished,
	.unparsed = on_unparsed,
	.stream_event = on_stream_event,
	.gauge = on_gauge,
	.run = on_run,
	.sock_mode = on_sock_mode,
};

/* ------------------------------------------------------------------ open, run, close */

/* discovery_new() copies, so the short-lived array of 16-bit ports is fine. */
struct discovery *session_discovery(const struct config *c, const struct packs *packs,
				    const struct discovery_ops *ops, void *ctx)
{
	_cleanup_free_ uint16_t *ports = calloc(c->ports.count + 1, sizeof(*ports));
	struct discovery_config dc = {
		.pids = c->pids.items,
		.pid_count = c->pids.count,
		.ports = ports,
		.port_count = c->ports.count,
		.comms = c->comms.items,
		.comm_count = c->comms.count,
		.rules = { packs->rules, packs->rule_count },
		.proc_root = "/proc",
	};
	struct discovery *d;

	if (!ports)
		return NULL;
	for (size_t i = 0; i < c->ports.count; i++) {
		if (c->ports.items[i] > UINT16_MAX) {
			log_error("--port %u is not a TCP port (1 to 65535)", c->ports.items[i]);
			errno = EINVAL;
			return NULL;
		}
		ports[i] = c->ports.items[i];
	}
	d = discovery_new(&dc, ops, ctx);
	if (!d)
		log_error("cannot start discovery: %s", strerror(errno));
	return d;
}

/* Beside what is traced: servers are known by their containers without it, too. */
static void open_kube(struct session *s, const struct config *c)
{
	const struct kube_config kc = { .api = c->kubernetes_api,
					.token_file = c->kubernetes_token,
					.ca_file = c->kubernetes_ca,
					.node_name = c->node_name };

	if (c->kubernetes == NO)
		return;
	s->kube = kube_new(&kc);
	if (s->kube || (errno == ENOENT && c->kubernetes != YES))
		return;
	log_warn("pods are not named: %s",
		 errno == ENOENT ? "no API server is told of in the environment, nor was one given"
				 : strerror(errno));
}

/* Requests are traced without them, too. */
static void open_probes(struct session *s, const struct config *c)
{
	const struct probes_config pc = { .packs = s->packs,
					  .full = c->probe_set == PROBES_FULL,
					  .budget = c->probe_budget / 100 };

	if (c->probe_set == PROBES_OFF)
		return;
	s->probes = probes_new(&pc, s->loader, &probes_ops, s);
	if (!s->probes)
		log_warn("functions of servers are not probed: %s; see `tokscope feature probe`",
			 strerror(errno));
}

/* Privileges are a thread's own: those that are started from here on have what is left. */
static void attach_later(struct session *s, const struct config *c)
{
	privilege_drop(loader_probes_supported(s->loader) && !loader_probes_many(s->loader));
	if (s->ops->cupti && c->cupti)
		s->cupti = cupti_new(s->loader);
	open_probes(s, c);
}

int session_open(struct session *s, const struct config *c, const struct session_ops *ops,
		 void *ctx)
{
	struct loader_config lc = { .backend = c->backend,
				    .ring_bytes = c->ring_bytes,
				    .run_stats = c->bpf_stats,
				    .gpu_hook = ops->gpu ? c->gpu_hook : GPU_HOOK_OFF };
	struct tracker_config tc = { .tick_ns = clock_tick_ns(),
				     .itl_bounds = ops->itl_bounds ? ops->itl_bounds(ctx) : NULL };
	int err;

	memset(s, 0, sizeof(*s));
	s->ops = ops;
	s->ctx = ctx;
	if (gpu_majors_parse(c->gpu_majors, "/proc/devices", lc.gpu_majors)) {
		log_error("--gpu-majors %s: expected nvidia=MAJOR,nvidia-uvm=MAJOR or one of them",
			  c->gpu_majors);
		return -EINVAL;
	}
	privilege_protect();
	s->packs = packs_open(c->packs_folder);
	s->tracker = s->packs ? tracker_new(&tc, &tracker_ops, s) : NULL;
	s->discovery = s->tracker ? session_discovery(c, s->packs, &discovery_ops, s) : NULL;
	s->loader = s->discovery ? loader_new(&lc, &loader_ops, s) : NULL;
	if (s->loader)
		attach_later(s, c);
	err = s->loader ? discovery_scan(s->discovery, clock_monotonic_ns()) : -errno;
	if (err < 0) {
		session_close(s);
		return err;
	}
	open_kube(s, c);
	return 0;
}

/* Asks for the names of servers whose pods are not known yet. */
static void identify_servers(struct session *s)
{
	const struct server *server;
	struct k8s_identity k8s;
	size_t cursor = 0;

	while (s->kube && (server = discovery_next(s->discovery, &cursor))) {
		if (server->gone_ns || *server->k8s.pod_name ||
		    !(*server->container_id || *server->pod_uid) ||
		    !kube_identify(s->kube, server->container_id, server->pod_uid, &k8s))
			continue;
		discovery_identify(s->discovery, server->id, &k8s);
		log_info("%s server %s:%u is in pod %s/%s", server->engine, server->address,
			 server->port, k8s.namespace_name, k8s.pod_name);
		if (s->ops->renamed)
			s->ops->renamed(s->ctx, server);
	}
}

int session_run(struct session *s, double duration_s)
{
	struct pollfd pfd = { .fd = loader_poll_fd(s->loader), .events = POLLIN };
	uint64_t start = clock_monotonic_ns(), discovered = 0, kept = 0;

	interrupt_catch();
	while (!interrupted() && !s->stop) {
		uint64_t now;
		int err;

		if (poll(&pfd, 1, POLL_MS) < 0 && errno != EINTR)
			return -errno;
		err = loader_consume(s->loader);
		if (err < 0 && err != -EINTR)
			return err;
		now = clock_monotonic_ns();
		if (now - discovered >= DISCOVERY_NS) {
			discovery_tick(s->discovery, now);
			cupti_tick(s->cupti, now);
			if (s->probes)
				probes_tick(s->probes, now);
			if (s->ops->pulse)
				s->ops->pulse(s->ctx, now);
			discovered = now;
		}
		if (now - kept >= HOUSEKEEP_NS) {
			tracker_tick(s->tracker, now);
			identify_servers(s);
			if (s->ops->tick)
				s->ops->tick(s->ctx, now);
			kept = now;
		}
		if (duration_s > 0 && now - start >= duration_s * NSEC_PER_SEC)
			break;
	}
	loader_consume(s->loader);
	return 0;
}

void session_close(struct session *s)
{
	kube_free(s->kube);
	s->kube = NULL;
	tracker_free(s->tracker);
	s->tracker = NULL;
	cupti_free(s->cupti);
	s->cupti = NULL;
	probes_free(s->probes);
	s->probes = NULL;
	loader_free(s->loader);
	s->loader = NULL;
	discovery_free(s->discovery);
	s->discovery = NULL;
	packs_close(s->packs);
	s->packs = NULL;
}
