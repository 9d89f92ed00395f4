// SPDX-License-Identifier: Apache-2.0
/* `tokscope gpu show`: what the GPUs do for the traced processes, from a session of its own. */
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/cupti_metrics.h"
#include "cli/gpu_rows.h"
#include "cli/meter.h"
#include "cli/output.h"

struct show {
	const struct config *config;
	struct meter meter;
	bool live; /* drawn anew each second, on a terminal */
	struct gpu_rows before, now;
};

static void take_sample(struct show *w, uint64_t now_ns)
{
	struct snapshot *snap = registry_snapshot(w->meter.registry);

	if (snap)
		gpu_rows_take(&w->now, snap, cupti_metrics_devices(w->meter.cupti), now_ns);
	snapshot_free(snap);
}

static double sum(const double *values, size_t count)
{
	double total = 0;

	for (size_t i = 0; i < count; i++)
		total += values[i];
	return total;
}

static void print_row(const struct gpu_row *r)
{
	char reserved[24] = "-";

	if (r->reserved >= 0)
		snprintf(reserved, sizeof(reserved), "%.0f", r->reserved / (1 << 20));
	printf("%-8s %6.1f %11.1f %10.1f %13.1f %12s %9zu  %s\n", r->gpu, r->busy_s * 100,
	       sum(r->kernels, KERNEL_CLASSES), r->graphs, sum(r->bytes, MEMCPY_KINDS) / 1e6,
	       reserved, r->process_count, r->uuid);
	for (unsigned int c = 0; c < KERNEL_CLASSES; c++)
		if (r->kernels[c])
			printf("         %17.1f %s\n", r->kernels[c], kernel_class_label(c));
}

static void draw(struct show *w)
{
	if (w->live)
		fputs("\033[H\033[J", stdout); /* home, and erase to the end: ECMA-48 */
	printf("%-8s %6s %11s %10s %13s %12s %9s  %s\n", "GPU", "BUSY %", "KERNELS/S", "GRAPHS/S",
	       "MEMCPY MB/S", "RESERVED MiB", "PROCESSES", "UUID");
	for (size_t i = 0; i < w->now.count; i++) {
		struct gpu_row r = gpu_rows_rate(&w->now, &w->before, i);

		print_row(&r);
	}
	if (!w->now.count)
		puts("(no GPU work was told: servers tell it where libtokscope_cupti.so is loaded)");
	fflush(stdout);
}

static json_t *row_json(const struct gpu_row *r)
{
	json_t *kernels = json_object(), *bytes = json_object(), *processes = json_array();

	for (unsigned int c = 0; c < KERNEL_CLASSES; c++)
		json_object_set_new(kernels, kernel_class_label(c), json_real(r->kernels[c]));
	for (unsigned int k = 0; k < MEMCPY_KINDS; k++)
		if (r->bytes[k])
			json_object_set_new(bytes, memcpy_label(k), json_real(r->bytes[k]));
	for (size_t i = 0; i < r->process_count; i++)
		json_array_append_new(processes, json_integer(r->processes[i]));
	return json_pack("{s:s,s:s?,s:f,s:o,s:f,s:o,s:o,s:o}", "gpu", r->gpu, "uuid",
			 *r->uuid ? r->uuid : NULL, "busy_ratio", r->busy_s, "kernels_per_second",
			 kernels, "graphs_per_second", r->graphs, "memcpy_bytes_per_second", bytes,
			 "memory_reserved_bytes",
			 r->reserved < 0 ? json_null() : json_integer((json_int_t)r->reserved),
			 "processes", processes);
}

static void on_tick(void *ctx, uint64_t now_ns)
{
	struct show *w = ctx;

	if (!w->live || !now_ns)
		return;
	take_sample(w, now_ns);
	draw(w);
	w->before = w->now;
}

static void finish(struct show *w)
{
	if (w->live)
		return;
	take_sample(w, clock_monotonic_ns());
	if (!w->config->json && !w->config->pretty) {
		draw(w);
		return;
	}
	for (size_t i = 0; i < w->now.count; i++) {
		struct gpu_row r = gpu_rows_rate(&w->now, &w->before, i);

		output_json(w->config, row_json(&r));
	}
}

int cmd_gpu_show(const struct config *c)
{
	static const struct meter_ops ops = { .tick = on_tick };
	struct show w = { .config = c };
	int err;

	w.live = isatty(STDOUT_FILENO) && !c->json && !c->pretty;
	w.before.time_ns = clock_monotonic_ns();
	err = meter_open(&w.meter, c, &ops, &w);
	if (!err)
		err = session_run(&w.meter.session, c->duration_s);
	if (!err) {
		cupti_metrics_update(w.meter.cupti, true, clock_monotonic_ns());
		finish(&w);
	}
	meter_close(&w.meter);
	return err ? 1 : 0;
}
