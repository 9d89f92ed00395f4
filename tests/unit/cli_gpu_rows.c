// SPDX-License-Identifier: Apache-2.0
/* The rows of `tokscope gpu show`, from records of GPU work. */
#include <stdlib.h>

#include "gpu_world.h"

#include "cli/gpu_rows.h"

static void owner(void *ctx, uint32_t tgid, struct activity_owner *out)
{
	(void)ctx;
	out->id = tgid;
	out->labels[0] = tgid == 10 ? "one" : "two";
}

static void take(struct registry *r, const struct activity *a, struct gpu_rows *rows,
		 uint64_t now_ns)
{
	struct snapshot *snap = registry_snapshot(r);

	gpu_rows_take(rows, snap, activity_devices(a), now_ns);
	snapshot_free(snap);
}

static size_t row_of(const struct gpu_rows *rows, const char *uuid)
{
	for (size_t i = 0; i < rows->count; i++)
		if (!strcmp(rows->rows[i].uuid, uuid))
			return i;
	fail_msg("no row of %s", uuid);
	return 0;
}

static void test_rows(void **state)
{
	const struct registry_config rc = { 0 };
	const struct activity_config ac = { .owner = owner };
	struct registry *r = registry_new(&rc);
	struct activity *a = activity_new(r, &ac);
	const char *reserved[METRIC_LABELS_MAX] = { "one", [OWNER_LABELS] = "unknown" };
	struct gpu_rows *first = calloc(1, sizeof(*first)), *second = calloc(1, sizeof(*second));
	struct gpu_row row;

	(void)state;
	tell_device(a, 10, 0, 1);
	tell_device(a, 20, 0, 1);
	tell_device(a, 20, 1, 2);
	tell_name(a, 10, 1, "rms_norm");
	TELL(a, 10, { .kind = TKS_CUPTI_KERNEL, .name = 1, SPAN(0, 1000) },
	     { .kind = TKS_CUPTI_MEMCPY, .sub = TKS_CUPTI_DTOH, .bytes = 50, SPAN(1000, 2000) });
	activity_tick(a, NOW);
	take(r, a, first, NOW);
	assert_int_equal(first->count, 1);
	assert_true(first->rows[0].reserved == -1);

	TELL(a, 10, { .kind = TKS_CUPTI_KERNEL, .name = 1, SPAN(200 * MS, 300 * MS) },
	     { .kind = TKS_CUPTI_KERNEL, .name = 1, SPAN(400 * MS, 450 * MS) },
	     { .kind = TKS_CUPTI_MEMCPY,
	       .sub = TKS_CUPTI_DTOH,
	       .bytes = 300,
	       SPAN(450 * MS, 500 * MS) });
	TELL(a, 20, { .kind = TKS_CUPTI_GRAPH, SPAN(250 * MS, 350 * MS) },
	     { .kind = TKS_CUPTI_GRAPH, .device = 1, SPAN(0, 500 * MS) });
	registry_set(r, M_GPU_MEMORY_RESERVED, 10, reserved, 4096);
	activity_tick(a, NOW);
	take(r, a, second, NOW + 500 * MS);
	assert_int_equal(second->count, 2);

	row = gpu_rows_rate(second, first, row_of(second, UUID_1));
	assert_string_equal(row.gpu, GPU_INDEX_NONE);
	check_near(row.busy_s, (150 + 100) / 500.0);
	check_near(row.kernels[KERNEL_NORM], 4);
	check_near(row.kernels[KERNEL_GEMM], 0);
	check_near(row.graphs, 2);
	check_near(row.bytes[TKS_CUPTI_DTOH], 600);
	check_near(row.reserved, 4096);
	assert_int_equal(row.process_count, 2);
	assert_int_equal(row.processes[0] + row.processes[1], 30);

	row = gpu_rows_rate(second, first, row_of(second, UUID_2));
	check_near(row.busy_s, 1);
	check_near(row.graphs, 2);
	assert_int_equal(row.process_count, 1);
	assert_int_equal(row.processes[0], 20);
	activity_free(a);
	registry_free(r);
	free(first);
	free(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
