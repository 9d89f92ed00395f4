/* SPDX-License-Identifier: Apache-2.0 */
/* Records of GPU work as libtokscope_cupti.so would tell them, and what the registry makes of them. */
#ifndef TESTS_GPU_WORLD_H
#define TESTS_GPU_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "gpu/activity.h"

#define MS  NSEC_PER_MSEC
#define NOW (100 * NSEC_PER_SEC) /* when records are told, unless a test says otherwise */

/* Room for one ring record. */
union gpu_record {
	struct tks_header h;
	struct tks_cupti_activity batch;
	char bytes[sizeof(struct tks_cupti_activity) +
		   TKS_CUPTI_BATCH * sizeof(struct tks_cupti_record)];
};

static inline void tell_batch(struct activity *a, uint32_t tgid, uint64_t time_ns,
			      const struct tks_cupti_record *records, uint32_t count)
{
	union gpu_record r = { 0 };

	r.batch.h = (struct tks_header){ .kind = TKS_KIND_CUPTI_ACTIVITY,
					 .size = sizeof(r.batch) + count * sizeof(*records),
					 .time_ns = time_ns,
					 .tgid = tgid };
	r.batch.version = TKS_CUPTI_VERSION;
	r.batch.count = count;
	memcpy(r.batch.records, records, count * sizeof(*records));
	activity_record(a, &r.h);
}

/* Each names the fields of struct tks_cupti_record that matter to it. */
#define TELL(a, tgid, ...)                                                         \
	tell_batch(a, tgid, NOW, (const struct tks_cupti_record[]){ __VA_ARGS__ }, \
		   sizeof((const struct tks_cupti_record[]){ __VA_ARGS__ }) /      \
			   sizeof(struct tks_cupti_record))
#define SPAN(from, to) .start_ns = NOW - 1000 * MS + (from), .end_ns = NOW - 1000 * MS + (to)

static inline void tell_name(struct activity *a, uint32_t tgid, uint32_t id, const char *name)
{
	union {
		struct tks_cupti_kernel_name n;
		char bytes[sizeof(struct tks_cupti_kernel_name) + TKS_CUPTI_NAME_MAX];
	} r = { 0 };

	r.n.id = id;
	r.n.len = strlen(name);
	r.n.h = (struct tks_header){ .kind = TKS_KIND_CUPTI_NAME,
				     .size = sizeof(r.n) + r.n.len,
				     .time_ns = NOW,
				     .tgid = tgid };
	memcpy(r.n.name, name, r.n.len);
	activity_record(a, &r.n.h);
}

/* The UUID is 16 times the number; so is the PCI bus. */
static inline void tell_device(struct activity *a, uint32_t tgid, uint32_t ordinal, uint8_t gpu)
{
	struct tks_cupti_device_record r = {
		.h = { .kind = TKS_KIND_CUPTI_DEVICE, .size = sizeof(r), .tgid = tgid },
		.device = { .ordinal = ordinal, .pci_bus = gpu, .name = "NVIDIA H100" },
	};

	memset(r.device.uuid, gpu, sizeof(r.device.uuid));
	activity_record(a, &r.h);
}

#define UUID_1 "GPU-01010101-0101-0101-0101-010101010101"
#define UUID_2 "GPU-02020202-0202-0202-0202-020202020202"

/* ------------------------------------------------------------------ the registry */

static inline bool series_has(const struct metric_family *f, const struct snapshot_series *s,
			      const char *label, const char *value)
{
	for (size_t i = 0; i < f->label_count; i++)
		if (!strcmp(f->labels[i], label))
			return !strcmp(s->values[i] ?: "", value);
	return false;
}

/* The series with these two labels (NULL: any); its value, or of a histogram its count and sum. -1: there is none. */
static inline double value_of(struct registry *r, enum metric_id id, const char *const labels[4],
			      double *sum)
{
	struct snapshot *snap = registry_snapshot(r);
	const struct snapshot_family *sf = &snap->families[id];
	double value = -1;

	for (size_t i = 0; i < sf->count; i++) {
		const struct snapshot_series *s = &sf->series[i];

		if ((labels[0] && !series_has(sf->family, s, labels[0], labels[1])) ||
		    (labels[2] && !series_has(sf->family, s, labels[2], labels[3])))
			continue;
		assert_true(value == -1); /* only one */
		value = sf->family->type == METRIC_HISTOGRAM ? (double)s->hist.count : s->value;
		if (sum)
			*sum = s->hist.sum;
	}
	snapshot_free(snap);
	return value;
}

#define LABELS(...) ((const char *const[4]){ __VA_ARGS__ })

static inline void check_near(double got, double want)
{
	if (got < want - 1e-12 || got > want + 1e-12)
		fail_msg("%.12f, not %.12f", got, want);
}

static inline void check_hist(struct registry *r, enum metric_id id, const char *const labels[4],
			      uint64_t count, double sum)
{
	double got = 0;

	assert_int_equal((int64_t)value_of(r, id, labels, &got), count);
	check_near(got, sum);
}

static inline void check_value(struct registry *r, enum metric_id id, const char *const labels[4],
			       double want)
{
	check_near(value_of(r, id, labels, NULL), want);
}

#endif
