// SPDX-License-Identifier: Apache-2.0
/* `tokscope agent`: a meter with /metrics in front. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/meter.h"
#include "cli/server_status.h"
#include "export/httpd.h"
#include "export/record_json.h"

struct agent {
	struct meter meter;
	struct server_status *status;
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
		registry_add(a->meter.registry, M_EXPORT_DROPPED, 0, dropped, 1);
		return;
	}
	n = write(a->records_fd, a->line.data, a->line.len);
	if (n != (ssize_t)a->line.len)
		registry_add(a->meter.registry, M_EXPORT_DROPPED, 0, dropped, 1);
}

static void on_finished(void *ctx, const struct request_record *r)
{
	struct agent *a = ctx;

	if (a->records_fd >= 0)
		write_record(a, r);
}

static void on_unparsed(void *ctx, const struct server *s, enum unparsed_reason reason)
{
	struct agent *a = ctx;

	server_status_unparsed(a->status, s, reason);
}

static void on_retired(void *ctx, const struct server *s)
{
	struct agent *a = ctx;

	server_status_retire(a->status, s);
}

static void on_tick(void *ctx, uint64_t now_ns)
{
	struct agent *a = ctx;

	(void)now_ns;
	server_status_publish(a->status, a->meter.session.discovery);
}

static const struct meter_ops meter_ops = {
	.finished = on_finished,
	.unparsed = on_unparsed,
	.retired = on_retired,
	.tick = on_tick,
};

/* ------------------------------------------------------------------ listener's thread */

static struct snapshot *on_scrape(void *ctx)
{
	struct agent *a = ctx;

	return registry_snapshot(a->meter.registry);
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
		TOKSCOPE_VERSION, socket_backend_name(loader_backend(a->meter.session.loader))
	};

	registry_set(a->meter.registry, M_BUILD_INFO, 0, info, 1);
	registry_set(a->meter.registry, M_PROCESS_START_TIME, 0,
		     (const char *[METRIC_LABELS_MAX]){ NULL },
		     clock_wall_ns(clock_monotonic_ns()) / 1e9);
}

static int start(struct agent *a, const struct config *c)
{
	struct httpd_config hc = { .listen = c->listen };
	int err = open_records(a, c->records);

	if (err)
		return err;
	a->status = server_status_new();
	if (!a->status) {
		log_error("out of memory");
		return -ENOMEM;
	}
	err = meter_open(&a->meter, c, &meter_ops, a);
	if (err)
		return err;
	set_constants(a);
	a->httpd = httpd_new(&hc, &httpd_ops, a);
	if (!a->httpd)
		return -errno;
	log_info("tracing with the %s backend; metrics on http://%.*s:%u/metrics",
		 socket_backend_name(loader_backend(a->meter.session.loader)),
		 (int)(strrchr(c->listen, ':') - c->listen), c->listen, httpd_port(a->httpd));
	return 0;
}

static void stop(struct agent *a)
{
	httpd_free(a->httpd);
	meter_close(&a->meter);
	server_status_free(a->status);
	buf_free(&a->line);
	if (a->records_fd >= 0)
		close(a->records_fd);
}

int cmd_agent(const struct config *c)
{
	struct agent a = { 0 };
	int err = start(&a, c);

	if (!err)
		err = session_run(&a.meter.session, 0);
	stop(&a);
	if (err)
		log_error("the agent stopped: %s", strerror(-err));
	else
		log_info("stopped");
	return err ? 1 : 0;
}
