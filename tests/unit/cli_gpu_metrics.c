// SPDX-License-Identifier: Apache-2.0
/* The GPU that a driver call is about, as its label says it. */
#include <stdlib.h>

#include "cli/gpu_metrics.h"
#include "gpu_proc.h"
#include "gpu_world.h"

struct world {
	struct gpu_proc proc;
	struct registry *r;
	struct discovery *d;
	struct gpu_inventory *inventory;
	struct gpu_metrics *g;
};

/* Two GPUs, whose minors are not in the order of their addresses. */
static int open_world(void **state)
{
	const struct registry_config rc = { 0 };
	const struct discovery_config dc = { .proc_root = "/nonexistent", .host_id = "host" };
	const struct discovery_ops ops = { 0 };
	struct world *w = calloc(1, sizeof(*w));

	*state = w;
	gpu_proc_open(&w->proc);
	gpu_proc_list(&w->proc, "0000:01:00.0", "Device Minor: \t 1\n");
	gpu_proc_list(&w->proc, "0000:02:00.0", "Device Minor: \t 0\n");
	w->r = registry_new(&rc);
	w->d = discovery_new(&dc, &ops, NULL);
	w->inventory = gpu_inventory_new(w->proc.path);
	w->g = gpu_metrics_new(w->r, w->inventory);
	return w->d && w->g ? 0 : -1;
}

static int close_world(void **state)
{
	struct world *w = *state;

	gpu_metrics_free(w->g);
	gpu_inventory_free(w->inventory);
	discovery_free(w->d);
	registry_free(w->r);
	gpu_proc_close(&w->proc);
	free(w);
	return 0;
}

/* Each of these names what matters to it. */
#define RECORD(w, ...) \
	gpu_metrics_record((w)->g, (w)->d, &(const struct tks_gpu){ .client = 1, __VA_ARGS__ })

static void device(struct world *w, uint32_t object, uint32_t instance)
{
	RECORD(w, .event = TKS_GPU_ALLOC, .kind = TKS_GPU_KIND_DEVICE, .parent = 1,
	       .object = object, .gpu = instance);
}

static void refused(struct world *w, uint32_t parent, uint32_t minor)
{
	RECORD(w, .event = TKS_GPU_ALLOC, .kind = TKS_GPU_KIND_VIDMEM, .class_number = 0x40,
	       .parent = parent, .object = 99, .gpu = minor, .status = 0x51);
}

static void check(struct world *w, const char *gpu, double failures)
{
	check_value(w->r, M_GPU_ALLOCATION_FAILURES, LABELS("gpu", gpu), failures);
}

static void test_labels(void **state)
{
	struct world *w = *state;

	RECORD(w, .event = TKS_GPU_IDENTITY, .object = gpu_id(0, 2, 0), .gpu = 0);
	RECORD(w, .event = TKS_GPU_IDENTITY, .object = gpu_id(0, 1, 0), .gpu = 1, .status = 0x1f);
	device(w, 10, 0);
	device(w, 11, 1); /* which it is the driver did not say */
	refused(w, 10, TKS_GPU_UNKNOWN);
	refused(w, 11, TKS_GPU_UNKNOWN);
	refused(w, 11, TKS_GPU_UNKNOWN);
	refused(w, 12, 1); /* through the node of the first */
	refused(w, 12, 1);
	refused(w, 12, 1);
	check(w, "1", 1);
	check(w, "unknown", 2);
	check(w, "0", 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_labels, open_world, close_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
