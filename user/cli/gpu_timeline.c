// SPDX-License-Identifier: Apache-2.0
/* `tokscope gpu timeline`: GPU work of a few seconds as a file for Perfetto. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/command.h"
#include "cli/meter.h"
#include "gpu/timeline.h"

/* 64 bytes each; some ten seconds of a GPU that runs kernel by kernel. */
#define EVENTS_MAX (1 << 19)

struct recording {
	struct meter meter;
	struct timeline *timeline;
	char process[SERVER_NAME_MAX + 32];
};

static void on_work(void *ctx, const struct activity_work *w)
{
	struct recording *r = ctx;

	timeline_add(r->timeline, w);
}

static const char *on_process(void *ctx, uint32_t tgid)
{
	struct recording *r = ctx;
	const struct server *s = discovery_resolve_process(r->meter.session.discovery, tgid);

	if (!s)
		return NULL;
	snprintf(r->process, sizeof(r->process), "%s", s->service_name);
	return r->process;
}

static int write_file(struct recording *r, const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "we");
	struct timeline_stats stats;
	int err = f ? timeline_write(r->timeline, f, 0, on_process, r) : -errno;

	if (!err && fflush(f))
		err = -errno;
	if (err) {
		log_error("%s: cannot be written: %s", path, strerror(-err));
		return err;
	}
	timeline_get_stats(r->timeline, &stats);
	log_info("%s: %zu events; open it with https://ui.perfetto.dev", path, stats.events);
	if (stats.dropped)
		log_warn("%llu earlier events had no room; a shorter -d shows all",
			 (unsigned long long)stats.dropped);
	if (!stats.events)
		log_warn(
			"no GPU work was told: servers tell it where libtokscope_cupti.so is loaded");
	return 0;
}

int cmd_gpu_timeline(const struct config *c)
{
	static const struct meter_ops ops = { .gpu_work = on_work };
	struct recording r = { .timeline = timeline_new(EVENTS_MAX) };
	int err;

	if (!r.timeline) {
		log_error("out of memory");
		return 1;
	}
	err = meter_open(&r.meter, c, &ops, &r);
	if (!err)
		err = session_run(&r.meter.session, c->duration_s);
	if (!err)
		err = write_file(&r, c->output_file ?: "timeline.json");
	meter_close(&r.meter);
	timeline_free(r.timeline);
	return err ? 1 : 0;
}
