// SPDX-License-Identifier: Apache-2.0
/* Reserved memory of servers with many processes: each row is looked at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/gpu_reserved.h"

#define PROCESSES 300

/* A client and a reservation of that many bytes. */
static void reserve(struct gpu_memory *m, uint32_t tgid, uint32_t gpu, uint64_t bytes)
{
	struct tks_gpu r = { .h = { .tgid = tgid },
			     .event = TKS_GPU_ALLOC,
			     .kind = TKS_GPU_KIND_VIDMEM,
			     .client = 1000 + tgid,
			     .parent = 1,
			     .object = 10 + gpu,
			     .gpu = gpu,
			     .bytes = bytes };

	gpu_memory_record(m, &r);
}

struct owners {
	struct server servers[2];
	size_t asked;
};

/* Odd processes are server 1's, even ones server 2's; 1 is nobody's. */
static const struct server *owner(const void *ctx, uint32_t tgid)
{
	struct owners *o = (struct owners *)ctx;

	o->asked++;
	return tgid == 1 ? NULL : &o->servers[tgid % 2 ? 0 : 1];
}

static void check(const struct reserved *all, const struct server *s, uint32_t gpu, uint64_t bytes,
		  size_t processes)
{
	const struct reserved *r = reserved_find(all, s, gpu);

	assert_non_null(r);
	assert_ptr_equal(r->server, s);
	assert_int_equal(r->bytes, bytes);
	assert_int_equal(r->processes, processes);
}

static void test_sums(void **state)
{
	const struct gpu_memory_config config = { 0 };
	struct gpu_memory *m = gpu_memory_new(&config);
	struct owners o = { .servers = { { .id = 1 }, { .id = 2 } } };
	struct reserved *all;

	(void)state;
	for (uint32_t tgid = 1; tgid <= PROCESSES; tgid++)
		reserve(m, tgid, 0, 1000);
	reserve(m, 7, 3, 1);
	all = reserved_new(m, owner, &o);
	assert_int_equal(o.asked, PROCESSES + 1);
	check(all, &o.servers[0], 0, 1000 * (PROCESSES / 2 - 1), PROCESSES / 2 - 1);
	check(all, &o.servers[1], 0, 1000 * PROCESSES / 2, PROCESSES / 2);
	check(all, &o.servers[0], 3, 1, 1);
	assert_null(reserved_find(all, &o.servers[1], 3));
	assert_int_equal(HASH_COUNT(all), 3);
	reserved_free(&all);
	assert_null(all);
	gpu_memory_free(m);
}

static void test_nothing(void **state)
{
	const struct gpu_memory_config config = { 0 };
	struct gpu_memory *m = gpu_memory_new(&config);
	struct owners o = { 0 };
	struct reserved *all = reserved_new(m, owner, &o);

	(void)state;
	assert_null(all);
	assert_null(reserved_find(all, &o.servers[0], 0));
	reserved_free(&all);
	gpu_memory_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
