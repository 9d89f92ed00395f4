// SPDX-License-Identifier: Apache-2.0
/* Kernel cells to histograms: exponential slots exact, the sum exact, only what is new. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "gpu/latency.h"
#include "metric/bounds.h"
#include "tks_hist.h"

struct stage {
	struct registry *registry;
	struct gpu_latency *latency;
	struct snapshot *snapshot;
};

static int open_stage(void **state)
{
	static struct stage s;
	const struct registry_config config = { 0 };

	s = (struct stage){ .registry = registry_new(&config) };
	s.latency = gpu_latency_new(s.registry);
	*state = &s;
	return s.latency ? 0 : -1;
}

static int close_stage(void **state)
{
	struct stage *s = *state;

	snapshot_free(s->snapshot);
	gpu_latency_free(s->latency);
	registry_free(s->registry);
	return 0;
}

static void tell(struct stage *s, enum tks_gpu_command command, uint64_t ns, uint64_t count,
		 uint64_t sum_ns, uint64_t failed)
{
	const struct tks_gpu_cell_key key = { .device = TKS_GPU_DEVICE_CTL,
					      .command = command,
					      .cell = tks_hist_cell(ns, &tks_hist_ns) };
	const struct tks_gpu_cell cell = { count, sum_ns, failed };

	gpu_latency_cell(s->latency, &key, &cell);
}

static const struct snapshot_series *series(struct stage *s, enum metric_id id, const char *command)
{
	const struct snapshot_family *f;

	snapshot_free(s->snapshot);
	s->snapshot = registry_snapshot(s->registry);
	f = &s->snapshot->families[id];
	for (size_t i = 0; i < f->count; i++)
		if (!strcmp(f->series[i].values[1], command))
			return &f->series[i];
	return NULL;
}

static uint64_t slot(const struct hist *h, int32_t index)
{
	int32_t i = index - h->exp_first;

	return i < 0 || i >= (int32_t)h->exp_len ? 0 : h->exp[i];
}

static void test_fold(void **state)
{
	struct stage *s = *state;
	const struct snapshot_series *d;

	tell(s, TKS_GPU_RM_FREE, 1000, 3, 3000, 1);
	tell(s, TKS_GPU_RM_FREE, 1000000, 1, 1000000, 0);
	d = series(s, M_GPU_IOCTL_DURATION, "RM_FREE");
	assert_non_null(d);
	assert_string_equal(d->values[0], "ctl");
	assert_int_equal(d->hist.count, 4);
	assert_true(fabs(d->hist.sum - 1003e-6) < 1e-12);
	assert_int_equal(
		slot(&d->hist, tks_hist_slot(tks_hist_cell(1000, &tks_hist_ns), &tks_hist_ns)), 3);
	assert_int_equal(slot(&d->hist, hist_index(1e-6)), 3);
	assert_int_equal(slot(&d->hist, hist_index(1e-3)), 1);
	assert_int_equal(d->hist.classic[0], 3); /* le 1 us */
	assert_int_equal(d->hist.classic[9], 1); /* le 1 ms */
	assert_true(bounds_call.le[0] == 1e-6 && bounds_call.le[9] == 1e-3);
	assert_true(series(s, M_GPU_IOCTL_FAILURES, "RM_FREE")->value == 1);
}

static void test_only_what_is_new(void **state)
{
	struct stage *s = *state;

	tell(s, TKS_GPU_RM_FREE, 5000, 2, 10000, 0);
	tell(s, TKS_GPU_RM_FREE, 5000, 2, 10000, 0);
	assert_int_equal(series(s, M_GPU_IOCTL_DURATION, "RM_FREE")->hist.count, 2);
	assert_true(series(s, M_GPU_IOCTL_FAILURES, "RM_FREE")->value == 0);
	tell(s, TKS_GPU_RM_FREE, 5000, 5, 25100, 2);
	assert_int_equal(series(s, M_GPU_IOCTL_DURATION, "RM_FREE")->hist.count, 5);
	assert_true(fabs(series(s, M_GPU_IOCTL_DURATION, "RM_FREE")->hist.sum - 25.1e-6) < 1e-15);
	assert_true(series(s, M_GPU_IOCTL_FAILURES, "RM_FREE")->value == 2);
	assert_null(series(s, M_GPU_IOCTL_DURATION, "RM_ALLOC"));
}

/* The mean of a cell's values stays in the cell's slot, at both of its ends. */
static void test_every_cell(void **state)
{
	struct stage *s = *state;
	int32_t first = tks_hist_slot(tks_hist_cell(1000, &tks_hist_ns), &tks_hist_ns);
	uint64_t count = 0;

	for (uint64_t ns = 1000, cell = 0; ns < 20000000000ULL; ns += ns / 100 + 1) {
		if (tks_hist_cell(ns, &tks_hist_ns) == cell)
			continue;
		/* The first value seen in the cell, near its lower end. */
		cell = tks_hist_cell(ns, &tks_hist_ns);
		tell(s, TKS_GPU_OTHER, ns, 7, 7 * ns, 0);
		count++;
	}
	for (uint64_t i = 0; i < count; i++)
		assert_int_equal(
			slot(&series(s, M_GPU_IOCTL_DURATION, "OTHER")->hist, first + (int32_t)i),
			7);
	assert_true(count > 190); /* 1 us to 20 s: 24 octaves */
}

#define on_stage(test) cmocka_unit_test_setup_teardown(test, open_stage, close_stage)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_stage(test_fold),
		on_stage(test_only_what_is_new),
		on_stage(test_every_cell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
