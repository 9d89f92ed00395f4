// SPDX-License-Identifier: Apache-2.0
/* `tokscope agent`: a meter with /metrics in front and an outlet behind. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/notify.h"
#include "cli/command.h"
#include "cli/config_reload.h"
#include "cli/interrupt.h"
#include "cli/meter.h"
#include "cli/outlet.h"
#include "cli/server_status.h"
#include "export/httpd.h"

/* The session's loop comes by every 50 ms; one that has not for this long hangs. */
#define STALL_NS (10 * NSEC_PER_SEC)

struct agent {
	const struct config *config;
	struct config *reloaded; /* what `config` is since a SIGHUP; owned, NULL: none came */
	struct meter meter;
	struct outlet outlet;
	struct server_status *status;
	struct httpd *httpd;
	uint64_t alive_ns; /* the session's last tick, CLOCK_MONOTONIC; atomic */
};

static void on_finished(void *ctx, const struct request_record *r)
{
	struct agent *a = ctx;

	outlet_record(&a->outlet, r);
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

/* ------------------------------------------------------------------ SIGHUP */

static void drop_reloaded(struct config *c)
{
	if (!c)
		return;
	config_free(c);
	free(c);
}

/* Returns 0 where `fresh` is in force now. */
static int take_over(struct agent *a, struct config *fresh)
{
	int err = config_reload(a->config, fresh);

	if (err >= 0)
		err = outlet_reload(&a->outlet, fresh, err > 0);
	if (err)
		return err;
	a->meter.sampler = a->outlet.sampler;
	log_set_level(fresh->log_level);
	return 0;
}

static void reload(struct agent *a)
{
	struct config *fresh = calloc(1, sizeof(*fresh));
	int err;

	notify_reloading();
	err = fresh ? take_over(a, fresh) : -ENOMEM;
	if (err) {
		log_error("the configuration stays as it was: %s", strerror(-err));
		drop_reloaded(fresh);
	} else {
		log_info("the configuration was read again");
		drop_reloaded(a->reloaded);
		a->config = a->reloaded = fresh;
	}
	notify_ready();
}

static void on_tick(void *ctx, uint64_t now_ns)
{
	struct agent *a = ctx;

	(void)now_ns;
	server_status_publish(a->status, a->meter.session.discovery);
	outlet_update(&a->outlet);
	__atomic_store_n(&a->alive_ns, clock_monotonic_ns(), __ATOMIC_RELAXED);
	notify_alive();
	if (interrupt_reload())
		reload(a);
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
	const struct agent *a = ctx;
	uint64_t alive = __atomic_load_n(&a->alive_ns, __ATOMIC_RELAXED);
	uint64_t now = clock_monotonic_ns();

	if (now < alive + STALL_NS)
		return 0;
	snprintf(reason, len, "no event was read for %" PRIu64 " s",
		 (uint64_t)((now - alive) / NSEC_PER_SEC));
	return -ETIMEDOUT;
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
	struct httpd_config hc = { .listen = c->listen, .web_config = c->web_config };
	int err;

	interrupt_catch_reload();
	a->status = server_status_new();
	if (!a->status) {
		log_error("out of memory");
		return -ENOMEM;
	}
	err = meter_open(&a->meter, c, &meter_ops, a);
	if (err)
		return err;
	err = outlet_open(&a->outlet, c, a->meter.registry);
	if (err)
		return err;
	a->meter.sampler = a->outlet.sampler;
	set_constants(a);
	a->httpd = httpd_new(&hc, &httpd_ops, a);
	if (!a->httpd)
		return -errno;
	log_info("tracing with the %s backend; metrics on %s://%.*s:%u/metrics",
		 socket_backend_name(loader_backend(a->meter.session.loader)),
		 httpd_scheme(a->httpd), (int)(strrchr(c->listen, ':') - c->listen), c->listen,
		 httpd_port(a->httpd));
	return 0;
}

/* Requests that are still open end with the session, and go out with what is flushed. */
static void stop(struct agent *a)
{
	notify_stopping();
	httpd_free(a->httpd);
	meter_end(&a->meter);
	outlet_close(&a->outlet);
	meter_close(&a->meter);
	server_status_free(a->status);
	drop_reloaded(a->reloaded);
}

int cmd_agent(const struct config *c)
{
	struct agent a = { .config = c, .outlet = OUTLET_INIT };
	int err = config_check(c) ? -EINVAL : start(&a, c);

	if (!err)
		err = session_run(&a.meter.session, 0);
	stop(&a);
	if (err)
		log_error("the agent stopped: %s", strerror(-err));
	else
		log_info("stopped");
	return err ? 1 : 0;
}
