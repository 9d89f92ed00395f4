// SPDX-License-Identifier: Apache-2.0
/*
 * GPU driver calls by the tracepoint hook, without a GPU: major 1 (/dev/null) stands for nvidia, major 5 (/dev/ptmx) for
 * nvidia-uvm. Their ioctl returns ENOTTY and leaves the struct as the scene has filled it, so every call here counts as
 * failed; what success leads to is for tests/unit/gpu_memory.c and for gpu_driver_test.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "gpu_stage.h"

/* ------------------------------------------------------------------ allocations */

static void scene_alloc(void)
{
	char small[32] = { 0 }, large[48] = { 0 }, device[56] = { 0 };
	int fd = gpu_open("/dev/null");

	fill_alloc(small, CLIENT, 0x41, NULL);
	put32(small, 0, 0);
	put32(small, 28, 0x1f);
	gpu_call(fd, 0x2b, small, sizeof(small));
	put32(device, 0, 2);
	fill_alloc(large, DEVICE, 0x80, device);
	gpu_call(fd, 0x2b, large, sizeof(large));
	alloc_memory(fd, 0, 0, 2 << 20, 0x51);
	alloc_memory(fd, 0, 1 << 25, 4096, 0);
	alloc_memory(fd, 0x00080000, 0, 1 << 30, 0); /* address space only: not told */
}

static void test_alloc(void **state)
{
	struct gpu_stage *s = *state;
	const struct tks_gpu *r = s->records;

	gpu_play(s, scene_alloc, true);
	assert_int_equal(s->n, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(r[i].event, TKS_GPU_ALLOC);
		assert_int_equal(r[i].ret, -ENOTTY);
		assert_int_equal(r[i].client, CLIENT);
		assert_int_equal(r[i].parent, DEVICE);
		assert_int_equal(r[i].h.size, sizeof(*r));
		assert_true(r[i].file && r[i].file == r[0].file);
	}
	assert_int_equal(r[0].kind, TKS_GPU_KIND_CLIENT);
	assert_int_equal(r[0].object, CLIENT);
	assert_int_equal(r[0].class_number, 0x41);
	assert_int_equal(r[0].status, 0x1f);
	assert_int_equal(r[0].gpu, 3); /* the minor of /dev/null */
	assert_int_equal(r[1].kind, TKS_GPU_KIND_DEVICE);
	assert_int_equal(r[1].object, DEVICE);
	assert_int_equal(r[1].gpu, 2);
	assert_int_equal(r[1].status, 0);
	assert_int_equal(r[2].kind, TKS_GPU_KIND_VIDMEM);
	assert_int_equal(r[2].object, MEMORY);
	assert_int_equal(r[2].bytes, 2 << 20);
	assert_int_equal(r[2].status, 0x51);
	assert_int_equal(r[3].kind, TKS_GPU_KIND_SYSMEM);
	assert_int_equal(r[3].bytes, 4096);
}

/* ------------------------------------------------------------------ the other ways to make and end memory */

static void heap(int fd, uint32_t function, uint64_t bytes)
{
	char arg[184] = { 0 };

	put32(arg, 0, CLIENT);
	put32(arg, 4, DEVICE);
	put32(arg, 8, function);
	put32(arg, 20, 0x1a);
	put32(arg, 44, MEMORY);
	put64(arg, 88, bytes);
	gpu_call(fd, 0x4a, arg, sizeof(arg));
}

static void scene_memory(void)
{
	char limit[56] = { 0 }, dup[28] = { 0 }, gone[16] = { 0 }, inner[48] = { 0 },
	     outer[16] = { 0 };
	int fd = gpu_open("/dev/null");

	heap(fd, 2, 65536);
	heap(fd, 3, 0);
	heap(fd, 5, 0); /* INFO: not told */
	fill_alloc(limit, MEMORY, 0x3f, NULL);
	put64(limit, 32, 0xfffff);
	gpu_call(fd, 0x27, limit, sizeof(limit));
	for (uint32_t i = 0; i < 5; i++)
		put32(dup, 4 * i, i + 1);
	put32(dup, 24, 0x57);
	gpu_call(fd, 0x34, dup, sizeof(dup));
	put32(gone, 0, CLIENT);
	put32(gone, 8, MEMORY);
	gpu_call(fd, 0x29, gone, sizeof(gone));
	fill_alloc(inner, 7, 0x2080, NULL);
	put32(outer, 0, 0x2b);
	put32(outer, 4, sizeof(inner));
	put64(outer, 8, (uintptr_t)inner);
	gpu_call(fd, 211, outer, sizeof(outer));
}

static void test_memory(void **state)
{
	struct gpu_stage *s = *state;
	const struct tks_gpu *r = s->records;

	gpu_play(s, scene_memory, true);
	assert_int_equal(s->n, 6);
	assert_int_equal(r[0].event, TKS_GPU_ALLOC);
	assert_int_equal(r[0].kind, TKS_GPU_KIND_VIDMEM);
	assert_int_equal(r[0].class_number, 0x40);
	assert_int_equal(r[0].object, MEMORY);
	assert_int_equal(r[0].bytes, 65536);
	assert_int_equal(r[0].status, 0x1a);
	assert_int_equal(r[1].event, TKS_GPU_FREE);
	assert_int_equal(r[1].object, MEMORY);
	assert_int_equal(r[2].event, TKS_GPU_ALLOC);
	assert_int_equal(r[2].class_number, 0x3f);
	assert_int_equal(r[2].bytes, 1 << 20);
	assert_int_equal(r[3].event, TKS_GPU_DUP);
	assert_int_equal(r[3].client, 1);
	assert_int_equal(r[3].parent, 2);
	assert_int_equal(r[3].object, 3);
	assert_int_equal(r[3].source_client, 4);
	assert_int_equal(r[3].source_object, 5);
	assert_int_equal(r[3].status, 0x57);
	assert_int_equal(r[4].event, TKS_GPU_FREE);
	assert_int_equal(r[4].client, CLIENT);
	assert_int_equal(r[4].object, MEMORY);
	assert_int_equal(r[5].event, TKS_GPU_ALLOC);
	assert_int_equal(r[5].kind, TKS_GPU_KIND_SUBDEVICE);
	assert_int_equal(r[5].object, 7);
}

/* ------------------------------------------------------------------ which GPU an instance is */

static void scene_identity(void)
{
	char arg[32] = { 0 }, info[32] = { 0 };
	int fd = gpu_open("/dev/null");

	put32(info, 0, 0x10700); /* the GPU at 0001:07:00 */
	put32(info, 8, 5);
	put32(arg, 0, CLIENT);
	put32(arg, 8, 0x202);
	put64(arg, 16, (uintptr_t)info);
	put32(arg, 28, 0x1f);
	gpu_call(fd, 0x2a, arg, sizeof(arg));
	put32(arg, 8, 0x205);
	put32(info, 8, 6);
	gpu_call(fd, 0x2a, arg, sizeof(arg));
	put32(arg, 8, 0x201); /* another question */
	gpu_call(fd, 0x2a, arg, sizeof(arg));
	put32(arg, 8, 0x205);
	put64(arg, 16, 0);
	gpu_call(fd, 0x2a, arg, sizeof(arg));
	put64(arg, 16, 1); /* unreadable */
	gpu_call(fd, 0x2a, arg, sizeof(arg));
}

static void test_identity(void **state)
{
	struct gpu_stage *s = *state;
	uint64_t unread = gpu_lost(s, "gpu_read");
	const struct tks_gpu *r = s->records;

	gpu_play(s, scene_identity, true);
	assert_int_equal(s->n, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(r[i].event, TKS_GPU_IDENTITY);
		assert_int_equal(r[i].object, 0x10700);
		assert_int_equal(r[i].gpu, 5 + i);
		assert_int_equal(r[i].status, 0x1f);
	}
	assert_int_equal(gpu_lost(s, "gpu_read") - unread, 1);
}

/* ------------------------------------------------------------------ counting */

static void scene_count(void)
{
	char arg[64] = { 0 };
	int fd = gpu_open("/dev/null"), uvm = open("/dev/ptmx", O_RDWR | O_NOCTTY), zero = 0;

	put32(arg, 8, 0x20801303);
	gpu_call(fd, 0x2a, arg, 32);
	put32(arg, 8, 0x12345678);
	gpu_call(fd, 0x2a, arg, 32);
	put32(arg, 12, 0xc86f);
	gpu_call(fd, 0x2b, arg, 48);
	gpu_call(fd, 0x57, arg, 56);
	gpu_call(fd, 0x57, arg, 64);
	gpu_call(fd, 0x4f, arg, 32);
	gpu_call(fd, 201, arg, 4);
	ioctl(fd, _IOC(_IOC_READ, 'z', 201, 4), arg); /* the driver does not look at the type */
	ioctl(fd, FIONBIO, &zero);		      /* succeeds */
	ioctl(uvm, 73, arg);
	ioctl(uvm, 0x30000001, arg);
}

static void test_count(void **state)
{
	static struct gpu_tally before, after;
	struct gpu_stage *s = *state;
	const uint64_t *gpu, *uvm;

	gpu_tally(s, &before);
	gpu_play(s, scene_count, true);
	gpu_tally(s, &after);
	assert_int_equal(s->n, 0);
	assert_int_equal(after.all - before.all, 11);
	assert_true(after.sum_ns - before.sum_ns > 11 * 20); /* no call takes less than 20 ns */
	gpu = after.count[TKS_GPU_DEVICE_GPU];
	uvm = after.count[TKS_GPU_DEVICE_UVM];
	assert_int_equal(gpu[TKS_GPU_CONTROL_FB_GET_INFO_V2], 1);
	assert_int_equal(gpu[TKS_GPU_RM_CONTROL], 1);
	assert_int_equal(gpu[TKS_GPU_CLASS_HOPPER_CHANNEL_GPFIFO_A], 1);
	assert_int_equal(gpu[TKS_GPU_RM_MAP_MEMORY_DMA], 2);
	assert_int_equal(gpu[TKS_GPU_RM_UNMAP_MEMORY], 1);
	assert_int_equal(gpu[TKS_GPU_REGISTER_FD], 2);
	assert_int_equal(gpu[TKS_GPU_OTHER], 1);
	assert_int_equal(after.failed[TKS_GPU_DEVICE_GPU][TKS_GPU_RM_MAP_MEMORY_DMA], 2);
	assert_int_equal(after.failed[TKS_GPU_DEVICE_GPU][TKS_GPU_OTHER], 0);
	assert_int_equal(uvm[TKS_GPU_UVM_CREATE_EXTERNAL_RANGE], 1);
	assert_int_equal(uvm[TKS_GPU_UVM_INITIALIZE], 1);
}

static void scene_losses(void)
{
	char arg[64] = { 0 }, outer[16] = { 0 };
	int fd = gpu_open("/dev/null");

	put32(outer, 0, 0x29);
	put32(outer, 4, 0x10010); /* 16 in its lower half */
	put64(outer, 8, (uintptr_t)arg);
	gpu_call(fd, 211, outer, sizeof(outer));
	gpu_call(fd, 0x29, arg, 20);  /* no such version */
	gpu_call(fd, 0x29, NULL, 16); /* unreadable */
	gpu_call(fd, 211, NULL, 16);  /* unreadable wrapper */
	gpu_call(fd, 0x35, NULL, 20); /* not decoded, so nothing is lost */
}

static void test_losses(void **state)
{
	struct gpu_stage *s = *state;
	uint64_t layout = gpu_lost(s, "gpu_layout"), unread = gpu_lost(s, "gpu_read");

	gpu_play(s, scene_losses, true);
	assert_int_equal(s->n, 0);
	assert_int_equal(gpu_lost(s, "gpu_layout") - layout, 2);
	assert_int_equal(gpu_lost(s, "gpu_read") - unread, 2);
	assert_int_equal(gpu_lost(s, "gpu_cells"), 0);
	assert_int_equal(gpu_lost(s, "pending_map"), 0);
	assert_int_equal(gpu_lost(s, "return_missed"), 0);
}

/* ------------------------------------------------------------------ who is traced, and until when */

static void scene_close(void)
{
	int fd = gpu_open("/dev/null"), again = dup(fd), other = open("/dev/urandom", O_RDONLY);

	alloc_memory(fd, 0, 0, 1, 0);
	close(fd);
	alloc_memory(again, 0, 0, 2, 0);
	close(again);
	close(other); /* major 1 too */
	close(-1);
}

static void test_close(void **state)
{
	struct gpu_stage *s = *state;
	const struct tks_gpu *r = s->records;

	gpu_play(s, scene_close, true);
	assert_int_equal(s->n, 4);
	assert_int_equal(r[0].bytes, 1);
	assert_int_equal(r[1].bytes, 2);
	assert_int_equal(r[1].file, r[0].file);
	assert_int_equal(r[2].event, TKS_GPU_CLOSE);
	assert_int_equal(r[2].file, r[0].file);
	assert_int_equal(r[3].event, TKS_GPU_CLOSE);
	assert_int_not_equal(r[3].file, r[0].file);
}

static void test_strangers(void **state)
{
	static struct gpu_tally before, after;
	struct gpu_stage *s = *state;

	gpu_tally(s, &before);
	gpu_play(s, scene_alloc, false);
	assert_int_equal(s->n, 0);
	assert_int_equal(loader_select(s->loader, getpid()), 0);
	scene_close(); /* the agent itself */
	assert_true(loader_consume(s->loader) >= 0);
	loader_unselect(s->loader, getpid());
	assert_int_equal(s->n, 0);
	gpu_tally(s, &after);
	assert_int_equal(after.all, before.all);
}

/* ------------------------------------------------------------------ choosing a hook */

static void never(void *ctx, const struct tks_gpu_cell_key *key, const struct tks_gpu_cell *sum)
{
	(void)ctx;
	(void)key;
	(void)sum;
	fail();
}

static void test_hooks(void **state)
{
	struct gpu_stage *s = *state;
	struct loader *l = gpu_load(GPU_HOOK_AUTO, 1, 5, s);
	bool driver = !access("/sys/module/nvidia", F_OK);

	assert_int_equal(loader_gpu_hook(s->loader), GPU_HOOK_TRACEPOINT);
	assert_true(gpu_has_program(s->loader, "gpu_sys_enter"));
	assert_false(gpu_has_program(s->loader, "gpu_ioctl"));
	assert_non_null(l);
	if (!driver) {
		assert_int_equal(loader_gpu_hook(l), GPU_HOOK_OFF);
		assert_false(gpu_has_program(l, "gpu_sys_enter"));
		loader_gpu_cells(l, never, NULL);
	}
	loader_free(l);
	if (driver)
		return;
	/* Asked for by name, it is not left out in silence. */
	assert_null(gpu_load(GPU_HOOK_KPROBE, 1, 5, s));
	assert_int_equal(errno, ENODEV);
}

static void test_hook_names(void **state)
{
	(void)state;
	assert_int_equal(gpu_hook_parse("auto"), GPU_HOOK_AUTO);
	assert_int_equal(gpu_hook_parse("kprobe"), GPU_HOOK_KPROBE);
	assert_int_equal(gpu_hook_parse("tracepoint"), GPU_HOOK_TRACEPOINT);
	assert_int_equal(gpu_hook_parse("off"), GPU_HOOK_OFF);
	assert_int_equal(gpu_hook_parse("fentry"), -EINVAL);
	assert_string_equal(gpu_hook_name(GPU_HOOK_TRACEPOINT), "tracepoint");
}

static int open_stage(void **state)
{
	static struct gpu_stage s;

	s.loader = gpu_load(GPU_HOOK_TRACEPOINT, 1, 5, &s);
	*state = &s;
	return s.loader ? 0 : -1;
}

static int close_stage(void **state)
{
	loader_free(((struct gpu_stage *)*state)->loader);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alloc),	 cmocka_unit_test(test_memory),
		cmocka_unit_test(test_count),	 cmocka_unit_test(test_losses),
		cmocka_unit_test(test_close),	 cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_hooks),	 cmocka_unit_test(test_hook_names),
		cmocka_unit_test(test_identity),
	};

	return cmocka_run_group_tests(tests, open_stage, close_stage);
}
