// SPDX-License-Identifier: Apache-2.0
/* `tokscope agent`: a session whose consumer is the metric registry, with /metrics in front. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/gpu_metrics.h"
#include "cli/self_metrics.h"
#include "cli/server_status.h"
#include "cli/session.h"
#include "export/httpd.h"
#include "export/record_json.h"
#include "track/observe.h"

struct agent {
	struct session session;
	struct registry *registry;
	struct observer *observer;
	struct server_status *status;
	struct gpu_metrics *gpu;
	struct httpd *httpd;
	int records_fd; /* -1: no record file */
	struct buf line;
};

/* A record that cannot be written (disk full) is counted; the agent goes on. */
static void write_record(struct agent *a, const struct request_record *r)
{
	static const char *const dropped[METRIC_LABELS_MAX] = { "records", "write" };
	ssize_t n;

	buf_reset(&a->line);
	record_json_write(&a->line, r);
	if (a->line.err) {
		registry_add(a->registry, M_EXPORT_DROPPED, 0, dropped, 1);
		return;
	}
	n = write(a->records_fd, a->line.data, a->line.len);
	if (n != (ssize_t)a->line.len)
		registry_add(a->registry, M_EXPORT_DROPPED, 0, dropped, 1);
}

static void on_finished(void *ctx, const struct request_record *r)
{
	struct agent *a = ctx;

	observer_finished(a->observer, r);
	if (a->records_fd >= 0)
		write_record(a, r);
}

static void on_unparsed(void *ctx, const struct server *s, enum unparsed_reason reason)
{
	struct agent *a = ctx;

	observer_unparsed(a->observer, s, reason);
	server_status_unparsed(a->status, s, reason);
}

static void on_stream_event(void *ctx, const struct server *s, bool content)
{
	struct agent *a = ctx;

	observer_stream_event(a->observer, s, content);
}

static void on_gauge(void *ctx, const struct server *s, int in_flight, int awaiting)
{
	struct agent *a = ctx;

	observer_gauge(a->observer, s, in_flight, awaiting);
}

static void on_retired(void *ctx, const struct server *s)
{
	struct agent *a = ctx;

	observer_retire(a->observer, s);
	server_status_retire(a->status, s);
}

static void on_gpu(void *ctx, const struct tks_gpu *r)
{
	struct agent *a = ctx;

	gpu_metrics_record(a->gpu, a->session.discovery, r);
}

static void on_process_gone(void *ctx, uint32_t tgid)
{
	struct agent *a = ctx;

	gpu_metrics_process_gone(a->gpu, a->session.discovery, tgid);
}

static void on_tick(void *ctx, uint64_t now_ns)
{
	struct agent *a = ctx;

	(void)now_ns;
	observer_flush(a->observer);
	self_metrics_update(a->registry, &a->session);
	gpu_metrics_update(a->gpu, &a->session);
	server_status_publish(a->status, a->session.discovery);
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

/* ------------------------------------------------------------------ listener's thread */

static struct snapshot *on_scrape(void *ctx)
{
	struct agent *a = ctx;

	return registry_snapshot(a->registry);
}

static int on_health(void *ctx, char *reason, unsigned long len)
{
	(void)ctx;
	(void)reason;
	(void)len;
	return 0;
}

static int on_servers(void *ctx, struct buf *out)
{
	struct agent *a = ctx;

	return server_status_json(a->status, out);
}

static const struct httpd_ops httpd_ops = {
	.snapshot = on_scrape,
	.health = on_health,
	.servers = on_servers,
};

/* ------------------------------------------------------------------ start and stop */

static int open_records(struct agent *a, const char *path)
{
	a->records_fd = -1;
	if (!path)
		return 0;
	if (!strcmp(path, "-"))
		a->records_fd = dup(STDOUT_FILENO);
	else
		a->records_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (a->records_fd < 0) {
		log_error("cannot open --records %s: %s", path, strerror(errno));
		return -errno;
	}
	return 0;
}

static void set_constants(struct agent *a)
{
	const char *info[METRIC_LABELS_MAX] = {
		TOKSCOPE_VERSION, socket_backend_name(loader_backend(a->session.loader))
	};

	registry_set(a->registry, M_BUILD_INFO, 0, info, 1);
	registry_set(a->registry, M_PROCESS_START_TIME, 0,
		     (const char *[METRIC_LABELS_MAX]){ NULL },
		     clock_wall_ns(clock_monotonic_ns()) / 1e9);
}

static int start(struct agent *a, const struct config *c)
{
	struct registry_config rc = { 0 };
	struct httpd_config hc = { .listen = c->listen };
	int err = open_records(a, c->records);

	if (err)
		return err;
	a->registry = registry_new(&rc);
	a->observer = a->registry ? observer_new(a->registry) : NULL;
	a->status = a->observer ? server_status_new() : NULL;
	a->gpu = a->status ? gpu_metrics_new(a->registry) : NULL;
	if (!a->gpu) {
		log_error("out of memory");
		return -ENOMEM;
	}
	err = session_open(&a->session, c, &session_ops, a);
	if (err)
		return err;
	set_constants(a);
	on_tick(a, 0);
	a->httpd = httpd_new(&hc, &httpd_ops, a);
	if (!a->httpd)
		return -errno;
	log_info("tracing with the %s backend; metrics on http://%.*s:%u/metrics",
		 socket_backend_name(loader_backend(a->session.loader)),
		 (int)(strrchr(c->listen, ':') - c->listen), c->listen, httpd_port(a->httpd));
	return 0;
}

static void stop(struct agent *a)
{
	httpd_free(a->httpd);
	if (a->session.loader)
		session_close(&a->session);
	gpu_metrics_free(a->gpu);
	server_status_free(a->status);
	observer_free(a->observer);
	registry_free(a->registry);
	buf_free(&a->line);
	if (a->records_fd >= 0)
		close(a->records_fd);
}

int cmd_agent(const struct config *c)
{
	struct agent a = { 0 };
	int err = start(&a, c);

	if (!err)
		err = session_run(&a.session, 0);
	stop(&a);
	if (err)
		log_error("the agent stopped: %s", strerror(-err));
	else
		log_info("stopped");
	return err ? 1 : 0;
}
