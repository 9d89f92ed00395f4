// SPDX-License-Identifier: Apache-2.0
/* Which place is taken off when probes cost too much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "attach/budget.h"
#include "base/clock.h"

static const struct pack packs[2];
static const struct pack_probe probes[4];

struct world {
	struct budget budget;
	struct rows rows;
	struct row row[4];
	uint64_t now_ns;
};

static void add(struct world *w, size_t i, const struct pack *pack, uint64_t function)
{
	struct row *r = &w->row[i];

	r->pack = pack;
	r->function = function;
	r->key = (struct row_key){ .probe = &probes[i], .file = { 1, 2 }, .offset = function + i };
	r->cost = COST_EMULATED;
	HASH_ADD(hh, w->rows.by_key, key, sizeof(r->key), r);
}

static int open_world(void **state)
{
	static struct world w;

	memset(&w, 0, sizeof(w));
	budget_init(&w.budget, 0.01);
	w.now_ns = NSEC_PER_SEC;
	*state = &w;
	return 0;
}

static int close_world(void **state)
{
	HASH_CLEAR(hh, ((struct world *)*state)->rows.by_key);
	return 0;
}

/* A second in which each row has so many hits more. */
static const struct row *second(struct world *w, const uint64_t hits[4])
{
	for (size_t i = 0; i < 4; i++)
		w->row[i].hits.hits += hits[i];
	w->now_ns += NSEC_PER_SEC;
	return budget_look(&w->budget, &w->rows, 1, w->now_ns);
}

static const struct row *seconds(struct world *w, int n, const uint64_t hits[4])
{
	const struct row *off = NULL;

	for (int i = 0; i < n && !off; i++)
		off = second(w, hits);
	return off;
}

/* A call costs at its entry and at its return; a third place alone costs more than either. */
static void test_a_function_costs_as_a_whole(void **state)
{
	struct world *w = *state;
	const struct row *off;

	add(w, 0, &packs[0], 100);
	add(w, 1, &packs[0], 100);
	add(w, 2, &packs[0], 200);
	add(w, 3, &packs[1], 200); /* another pack's */
	off = seconds(w, 9, (const uint64_t[4]){ 6000, 6000, 9000, 1000 });
	assert_true(off == &w->row[0] || off == &w->row[1]);
	assert_true(rows_belong_together(&w->row[0], &w->row[1]));
	assert_false(rows_belong_together(&w->row[1], &w->row[2]));
	assert_false(rows_belong_together(&w->row[2], &w->row[3]));
}

static void test_a_burst_is_no_reason(void **state)
{
	struct world *w = *state;

	add(w, 0, &packs[0], 100);
	assert_null(seconds(w, 5, (const uint64_t[4]){ 1000000 }));
	assert_null(second(w, (const uint64_t[4]){ 0 }));
	assert_null(seconds(w, 4, (const uint64_t[4]){ 1000000 }));
	assert_ptr_equal(second(w, (const uint64_t[4]){ 1000000 }), &w->row[0]);
	assert_null(second(w, (const uint64_t[4]){ 1000000 }));	  /* the others get time again */
	assert_null(seconds(w, 9, (const uint64_t[4]){ 10000 })); /* just what is allowed */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_function_costs_as_a_whole, open_world,
						close_world),
		cmocka_unit_test_setup_teardown(test_a_burst_is_no_reason, open_world, close_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
