// SPDX-License-Identifier: Apache-2.0
/* How long reserved video memory counts, and for whom: every way it can end. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "gpu/memory.h"

#define MIB	  (1ULL << 20)
#define NO_MEMORY 0x51

/* What one process does; the tests change what they need. */
struct actor {
	struct gpu_memory *m;
	uint32_t tgid;
	uint64_t file;
	uint32_t client;
};

static struct tks_gpu record(const struct actor *a, enum tks_gpu_event event, uint32_t parent,
			     uint32_t object)
{
	return (struct tks_gpu){ .h = { .tgid = a->tgid },
				 .file = a->file,
				 .event = event,
				 .client = a->client,
				 .parent = parent,
				 .object = object,
				 .gpu = TKS_GPU_UNKNOWN };
}

static void alloc(const struct actor *a, enum tks_gpu_kind kind, uint32_t parent, uint32_t object,
		  uint32_t gpu)
{
	struct tks_gpu r = record(a, TKS_GPU_ALLOC, parent, object);

	r.kind = kind;
	r.gpu = gpu;
	gpu_memory_record(a->m, &r);
}

static void reserve(const struct actor *a, uint32_t parent, uint32_t object, uint64_t bytes)
{
	struct tks_gpu r = record(a, TKS_GPU_ALLOC, parent, object);

	r.kind = TKS_GPU_KIND_VIDMEM;
	r.bytes = bytes;
	gpu_memory_record(a->m, &r);
}

static void release(const struct actor *a, uint32_t object)
{
	struct tks_gpu r = record(a, TKS_GPU_FREE, 0, object);

	gpu_memory_record(a->m, &r);
}

static void duplicate(const struct actor *a, uint32_t parent, uint32_t object, uint32_t from_client,
		      uint32_t from_object)
{
	struct tks_gpu r = record(a, TKS_GPU_DUP, parent, object);

	r.source_client = from_client;
	r.source_object = from_object;
	gpu_memory_record(a->m, &r);
}

static void close_file(const struct actor *a, uint64_t file)
{
	struct tks_gpu r = { .event = TKS_GPU_CLOSE, .file = file, .h = { .tgid = a->tgid } };

	gpu_memory_record(a->m, &r);
}

/* A client (its handle is that of the actor), device 10 on that GPU and subdevice 11 below it. */
static struct actor act(struct gpu_memory *m, uint32_t tgid, uint32_t client, uint32_t gpu)
{
	struct actor a = { .m = m, .tgid = tgid, .file = 0xf000 + client, .client = client };

	alloc(&a, TKS_GPU_KIND_CLIENT, 0, client, TKS_GPU_UNKNOWN);
	alloc(&a, TKS_GPU_KIND_DEVICE, client, 10, gpu);
	alloc(&a, TKS_GPU_KIND_SUBDEVICE, 10, 11, TKS_GPU_UNKNOWN);
	return a;
}

/* -1: there is no such row. */
static int64_t bytes_of(const struct gpu_memory *m, uint32_t tgid, uint32_t gpu)
{
	const struct gpu_usage *row = NULL;

	while ((row = gpu_memory_next(m, row)))
		if (row->tgid == tgid && row->gpu == gpu)
			return row->bytes;
	return -1;
}

static size_t rows(const struct gpu_memory *m)
{
	const struct gpu_usage *row = NULL;
	size_t n = 0;

	while ((row = gpu_memory_next(m, row)))
		n++;
	return n;
}

static struct gpu_memory_stats stats(const struct gpu_memory *m)
{
	struct gpu_memory_stats s;

	gpu_memory_get_stats(m, &s);
	return s;
}

static int open_memory(void **state)
{
	const struct gpu_memory_config config = { .max_objects = 16 };

	*state = gpu_memory_new(&config);
	return *state ? 0 : -1;
}

static int close_memory(void **state)
{
	gpu_memory_free(*state);
	return 0;
}

static void test_explicit_free(void **state)
{
	struct gpu_memory *m = *state;
	struct actor a = act(m, 100, 1, 0);

	assert_int_equal(rows(m), 0);
	reserve(&a, 10, 20, 2 * MIB);
	reserve(&a, 11, 21, 3 * MIB);
	assert_int_equal(bytes_of(m, 100, 0), 5 * MIB);
	release(&a, 20);
	assert_int_equal(bytes_of(m, 100, 0), 3 * MIB);
	release(&a, 20);
	assert_int_equal(bytes_of(m, 100, 0), 3 * MIB);
	release(&a, 21);
	assert_int_equal(bytes_of(m, 100, 0), 0); /* it lives, and holds nothing */
	assert_int_equal(rows(m), 1);
	assert_int_equal(stats(m).objects, 3);
}

static void test_ancestors(void **state)
{
	struct gpu_memory *m = *state;
	struct actor a = act(m, 100, 1, 0);

	reserve(&a, 10, 20, MIB);
	reserve(&a, 11, 21, 2 * MIB);
	release(&a, 11); /* the subdevice */
	assert_int_equal(bytes_of(m, 100, 0), MIB);
	reserve(&a, 10, 21, 4 * MIB);
	release(&a, 10); /* the device */
	assert_int_equal(bytes_of(m, 100, 0), 0);
	assert_int_equal(stats(m).objects, 1);
	alloc(&a, TKS_GPU_KIND_DEVICE, 1, 10, 3);
	reserve(&a, 10, 20, MIB);
	assert_int_equal(bytes_of(m, 100, 3), MIB);
	release(&a, 1); /* the client */
	assert_int_equal(bytes_of(m, 100, 3), 0);
	assert_int_equal(stats(m).objects, 0);
}

static void test_process_gone(void **state)
{
	struct gpu_memory *m = *state;
	struct actor a = act(m, 100, 1, 0), b = act(m, 100, 2, 1), c = act(m, 200, 3, 0);

	reserve(&a, 10, 20, MIB);
	reserve(&b, 10, 20, 2 * MIB);
	reserve(&c, 10, 20, 4 * MIB);
	assert_int_equal(bytes_of(m, 100, 0), MIB);
	assert_int_equal(bytes_of(m, 100, 1), 2 * MIB);
	gpu_memory_process_gone(m, 100);
	assert_int_equal(bytes_of(m, 100, 0), -1);
	assert_int_equal(bytes_of(m, 100, 1), -1);
	assert_int_equal(bytes_of(m, 200, 0), 4 * MIB);
	assert_int_equal(stats(m).objects, 4);
	gpu_memory_process_gone(m, 100);
	assert_int_equal(stats(m).objects, 4);
}

static void test_close(void **state)
{
	struct gpu_memory *m = *state;
	struct actor a = act(m, 100, 1, 0), b = act(m, 100, 2, 0);

	reserve(&a, 10, 20, MIB);
	reserve(&b, 10, 20, 2 * MIB);
	close_file(&a, 0xdead);
	assert_int_equal(bytes_of(m, 100, 0), 3 * MIB);
	close_file(&a, a.file);
	assert_int_equal(bytes_of(m, 100, 0), 2 * MIB);
	assert_int_equal(stats(m).objects, 4);
}

static void test_dup(void **state)
{
	struct gpu_memory *m = *state;
	struct actor a = act(m, 100, 1, 0), b = act(m, 200, 2, 5);

	reserve(&a, 10, 20, MIB);
	duplicate(&a, 10, 21, 1, 20);
	duplicate(&b, 10, 30, 1, 20);
	assert_int_equal(bytes_of(m, 100, 0), MIB); /* once */
	assert_int_equal(bytes_of(m, 200, 0), -1);
	release(&a, 20);
	assert_int_equal(bytes_of(m, 100, 0), MIB);
	release(&a, 21); /* the other process alone holds it, on the GPU where it is */
	assert_int_equal(bytes_of(m, 100, 0), 0);
	assert_int_equal(bytes_of(m, 200, 0), MIB);
	assert_int_equal(bytes_of(m, 200, 5), -1);
	duplicate(&a, 10, 22, 2, 30);
	gpu_memory_process_gone(m, 200);
	assert_int_equal(bytes_of(m, 100, 0), MIB);
	release(&a, 22);
	assert_int_equal(bytes_of(m, 100, 0), 0);
}

static void test_dup_of_nothing_known(void **state)
{
	struct gpu_memory *m = *state;
	struct actor a = act(m, 100, 1, 0);

	duplicate(&a, 10, 20, 77, 88); /* a client that is not followed */
	duplicate(&a, 10, 20, 1, 11);  /* no memory */
	assert_int_equal(stats(m).objects, 3);
	reserve(&a, 10, 20, MIB);
	duplicate(&a, 10, 20, 1, 20); /* onto itself */
	assert_int_equal(bytes_of(m, 100, 0), MIB);
	reserve(&a, 20, 21, MIB);
	duplicate(&a, 10, 20, 1, 21); /* onto its own parent, whose end takes the source */
	assert_int_equal(bytes_of(m, 100, 0), 0);
}

static void test_which_gpu(void **state)
{
	struct gpu_memory *m = *state;
	struct actor a = { .m = m, .tgid = 100, .file = 1, .client = 1 };
	struct tks_gpu r;

	/* Made before the process was traced: neither client nor device is known. */
	reserve(&a, 10, 20, MIB);
	assert_int_equal(bytes_of(m, 100, TKS_GPU_UNKNOWN), MIB);
	r = record(&a, TKS_GPU_ALLOC, 10, 21);
	r.kind = TKS_GPU_KIND_VIDMEM;
	r.gpu = 6; /* called through /dev/nvidia6 */
	r.bytes = 2 * MIB;
	assert_int_equal(gpu_memory_gpu(m, &r), 6);
	gpu_memory_record(m, &r);
	assert_int_equal(bytes_of(m, 100, 6), 2 * MIB);
	alloc(&a, TKS_GPU_KIND_DEVICE, 1, 10, 2);
	assert_int_equal(gpu_memory_gpu(m, &r), 2); /* the device knows better */
	alloc(&a, TKS_GPU_KIND_DEVICE, 1, 12, TKS_GPU_MAX);
	reserve(&a, 12, 22, MIB);
	assert_int_equal(bytes_of(m, 100, TKS_GPU_UNKNOWN), 2 * MIB);
	assert_int_equal(bytes_of(m, 100, TKS_GPU_MAX), -1);
}

static void test_handle_used_again(void **state)
{
	struct gpu_memory *m = *state;
	struct actor a = act(m, 100, 1, 0);

	reserve(&a, 10, 20, MIB);
	reserve(&a, 10, 20, 2 * MIB); /* its free was lost */
	assert_int_equal(bytes_of(m, 100, 0), 2 * MIB);
	a = act(m, 300, 1, 0); /* so was the end of the client */
	assert_int_equal(bytes_of(m, 100, 0), 0);
	reserve(&a, 10, 20, 4 * MIB);
	assert_int_equal(bytes_of(m, 300, 0), 4 * MIB);
}

static void test_failures_change_nothing(void **state)
{
	struct gpu_memory *m = *state;
	struct actor a = act(m, 100, 1, 0);
	struct tks_gpu r = record(&a, TKS_GPU_ALLOC, 10, 20);

	r.kind = TKS_GPU_KIND_VIDMEM;
	r.bytes = MIB;
	assert_false(gpu_allocation_failed(&r));
	r.status = NO_MEMORY;
	assert_true(gpu_allocation_failed(&r));
	gpu_memory_record(m, &r);
	assert_int_equal(rows(m), 0);
	r.status = 0;
	r.ret = -ENODEV;
	assert_true(gpu_allocation_failed(&r));
	gpu_memory_record(m, &r);
	assert_int_equal(rows(m), 0);
	r.kind = TKS_GPU_KIND_DEVICE;
	assert_false(gpu_allocation_failed(&r)); /* no memory */
	r = record(&a, TKS_GPU_FREE, 0, 20);
	reserve(&a, 10, 20, MIB);
	r.status = NO_MEMORY;
	assert_false(gpu_allocation_failed(&r));
	gpu_memory_record(m, &r);
	assert_int_equal(bytes_of(m, 100, 0), MIB);
}

static void test_bounded(void **state)
{
	struct gpu_memory *m = *state;
	struct actor a = act(m, 100, 1, 0);

	for (uint32_t i = 0; i < 20; i++)
		reserve(&a, 10, 100 + i, MIB);
	assert_int_equal(stats(m).objects, 16);
	assert_int_equal(stats(m).refused, 7);
	assert_int_equal(bytes_of(m, 100, 0), 13 * MIB);
	release(&a, 100);
	reserve(&a, 10, 119, MIB);
	assert_int_equal(stats(m).refused, 7);
	assert_int_equal(bytes_of(m, 100, 0), 13 * MIB);
	assert_int_equal(stats(m).no_memory, 0);
}

/* The depth of a tree is what a process makes it: nothing here recurses. */
static void test_deep(void **state)
{
	const struct gpu_memory_config config = { 0 };
	struct gpu_memory *m = gpu_memory_new(&config);
	struct actor a = act(m, 100, 1, 0);

	(void)state;
	for (uint32_t i = 0; i < 60000; i++)
		reserve(&a, i ? 100 + i - 1 : 10, 100 + i, 1);
	assert_int_equal(bytes_of(m, 100, 0), 60000);
	release(&a, 100);
	assert_int_equal(bytes_of(m, 100, 0), 0);
	assert_int_equal(stats(m).objects, 3);
	gpu_memory_free(m);
}

#define with_memory(test) cmocka_unit_test_setup_teardown(test, open_memory, close_memory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_memory(test_explicit_free),
		with_memory(test_ancestors),
		with_memory(test_process_gone),
		with_memory(test_close),
		with_memory(test_dup),
		with_memory(test_dup_of_nothing_known),
		with_memory(test_which_gpu),
		with_memory(test_handle_used_again),
		with_memory(test_failures_change_nothing),
		with_memory(test_bounded),
		cmocka_unit_test(test_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
