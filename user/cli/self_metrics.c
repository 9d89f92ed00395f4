// SPDX-License-Identifier: Apache-2.0
#include "cli/self_metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define ROWS_MAX 64

static void set(struct registry *r, enum metric_id id, const char *label, double value)
{
	const char *values[METRIC_LABELS_MAX] = { label };

	registry_set(r, id, 0, values, value);
}

static void losses(struct registry *r, const struct loader *l)
{
	struct loader_failure rows[ROWS_MAX];
	size_t count = loader_failures(l, rows, ROWS_MAX);

	for (size_t i = 0; i < count && i < ROWS_MAX; i++)
		set(r, rows[i].lost ? M_EVENTS_LOST : M_EVENTS_PARTIAL, rows[i].stage,
		    rows[i].count);
}

static void programs(struct registry *r, const struct loader *l)
{
	struct loader_program rows[ROWS_MAX];
	size_t count = loader_programs(l, rows, ROWS_MAX);

	for (size_t i = 0; i < count && i < ROWS_MAX; i++) {
		set(r, M_PROBE_ATTACHED, rows[i].name, rows[i].attached);
		if (rows[i].run_count)
			set(r, M_BPF_RUN, rows[i].name, rows[i].run_ns / 1e9);
	}
}

static void tracking(struct registry *r, const struct session *s)
{
	struct tracker_stats stats;

	tracker_get_stats(s->tracker, &stats);
	set(r, M_EVENTS_RECEIVED, NULL, s->records);
	set(r, M_CONNECTIONS, NULL, stats.connections);
	set(r, M_CONNECTIONS_EVICTED, NULL, stats.evicted + stats.pipeline_overflow);
	set(r, M_STREAM_GAPS, NULL, stats.gaps);
	set(r, M_STREAM_GAP_BYTES, NULL, stats.gap_bytes);
	set(r, M_EVENTS_LOST, "no_memory", stats.no_memory);
}

/* One gauge per engine, over the servers that live. */
static void servers(struct registry *r, const struct discovery *d)
{
	const struct server *s;
	size_t cursor = 0;

	while ((s = discovery_next(d, &cursor)))
		set(r, M_SERVERS, s->engine, 0);
	cursor = 0;
	while ((s = discovery_next(d, &cursor))) {
		const char *values[METRIC_LABELS_MAX] = { s->engine };

		if (!s->gone_ns)
			registry_add(r, M_SERVERS, 0, values, 1);
	}
}

static void kubernetes(struct registry *r, struct kube *k)
{
	struct kube_stats stats;

	if (!k)
		return;
	kube_get_stats(k, &stats);
	set(r, M_KUBERNETES_PODS, NULL, stats.pods);
	set(r, M_KUBERNETES_FAILURES, NULL, stats.failures);
	set(r, M_KUBERNETES_LEFT_OUT, NULL, stats.left_out);
}

static double open_fds(void)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc/self/fd");
	double count = 0;

	while (dir && readdir(dir))
		count++;
	return count - 3; /* ".", ".." and the directory's own */
}

static void process(struct registry *r)
{
	_cleanup_fclose_ FILE *statm = fopen("/proc/self/statm", "r");
	struct timespec cpu;
	unsigned long size, resident;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	set(r, M_PROCESS_CPU, NULL, cpu.tv_sec + cpu.tv_nsec / 1e9);
	set(r, M_PROCESS_OPEN_FDS, NULL, open_fds());
	if (statm && fscanf(statm, "%lu %lu", &size, &resident) == 2) {
		long page = sysconf(_SC_PAGESIZE);

		set(r, M_PROCESS_VIRTUAL, NULL, (double)size * page);
		set(r, M_PROCESS_RSS, NULL, (double)resident * page);
	}
}

void self_metrics_update(struct registry *r, const struct session *s)
{
	losses(r, s->loader);
	programs(r, s->loader);
	tracking(r, s);
	servers(r, s->discovery);
	kubernetes(r, s->kube);
	process(r);
}
