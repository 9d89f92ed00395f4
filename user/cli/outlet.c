// SPDX-License-Identifier: Apache-2.0
#include "cli/outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "export/record_json.h"

static void count_dropped(struct registry *r, const char *signal, const char *reason, uint64_t n)
{
	const char *values[METRIC_LABELS_MAX] = { signal, reason };

	registry_add(r, M_EXPORT_DROPPED, 0, values, n);
}

/* ------------------------------------------------------------------ record file */

/* Returns the descriptor, -1 where no file is asked for, or another negative errno after logging. */
static int open_records(const char *path)
{
	int fd;

	if (!path)
		return -1;
	if (!strcmp(path, "-"))
		fd = dup(STDOUT_FILENO);
	else
		fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (fd >= 0)
		return fd;
	log_error("cannot open --records %s: %s", path, strerror(errno));
	return errno == EPERM ? -EACCES : -errno; /* -EPERM is -1 */
}

static void close_records(struct outlet *o)
{
	if (o->records_fd >= 0)
		close(o->records_fd);
	o->records_fd = -1;
}

/* Said once when it begins and once when it ends; counted each time. */
static void records_trouble(struct outlet *o, int err)
{
	if (err && !o->full)
		log_error("cannot write to the record file: %s; lines are dropped and counted",
			  strerror(err));
	else if (!err && o->full)
		log_info("the record file takes lines again");
	o->full = err != 0;
	if (err)
		count_dropped(o->registry, "records", "write", 1);
}

static void write_line(struct outlet *o, const struct request_record *r)
{
	ssize_t n;

	buf_reset(&o->line);
	record_json_write(&o->line, r);
	if (o->line.err) {
		records_trouble(o, ENOMEM);
		return;
	}
	n = write(o->records_fd, o->line.data, o->line.len);
	records_trouble(o, n == (ssize_t)o->line.len ? 0 : n < 0 ? errno : ENOSPC);
}

/* ------------------------------------------------------------------ OTLP */

static struct snapshot *on_snapshot(void *ctx)
{
	struct outlet *o = ctx;

	return registry_snapshot(o->registry);
}

static void on_dropped(void *ctx, enum otlp_signal signal, const char *reason, uint64_t count)
{
	struct outlet *o = ctx;

	count_dropped(o->registry, otlp_signal_name(signal), reason, count);
}

static const struct otlp_ops otlp_ops = { .snapshot = on_snapshot, .dropped = on_dropped };

/* Ids are made where somebody can look them up. */
static int open_sampler(struct outlet *o, const struct config *c)
{
	if (!otlp_exports(o->otlp, OTLP_TRACES)) {
		sampler_free(o->sampler);
		o->sampler = NULL;
		return 0;
	}
	if (o->sampler) {
		sampler_configure(o->sampler, &c->traces);
		return 0;
	}
	o->sampler = sampler_new(&c->traces);
	return o->sampler ? 0 : -ENOMEM;
}

/* ------------------------------------------------------------------ entry points */

int outlet_open(struct outlet *o, const struct config *c, struct registry *registry)
{
	int fd;

	*o = (struct outlet)OUTLET_INIT;
	o->registry = registry;
	fd = open_records(c->records);
	if (fd < -1)
		return fd;
	o->records_fd = fd;
	o->otlp = otlp_new(&c->otlp, &otlp_ops, o);
	return o->otlp ? open_sampler(o, c) : -errno;
}

static void *flush(void *otlp)
{
	otlp_free(otlp);
	return NULL;
}

static void wait_for_retired(struct outlet *o)
{
	if (o->retires)
		pthread_join(o->retiring, NULL);
	o->retires = false;
}

/* A flush takes seconds where the collector is slow: events are to be read meanwhile. */
static void retire(struct outlet *o, struct otlp *otlp)
{
	wait_for_retired(o);
	o->retires = !pthread_create(&o->retiring, NULL, flush, otlp);
	if (!o->retires)
		otlp_free(otlp);
}

static int reload_otlp(struct outlet *o, const struct config *c)
{
	struct otlp *otlp = otlp_new(&c->otlp, &otlp_ops, o);
	struct otlp *before = o->otlp;

	if (!otlp)
		return -errno;
	o->otlp = otlp;
	retire(o, before);
	return open_sampler(o, c);
}

int outlet_reload(struct outlet *o, const struct config *c, bool changed)
{
	int fd = open_records(c->records);
	int err;

	if (fd < -1)
		return fd;
	err = changed ? reload_otlp(o, c) : 0;
	if (err) {
		if (fd >= 0)
			close(fd);
		return err;
	}
	close_records(o);
	o->records_fd = fd;
	return 0;
}

void outlet_record(struct outlet *o, const struct request_record *r)
{
	struct resource *resource;

	if (o->records_fd >= 0)
		write_line(o, r);
	if (!o->otlp || (!otlp_exports(o->otlp, OTLP_LOGS) && !r->sampled))
		return;
	resource = r->server ? registry_resource(o->registry, r->server->id) : NULL;
	otlp_record(o->otlp, r, resource);
	resource_put(resource);
}

void outlet_update(struct outlet *o)
{
	struct sampler_stats stats;

	if (!o->sampler)
		return;
	sampler_get_stats(o->sampler, &stats);
	const struct {
		const char *decision;
		uint64_t count;
	} decisions[] = {
		{ "sampled", stats.sampled },
		{ "not_sampled", stats.not_sampled },
		{ "rate_limited", stats.limited },
	};
	for (size_t i = 0; i < sizeof(decisions) / sizeof(decisions[0]); i++) {
		const char *values[METRIC_LABELS_MAX] = { decisions[i].decision };

		registry_set(o->registry, M_SPANS, 0, values, decisions[i].count);
	}
}

void outlet_close(struct outlet *o)
{
	wait_for_retired(o);
	otlp_free(o->otlp);
	sampler_free(o->sampler);
	close_records(o);
	buf_free(&o->line);
}
