// SPDX-License-Identifier: Apache-2.0
#include "cli/gpu_rows.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static const char *label(const struct snapshot_family *sf, size_t series, const char *name)
{
	for (size_t i = 0; i < sf->family->label_count; i++)
		if (!strcmp(sf->family->labels[i], name))
			return sf->series[series].values[i] ?: "";
	return "";
}

static struct gpu_row *find_row(const struct gpu_rows *s, const char *gpu, const char *uuid)
{
	for (size_t i = 0; i < s->count; i++)
		if (!strcmp(s->rows[i].gpu, gpu) && !strcmp(s->rows[i].uuid, uuid))
			return (struct gpu_row *)&s->rows[i];
	return NULL;
}

/* NULL: there are more GPUs than this view has room for, or these are those that had none in the registry. */
static struct gpu_row *row_of(struct gpu_rows *s, const struct snapshot_family *sf, size_t series)
{
	const char *gpu = label(sf, series, "gpu"), *uuid = label(sf, series, "hw_id");
	struct gpu_row *r = find_row(s, gpu, uuid);

	if (r || s->count == GPU_ROWS_MAX || sf->series[series].overflow)
		return r;
	r = &s->rows[s->count++];
	snprintf(r->gpu, sizeof(r->gpu), "%s", gpu);
	snprintf(r->uuid, sizeof(r->uuid), "%s", uuid);
	r->reserved = -1;
	return r;
}

typedef void (*take_fn)(struct gpu_row *r, const struct snapshot_family *sf, size_t series);

static void take_busy(struct gpu_row *r, const struct snapshot_family *sf, size_t series)
{
	r->busy_s += sf->series[series].value;
}

static void take_kernels(struct gpu_row *r, const struct snapshot_family *sf, size_t series)
{
	for (unsigned int c = 0; c < KERNEL_CLASSES; c++)
		if (!strcmp(label(sf, series, "class"), kernel_class_label(c)))
			r->kernels[c] += sf->series[series].hist.count;
}

static void take_graphs(struct gpu_row *r, const struct snapshot_family *sf, size_t series)
{
	r->graphs += sf->series[series].hist.count;
}

static void take_bytes(struct gpu_row *r, const struct snapshot_family *sf, size_t series)
{
	const char *kind = label(sf, series, "kind");

	for (unsigned int k = 0; k < MEMCPY_KINDS; k++) {
		if (strcmp(kind, memcpy_label(k)) != 0)
			continue;
		r->bytes[k] += sf->series[series].value;
		return;
	}
}

static const struct {
	enum metric_id id;
	take_fn take;
} sources[] = {
	{ M_GPU_BUSY, take_busy },
	{ M_GPU_KERNEL_DURATION, take_kernels },
	{ M_GPU_GRAPH_DURATION, take_graphs },
	{ M_GPU_MEMCPY_IO, take_bytes },
};

/* By the index alone: driver calls know no UUID. Of a GPU with instances each row has the whole. */
static void take_reserved(struct gpu_rows *s, const struct snapshot_family *sf)
{
	for (size_t i = 0; i < sf->count; i++)
		for (size_t k = 0; k < s->count; k++) {
			struct gpu_row *r = &s->rows[k];

			if (strcmp(r->gpu, label(sf, i, "gpu")) != 0)
				continue;
			r->reserved = (r->reserved < 0 ? 0 : r->reserved) + sf->series[i].value;
		}
}

static void take_processes(struct gpu_rows *s, const struct devices *d)
{
	const struct gpu_use *u = NULL;

	while ((u = devices_next_use(d, u))) {
		struct gpu_row *r = u->worked ? find_row(s, u->gpu->index, u->gpu->uuid) : NULL;

		if (r && r->process_count < GPU_PROCESSES_MAX)
			r->processes[r->process_count++] = u->tgid;
	}
}

void gpu_rows_take(struct gpu_rows *s, const struct snapshot *snap, const struct devices *d,
		   uint64_t now_ns)
{
	memset(s, 0, sizeof(*s));
	s->time_ns = now_ns;
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		const struct snapshot_family *sf = &snap->families[sources[i].id];

		for (size_t k = 0; k < sf->count; k++) {
			struct gpu_row *r = row_of(s, sf, k);

			if (r)
				sources[i].take(r, sf, k);
		}
	}
	take_reserved(s, &snap->families[M_GPU_MEMORY_RESERVED]);
	take_processes(s, d);
}

struct gpu_row gpu_rows_rate(const struct gpu_rows *now, const struct gpu_rows *before, size_t i)
{
	static const struct gpu_row none;
	struct gpu_row r = now->rows[i];
	const struct gpu_row *was = find_row(before, r.gpu, r.uuid) ?: &none;
	double seconds = (double)(now->time_ns - before->time_ns) / NSEC_PER_SEC;

	r.busy_s = (r.busy_s - was->busy_s) / seconds;
	r.graphs = (r.graphs - was->graphs) / seconds;
	for (unsigned int c = 0; c < KERNEL_CLASSES; c++)
		r.kernels[c] = (r.kernels[c] - was->kernels[c]) / seconds;
	for (unsigned int k = 0; k < MEMCPY_KINDS; k++)
		r.bytes[k] = (r.bytes[k] - was->bytes[k]) / seconds;
	return r;
}
