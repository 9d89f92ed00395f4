// SPDX-License-Identifier: Apache-2.0
/* Which GPU a number means: PCI addresses, minors, instances. */
#include "gpu/inventory.h"
#include "gpu_proc.h"

static struct gpu_proc proc;

static void list(const char *address, const char *information)
{
	gpu_proc_list(&proc, address, information);
}

static int open_world(void **state)
{
	gpu_proc_open(&proc);
	*state = gpu_inventory_new(proc.path);
	return *state ? 0 : -1;
}

static int close_world(void **state)
{
	gpu_inventory_free(*state);
	gpu_proc_close(&proc);
	return 0;
}

static void check(const struct gpu_entry *g, uint32_t index, const char *uuid)
{
	assert_non_null(g);
	assert_int_equal(g->index, index);
	assert_string_equal(g->uuid, uuid);
}

/* As of an HGX board, with one GPU that is excluded and one that is far away. */
static void list_four(void)
{
	list("0000:07:00.0",
	     "Model: \t\t NVIDIA A100-SXM4-40GB\nIRQ:   \t\t 16\nGPU UUID: \t GPU-aa\nVideo BIOS: \t 92\n"
	     "Bus Location: \t 0000:07:00.0\nDevice Minor: \t 2\nGPU Firmware: \t 535\nGPU Excluded:\t No\n");
	list("0000:0f:00.0", "GPU UUID: \t GPU-bb\nDevice Minor: \t 3\nGPU Excluded:\t No\n");
	list("0000:47:00.0", "GPU UUID: \t GPU-cc\nDevice Minor: \t 0\nGPU Excluded:\t Yes\n");
	list("0001:00:00.0", "GPU UUID: \t GPU-dd\nDevice Minor: \t 1\nBlacklisted:\t No\n");
	list("0000:90:00.0", "GPU UUID: \t GPU-ee\nDevice Minor: \t 4\nBlacklisted:\t Yes\n");
}

static void test_order(void **state)
{
	list_four();
	check(gpu_inventory_by_minor(*state, 2), 0, "GPU-aa");
	check(gpu_inventory_by_minor(*state, 3), 1, "GPU-bb");
	check(gpu_inventory_by_minor(*state, 1), 2, "GPU-dd");
	check(gpu_inventory_by_id(*state, gpu_id(0, 0x0f, 0)), 1, "GPU-bb");
	check(gpu_inventory_by_id(*state, gpu_id(1, 0, 0)), 2, "GPU-dd");
	/* Hyper-V's domains have 32 bits, of which the driver takes half. */
	check(gpu_inventory_by_id(*state, gpu_id(0xabcd0001, 0, 0)), 2, "GPU-dd");
	assert_null(gpu_inventory_by_minor(*state, 0));
	assert_null(gpu_inventory_by_minor(*state, 4));
	assert_null(gpu_inventory_by_minor(*state, 0xffffffff));
	assert_null(gpu_inventory_by_id(*state, gpu_id(0, 0x47, 0)));
}

static void test_instances(void **state)
{
	list_four();
	assert_null(gpu_inventory_by_instance(*state, 0));
	gpu_inventory_learn(*state, 0, gpu_id(0, 0x0f, 0));
	gpu_inventory_learn(*state, 1, gpu_id(1, 0, 0));
	check(gpu_inventory_by_instance(*state, 0), 1, "GPU-bb");
	check(gpu_inventory_by_instance(*state, 1), 2, "GPU-dd");
	/* All were closed, and others opened first. */
	gpu_inventory_learn(*state, 0, gpu_id(1, 0, 0));
	check(gpu_inventory_by_instance(*state, 0), 2, "GPU-dd");
	assert_null(gpu_inventory_by_instance(*state, 1));
	gpu_inventory_learn(*state, 2, gpu_id(0, 0x77, 0)); /* not listed */
	assert_null(gpu_inventory_by_instance(*state, 2));
	gpu_inventory_learn(*state, 0, gpu_id(0, 0x77, 0));
	check(gpu_inventory_by_instance(*state, 0), 2, "GPU-dd");
	gpu_inventory_learn(*state, 32, gpu_id(0, 7, 0)); /* NV_MAX_DEVICES */
	assert_null(gpu_inventory_by_instance(*state, 32));
	assert_null(gpu_inventory_by_instance(*state, 0xffffffff));
}

static void test_the_only_gpu(void **state)
{
	list("0000:01:00.0", "Device Minor: \t 5\n");
	check(gpu_inventory_by_instance(*state, 0), 0, "");
	assert_null(gpu_inventory_by_instance(*state, 1));
}

static void test_no_driver(void **state)
{
	assert_null(gpu_inventory_by_minor(*state, 0));
	assert_null(gpu_inventory_by_id(*state, 1));
	assert_null(gpu_inventory_by_instance(*state, 0));
}

/* What no driver writes. */
static void test_garbage(void **state)
{
	char name[32];

	list("0000:01:00.0", "Device Minor: \t -1\nGPU UUID: \t $(reboot)\n");
	list("zz", "Device Minor: \t 1\n");
	list("0000:02:00.0", "GPU UUID: \t GPU-\?\?\?\?\?\?\?\?-\?\?\?\?\n");
	check(gpu_inventory_by_id(*state, gpu_id(0, 1, 0)), 0, "");
	check(gpu_inventory_by_id(*state, gpu_id(0, 2, 0)), 1, "");
	assert_null(gpu_inventory_by_minor(*state, 1));
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "0000:%02x:00.0", i + 16);
		list(name, "Device Minor: \t 7\n");
	}
	gpu_inventory_free(*state);
	*state = gpu_inventory_new(proc.path);
	assert_non_null(
		gpu_inventory_by_minor(*state, 7)); /* of 42, those that the driver can have */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_order),     TEST(test_instances), TEST(test_the_only_gpu),
		TEST(test_no_driver), TEST(test_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
