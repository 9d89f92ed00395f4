// SPDX-License-Identifier: Apache-2.0
/* Records, names and buffers by themselves: hostile buffers, full tables, versions of limits. */
#include "pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "buffers.h"

#define TOLD_MAX 1024

static struct tks_cupti_record told[TOLD_MAX];
static uint32_t told_count, batches;
static uint32_t names_told;
static struct names names;

static void tell(const struct tks_cupti_record *records, uint32_t count)
{
	assert_in_range(count, 1, TKS_CUPTI_BATCH);
	memcpy(told + told_count, records, count * sizeof(*records));
	told_count += count;
	batches++;
}

static void tell_name(uint32_t id, const char *name, uint32_t length)
{
	assert_int_equal(strlen(name), length);
	assert_int_equal(id, names_told + 1);
	names_told++;
}

/* Strides that a test chooses. */
static size_t stride;

static cupti_result next(uint8_t *buffer, size_t valid, struct activity **record)
{
	size_t at = *record ? (size_t)((uint8_t *)*record - buffer) + stride : 0;

	if (at >= valid)
		return RESULT_END;
	*record = (struct activity *)(buffer + at);
	return RESULT_OK;
}

static struct pack new_pack(void)
{
	told_count = batches = names_told = 0;
	memset(&names, 0, sizeof(names));
	names.tell = tell_name;
	return (struct pack){ .next = next, .tell = tell, .names = &names };
}

static void a_record_that_is_cut_off_is_unknown(void **state)
{
	struct activity_kernel k = { .kind = KIND_CONCURRENT_KERNEL, .start = 1, .end = 2 };
	struct pack p = new_pack();
	uint8_t *buffer = malloc(sizeof(k) - 8); /* the sanitizer sees a read beyond it */

	(void)state;
	memcpy(buffer, &k, sizeof(k) - 8);
	stride = sizeof(k);
	pack_buffer(&p, buffer, sizeof(k) - 8);
	assert_int_equal(told_count, 0);
	assert_int_equal(p.unknown, 1);
	free(buffer);
}

static void strides_that_stand_still_or_go_astray_end_the_walk(void **state)
{
	struct activity_graph g[4] = { 0 };
	struct pack p = new_pack();

	(void)state;
	for (int i = 0; i < 4; i++)
		g[i] = (struct activity_graph){ .kind = KIND_GRAPH_TRACE, .start = 1, .end = 2 };
	stride = 0;
	pack_buffer(&p, (uint8_t *)g, sizeof(g));
	assert_int_equal(told_count, 1);
	assert_int_equal(p.unknown, 1);
	stride = 4; /* not aligned */
	pack_buffer(&p, (uint8_t *)g, sizeof(g));
	assert_int_equal(told_count, 2);
	assert_int_equal(p.unknown, 2);
}

static void batches_are_full_but_the_last(void **state)
{
	static struct activity_graph g[300];
	struct pack p = new_pack();

	(void)state;
	for (uint32_t i = 0; i < 300; i++)
		g[i] = (struct activity_graph){
			.kind = KIND_GRAPH_TRACE, .correlation = i, .start = 10, .end = 20
		};
	p.clock_offset = -3;
	stride = sizeof(*g);
	pack_buffer(&p, (uint8_t *)g, sizeof(g));
	assert_int_equal(told_count, 300);
	assert_int_equal(batches, 3);
	assert_int_equal(p.records, 300);
	assert_int_equal(told[299].correlation, 299);
	assert_int_equal(told[299].start_ns, 7);
	assert_int_equal(told[299].end_ns, 17);
}

static void grids_are_counted_without_overflow(void **state)
{
	struct activity_kernel k = { .kind = KIND_KERNEL,
				     .start = 1,
				     .end = 1,
				     .grid = { 2147483647, 65535, 65535 },
				     .graph_node = 0x123456789abcdef0,
				     .graph = 7 };
	struct pack p = new_pack();

	(void)state;
	stride = sizeof(k);
	pack_buffer(&p, (uint8_t *)&k, sizeof(k));
	assert_int_equal(told_count, 1);
	assert_true(told[0].bytes == 2147483647ull * 65535 * 65535);
	assert_true(told[0].graph_node == 0x123456789abcdef0);
	assert_int_equal(told[0].graph, 7);
}

static void overheads_by_number(void **state)
{
	static const struct {
		uint32_t kind;
		uint8_t sub;
	} rows[] = { { 0, 0 }, { 1, 0 }, { 1 << 16, 1 }, { 6 << 16, 6 }, { 0xffffffff, 0 } };
	struct pack p = new_pack();

	(void)state;
	stride = sizeof(struct activity_overhead);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct activity_overhead o = {
			.kind = KIND_OVERHEAD, .overhead_kind = rows[i].kind, .start = 5, .end = 9
		};

		pack_buffer(&p, (uint8_t *)&o, sizeof(o));
		assert_int_equal(told[i].sub, rows[i].sub);
	}
	assert_int_equal(p.overhead_ns, 20);
}

static void a_peer_copy_is_a_copy(void **state)
{
	struct activity_memcpy_peer m = { .kind = KIND_MEMCPY_PEER,
					  .copy_kind = TKS_CUPTI_PTOP,
					  .bytes = 99,
					  .start = 1,
					  .end = 2,
					  .device = 3,
					  .correlation = 4 };
	struct pack p = new_pack();

	(void)state;
	stride = sizeof(m);
	pack_buffer(&p, (uint8_t *)&m, sizeof(m));
	assert_int_equal(told[0].kind, TKS_CUPTI_MEMCPY);
	assert_int_equal(told[0].sub, TKS_CUPTI_PTOP);
	assert_int_equal(told[0].bytes, 99);
	assert_int_equal(told[0].device, 3);
	assert_int_equal(told[0].correlation, 4);
}

/* ------------------------------------------------------------------ names */

static void names_have_lasting_numbers_until_there_is_no_room(void **state)
{
	char name[32];

	(void)state;
	new_pack();
	for (uint32_t i = 0; i < NAMES_MAX + 5; i++) {
		snprintf(name, sizeof(name), "kernel%u", i);
		assert_int_equal(names_id(&names, name), i < NAMES_MAX ? i + 1 : 0);
	}
	assert_int_equal(names.lost, 5);
	assert_int_equal(names_told, NAMES_MAX);
	for (uint32_t i = 0; i < NAMES_MAX; i++) {
		snprintf(name, sizeof(name), "kernel%u", i);
		assert_int_equal(names_id(&names, name), i + 1);
	}
	names_told = 0;
	names_tell_all(&names);
	assert_int_equal(names_told, NAMES_MAX);
}

static void long_names_fill_the_text_first(void **state)
{
	char name[TKS_CUPTI_NAME_MAX + 100];
	uint32_t fit = NAMES_BYTES / (TKS_CUPTI_NAME_MAX + 1);

	(void)state;
	new_pack();
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	for (uint32_t i = 0; i < fit + 1; i++) {
		name[snprintf(name, sizeof(name), "%08u", i)] = 'x';
		assert_int_equal(names_id(&names, name), i < fit ? i + 1 : 0);
	}
	assert_int_equal(names.lost, 1);
}

/* The same pointer with another text: CUPTI reuses them after a module is unloaded. */
static void a_name_is_its_text(void **state)
{
	char name[64] = "_Z0123456789abcdef_first";

	(void)state;
	new_pack();
	assert_int_equal(names_id(&names, name), 1);
	strcpy(name, "_Z0123456789abcdef_second");
	assert_int_equal(names_id(&names, name), 2);
	assert_int_equal(names_id(&names, "_Z0123456789abcdef_first"), 1);
}

/* ------------------------------------------------------------------ buffers */

static void all_zero(const uint8_t *buffer)
{
	for (size_t i = 0; i < BUFFER_BYTES; i++)
		assert_int_equal(buffer[i], 0);
}

static void buffers_come_zeroed_and_end(void **state)
{
	struct buffers b = { .may_refuse = true };
	uint8_t *taken[BUFFERS];

	(void)state;
	assert_int_equal(buffers_init(&b), 0);
	for (int i = 0; i < BUFFERS; i++) {
		taken[i] = buffers_take(&b);
		assert_non_null(taken[i]);
		for (int j = 0; j < i; j++)
			assert_ptr_not_equal(taken[i], taken[j]);
	}
	assert_null(buffers_take(&b));
	assert_int_equal(b.refused, 1);
	memset(taken[5], 0xff, BUFFER_BYTES);
	buffers_give_back(&b, taken[5]);
	assert_ptr_equal(buffers_take(&b), taken[5]);
	all_zero(taken[5]);
	b.may_refuse = false;
	taken[0] = buffers_take(&b);
	assert_non_null(taken[0]);
	assert_int_equal(b.spares, 1);
	all_zero(taken[0]);
	buffers_give_back(&b, taken[0]);
	assert_int_equal(b.spares, 0);
	buffers_give_back(&b, NULL);
	assert_int_equal(b.refused, 2);
}

static void a_buffer_of_another_is_left_alone(void **state)
{
	struct buffers b = { 0 };
	uint8_t *theirs = test_malloc(BUFFER_BYTES), *spare;

	(void)state;
	assert_int_equal(buffers_init(&b), 0);
	memset(theirs, 0xff, BUFFER_BYTES);
	assert_false(buffers_own(&b, theirs));
	assert_false(buffers_own(&b, NULL));
	buffers_give_back(&b, theirs);
	for (size_t i = 0; i < BUFFER_BYTES; i++)
		assert_int_equal(theirs[i], 0xff);
	test_free(theirs);
	assert_int_equal(b.spares, 0);
	assert_true(buffers_own(&b, buffers_take(&b)));
	b.free = 0;
	spare = buffers_take(&b);
	assert_true(buffers_own(&b, spare));
	buffers_give_back(&b, spare);
	assert_false(buffers_own(&b, spare));
	buffers_give_back(&b, spare); /* by then it may be anyone's */
	assert_int_equal(b.spares, 0);
}

static void spares_without_a_place_are_never_freed(void **state)
{
	uint8_t *taken[SPARES], *one_more;
	struct buffers b = { 0 };

	(void)state;
	assert_int_equal(buffers_init(&b), 0);
	b.free = 0;
	for (int i = 0; i < SPARES; i++)
		taken[i] = buffers_take(&b);
	one_more = buffers_take(&b);
	assert_non_null(one_more);
	assert_int_equal(b.spares, SPARES + 1);
	assert_false(buffers_own(&b, one_more));
	buffers_give_back(&b, one_more);
	all_zero(one_more); /* still mapped */
	for (int i = 0; i < SPARES; i++)
		buffers_give_back(&b, taken[i]);
	assert_int_equal(b.spares, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_that_is_cut_off_is_unknown),
		cmocka_unit_test(strides_that_stand_still_or_go_astray_end_the_walk),
		cmocka_unit_test(batches_are_full_but_the_last),
		cmocka_unit_test(grids_are_counted_without_overflow),
		cmocka_unit_test(overheads_by_number),
		cmocka_unit_test(a_peer_copy_is_a_copy),
		cmocka_unit_test(names_have_lasting_numbers_until_there_is_no_room),
		cmocka_unit_test(long_names_fill_the_text_first),
		cmocka_unit_test(a_name_is_its_text),
		cmocka_unit_test(buffers_come_zeroed_and_end),
		cmocka_unit_test(a_buffer_of_another_is_left_alone),
		cmocka_unit_test(spares_without_a_place_are_never_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
