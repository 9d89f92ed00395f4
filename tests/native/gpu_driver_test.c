// SPDX-License-Identifier: Apache-2.0
/*
 * GPU driver calls that a driver answers, by both hooks. Only where the fake driver of tests/vm is loaded: the real one
 * is left in peace. What is recorded is what the driver has written into the caller's struct, not what was asked.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../vm/fake_nvidia/fake_nvidia.h"
#include "gpu_stage.h"

/* ------------------------------------------------------------------ scenes */

static uint32_t alloc(int fd, uint32_t client, uint32_t parent, uint32_t class_number,
		      const void *params)
{
	uint32_t arg[12] = { client, parent, 0, class_number };

	put64(arg, 16, (uintptr_t)params);
	if (gpu_call(fd, 0x2b, arg, sizeof(arg)))
		_exit(98);
	return arg[2];
}

static void scene_life(void)
{
	char device[56] = { 0 }, memory[128] = { 0 };
	int ctl = gpu_open(GPU_CTL);
	uint32_t client, parent, object;

	client = alloc(ctl, 0, 0, 0x41, NULL);
	put32(device, 0, 4);
	parent = alloc(ctl, client, client, 0x80, device);
	put64(memory, 64, 3 << 20);
	object = alloc(ctl, client, parent, 0x40, memory);
	gpu_call(ctl, 0x29, (uint32_t[]){ client, parent, object, 0 }, 16);
	close(ctl);
}

static void test_life(void **state)
{
	struct gpu_stage *s = *state;
	const struct tks_gpu *r = s->records;

	gpu_play(s, scene_life, true);
	assert_int_equal(s->n, 5);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(r[i].ret, 0);
		assert_int_equal(r[i].status, 0);
		assert_int_equal(r[i].client, r[0].object);
		assert_int_equal(r[i].file, r[0].file);
	}
	assert_int_equal(r[0].kind, TKS_GPU_KIND_CLIENT);
	assert_true(r[0].object >= 0x5c000000); /* the driver's choice */
	assert_int_equal(r[1].kind, TKS_GPU_KIND_DEVICE);
	assert_int_equal(r[1].gpu, 4);
	assert_int_equal(r[2].kind, TKS_GPU_KIND_VIDMEM);
	assert_int_equal(r[2].parent, r[1].object);
	assert_int_equal(r[2].bytes, 3 << 20);
	assert_int_equal(r[2].gpu, TKS_GPU_UNKNOWN); /* called through nvidiactl */
	assert_int_equal(r[3].event, TKS_GPU_FREE);
	assert_int_equal(r[3].object, r[2].object);
	assert_int_equal(r[4].event, TKS_GPU_CLOSE);
	assert_int_equal(r[4].file, r[0].file);
}

/* The system call returns 0, the status says no. */
static void scene_refused(void)
{
	struct fake_nvidia_answer answer = { .delay_us = 2000, .count = 2 };
	uint32_t arg[12] = { CLIENT, DEVICE, MEMORY, 0x40 };
	char memory[128] = { 0 };
	int fd = gpu_open(GPU_NODE);

	put64(arg, 16, (uintptr_t)memory);
	answer.writes[0] = (struct fake_nvidia_write){ (uintptr_t)&arg[10], 0x51, 4 };
	answer.writes[1] = (struct fake_nvidia_write){ (uintptr_t)(memory + 64), 4 << 20, 8 };
	if (ioctl(fd, FAKE_NVIDIA_ANSWER, &answer) || gpu_call(fd, 0x2b, arg, sizeof(arg)))
		_exit(98);
	memset(arg, 0, sizeof(arg));
	arg[2] = 0x20801303;
	gpu_call(fd, 0x2a, arg, 32); /* not supported by the fake: status 0x56, result 0 */
}

static void test_refused(void **state)
{
	static struct gpu_tally before, after;
	struct gpu_stage *s = *state;
	const struct tks_gpu *r = s->records;
	const enum tks_gpu_command class = TKS_GPU_CLASS_MEMORY_LOCAL_USER,
				   control = TKS_GPU_CONTROL_FB_GET_INFO_V2;

	gpu_tally(s, &before);
	gpu_play(s, scene_refused, true);
	gpu_tally(s, &after);
	assert_true(s->n >= 1);
	assert_int_equal(r[0].event, TKS_GPU_ALLOC);
	assert_int_equal(r[0].ret, 0);
	assert_int_equal(r[0].status, 0x51);
	assert_int_equal(r[0].bytes, 4 << 20);
	assert_int_equal(r[0].gpu, 0);
	assert_int_equal(after.failed[TKS_GPU_DEVICE_GPU][class] -
				 before.failed[TKS_GPU_DEVICE_GPU][class],
			 1);
	assert_int_equal(after.count[TKS_GPU_DEVICE_GPU][control] -
				 before.count[TKS_GPU_DEVICE_GPU][control],
			 1);
	assert_int_equal(after.failed[TKS_GPU_DEVICE_GPU][control] -
				 before.failed[TKS_GPU_DEVICE_GPU][control],
			 1);
	assert_true(after.sum_ns - before.sum_ns >= 2000000);
}

/* The driver fills in the instance. */
static void scene_identity(void)
{
	uint32_t info[8] = { 0x10700 }, arg[8] = { CLIENT, CLIENT, 0x205 };
	struct fake_nvidia_answer answer = { .count = 2 };
	int fd = gpu_open(GPU_CTL);

	put64(arg, 16, (uintptr_t)info);
	answer.writes[0] = (struct fake_nvidia_write){ (uintptr_t)&info[2], 3, 4 };
	answer.writes[1] = (struct fake_nvidia_write){ (uintptr_t)&arg[7], 0, 4 };
	if (ioctl(fd, FAKE_NVIDIA_ANSWER, &answer) || gpu_call(fd, 0x2a, arg, sizeof(arg)))
		_exit(98);
	close(fd);
}

static void test_identity(void **state)
{
	struct gpu_stage *s = *state;
	const struct tks_gpu *r = s->records;

	gpu_play(s, scene_identity, true);
	assert_int_equal(s->n, 2); /* and the end of the file */
	assert_int_equal(r[0].event, TKS_GPU_IDENTITY);
	assert_int_equal(r[0].object, 0x10700);
	assert_int_equal(r[0].gpu, 3);
	assert_int_equal(r[0].ret, 0);
	assert_int_equal(r[0].status, 0);
}

static void scene_many(void)
{
	uint32_t arg[4] = { CLIENT, DEVICE, MEMORY, 0 };
	int fd = gpu_open(GPU_CTL);

	for (int i = 0; i < 2000; i++)
		gpu_call(fd, 0x29, arg, 16);
}

static void test_every_call(void **state)
{
	static struct gpu_tally before, after;
	struct gpu_stage *s = *state;

	gpu_tally(s, &before);
	gpu_play(s, scene_many, true);
	gpu_tally(s, &after);
	assert_int_equal(after.count[TKS_GPU_DEVICE_CTL][TKS_GPU_RM_FREE] -
				 before.count[TKS_GPU_DEVICE_CTL][TKS_GPU_RM_FREE],
			 2000);
	assert_int_equal(after.failed[TKS_GPU_DEVICE_CTL][TKS_GPU_RM_FREE], 0);
	assert_int_equal(gpu_lost(s, "return_missed"), 0);
	assert_int_equal(gpu_lost(s, "pending_map"), 0);
	gpu_play(s, scene_many, false);
	assert_int_equal(s->n, 0);
}

/* ------------------------------------------------------------------ main */

static int run(enum gpu_hook hook)
{
	static struct gpu_stage stage;
	struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_every_call),
	};
	int failed;

	memset(&stage, 0, sizeof(stage));
	stage.loader = gpu_load(hook, 195, 0, &stage);
	if (!stage.loader)
		return 1;
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tests[i].initial_state = &stage;
	failed = _cmocka_run_group_tests(gpu_hook_name(hook), tests,
					 sizeof(tests) / sizeof(tests[0]), NULL, NULL);
	loader_free(stage.loader);
	return failed;
}

static void no_fake_driver(void **state)
{
	(void)state;
	skip();
}

int main(void)
{
	const struct CMUnitTest absent[] = { cmocka_unit_test(no_fake_driver) };

	if (!gpu_fake_loaded())
		return cmocka_run_group_tests(absent, NULL, NULL);
	return run(GPU_HOOK_KPROBE) + run(GPU_HOOK_TRACEPOINT);
}
