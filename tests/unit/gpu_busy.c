// SPDX-License-Identifier: Apache-2.0
/* The union of intervals, exact to the nanosecond whatever the order; and the join of launches with their work. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gpu/busy.h"
#include "gpu/launches.h"

/* What a callback was told: "10-20 30-40 ". */
struct told {
	char text[512];
	uint64_t ns;
};

static void tell(void *ctx, const struct interval *i)
{
	struct told *t = ctx;
	size_t n = strlen(t->text);

	snprintf(t->text + n, sizeof(t->text) - n, "%llu-%llu ", (unsigned long long)i->start_ns,
		 (unsigned long long)i->end_ns);
	t->ns += i->end_ns - i->start_ns;
}

/* Intervals as told() writes them. Returns how many. */
static size_t parse(const char *text, struct interval items[8])
{
	unsigned long long start, end;
	size_t count = 0;
	int used;

	while (sscanf(text, "%llu-%llu %n", &start, &end, &used) == 2) {
		items[count++] = (struct interval){ start, end, 0 };
		text += used;
	}
	return count;
}

/* `want` is what was not in the union before. */
static void add(struct busy *b, const char *text, const char *want)
{
	struct interval items[8];
	size_t count = parse(text, items);
	struct told t = { 0 };

	assert_int_equal(busy_add(b, items, count, tell, &t), 0);
	assert_string_equal(t.text, want);
}

static void forget(struct busy *b, uint64_t horizon, const char *want)
{
	struct told t = { 0 };

	busy_forget(b, horizon, tell, &t);
	assert_string_equal(t.text, want);
}

static struct busy_stats stats(const struct busy *b)
{
	struct busy_stats s;

	busy_get_stats(b, &s);
	return s;
}

static void test_overlaps_count_once(void **state)
{
	struct busy *b = busy_new();

	(void)state;
	add(b, "100-200", "100-200 ");
	add(b, "100-200", "");
	add(b, "120-150", "");
	add(b, "50-250", "50-100 200-250 ");
	add(b, "240-260", "250-260 ");
	add(b, "260-270", "260-270 "); /* touches */
	assert_int_equal(stats(b).intervals, 1);
	add(b, "300-310", "300-310 ");
	add(b, "280-290", "280-290 ");
	assert_int_equal(stats(b).intervals, 3);
	add(b, "40-400", "40-50 270-280 290-300 310-400 ");
	assert_int_equal(stats(b).intervals, 1);
	busy_free(b);
}

static void test_batches(void **state)
{
	struct busy *b = busy_new();

	(void)state;
	add(b, "60-70 10-20 15-30 40-50 42-45", "10-30 40-50 60-70 ");
	add(b, "65-75 5-12 28-61", "5-10 30-40 50-60 70-75 ");
	forget(b, 100, "5-75 ");
	busy_free(b);
}

static void test_horizon(void **state)
{
	struct busy *b = busy_new();

	(void)state;
	add(b, "10-20 30-60 70-80", "10-20 30-60 70-80 ");
	forget(b, 40, "10-20 30-40 ");
	forget(b, 40, "");
	forget(b, 35, "");
	assert_int_equal(stats(b).horizon_ns, 40);
	assert_int_equal(stats(b).intervals, 2);

	/* One lies before the horizon, one across it: 5 and 15 of their ns are lost, and the rest is not told twice. */
	add(b, "20-25 25-65", "60-65 ");
	assert_int_equal(stats(b).late, 2);
	assert_int_equal(stats(b).late_ns, 5 + 15);
	forget(b, 1000, "40-65 70-80 ");
	assert_int_equal(stats(b).intervals, 0);
	busy_free(b);
}

static void test_bound(void **state)
{
	struct busy *b = busy_new();
	struct told t = { 0 };

	(void)state;
	add(b, "10-20 30-40 50-60 70-80", "10-20 30-40 50-60 70-80 ");
	busy_bound(b, 4, tell, &t);
	assert_string_equal(t.text, "");
	add(b, "90-99", "90-99 ");
	busy_bound(b, 4, tell, &t);
	assert_string_equal(t.text, "10-20 30-40 50-60 ");
	assert_int_equal(stats(b).horizon_ns, 70);
	busy_free(b);
}

#define MANY 8192

static void add_many(struct busy *b, struct told *t)
{
	for (uint64_t i = MANY; i; i--) {
		struct interval item = { 2 * i, 2 * i + 1, 0 };

		assert_int_equal(busy_add(b, &item, 1, tell, t), 0);
		t->text[0] = '\0';
	}
}

/* Out of order, each is merged with its neighbours only, and one that is known with none. */
static void test_cost_and_memory(void **state)
{
	struct busy *b = busy_new();
	struct told t = { 0 };

	(void)state;
	add_many(b, &t);
	assert_int_equal(stats(b).merged, MANY);
	add_many(b, &t);
	assert_int_equal(stats(b).merged, MANY);
	assert_int_equal(stats(b).intervals, MANY);
	assert_int_equal(t.ns, MANY);

	/* Memory is given back once all is forgotten, and had again. */
	assert_true(stats(b).room >= MANY);
	busy_forget(b, 2 * MANY, NULL, NULL);
	assert_true(stats(b).room >= MANY);
	busy_forget(b, 2 * MANY + 1, NULL, NULL);
	assert_int_equal(stats(b).room, 0);
	add(b, "1000000-1000001", "1000000-1000001 ");
	busy_free(b);
}

static void told_launch(void *ctx, const struct interval *i)
{
	uint64_t *launched = ctx;

	*launched = i->launched_ns;
}

static void test_launched(void **state)
{
	struct interval items[] = { { 10, 20, 5 }, { 30, 40, 0 } };
	struct busy *b = busy_new();
	uint64_t launched = 0;

	(void)state;
	assert_int_equal(busy_add(b, items, 2, NULL, NULL), 0);
	busy_forget(b, 25, told_launch, &launched);
	assert_int_equal(launched, 5);
	busy_launched(b, 31, 6); /* nothing begins there */
	busy_launched(b, 30, 7);
	busy_forget(b, 50, told_launch, &launched);
	assert_int_equal(launched, 7);
	busy_free(b);
}

/* ------------------------------------------------------------------ against a map of every nanosecond */

#define SPAN 2000

static uint32_t next(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static uint64_t mark(uint8_t map[SPAN], const struct interval *i, uint64_t horizon)
{
	uint64_t fresh = 0;

	for (uint64_t ns = i->start_ns; ns < i->end_ns; ns++) {
		fresh += ns >= horizon && !map[ns];
		map[ns] |= ns >= horizon;
	}
	return fresh;
}

static void random_timeline(uint32_t seed)
{
	struct busy *b = busy_new();
	uint8_t map[SPAN] = { 0 };
	uint64_t horizon = 0;
	struct told all = { 0 };

	for (uint64_t batch = 0; batch < 60; batch++) {
		struct interval items[8];
		size_t count = next(&seed) % 8;
		struct told t = { 0 };
		uint64_t want = 0;

		for (size_t i = 0; i < count; i++) {
			uint64_t start = batch * 25 + next(&seed) % 400;

			items[i] = (struct interval){ start, start + 1 + next(&seed) % 60, 0 };
			want += mark(map, &items[i], horizon);
		}
		assert_int_equal(busy_add(b, items, count, tell, &t), 0);
		assert_int_equal(t.ns, want);
		if (next(&seed) % 4 == 0) {
			horizon = batch * 20;
			busy_forget(b, horizon, tell, &all);
			all.text[0] = '\0';
		}
	}
	busy_forget(b, UINT64_MAX, tell, &all);
	for (size_t ns = 0; ns < SPAN; ns++)
		all.ns -= map[ns];
	assert_int_equal(all.ns, 0);
	busy_free(b);
}

static void test_random_timelines(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 300; seed++)
		random_timeline(seed * 2654435761u);
}

/* ------------------------------------------------------------------ launches */

static struct launches_stats launch_stats(const struct launches *l)
{
	struct launches_stats s;

	launches_get_stats(l, &s);
	return s;
}

static void test_launch_first(void **state)
{
	struct launches *l = launches_new(8);
	struct launch pair;

	(void)state;
	assert_false(launches_call(l, 1, 7, 100, 500, &pair));
	assert_false(launches_work(l, 2, 7, 0, 150, 500, &pair)); /* another process */
	assert_true(launches_work(l, 1, 7, 3, 160, 500, &pair));
	assert_int_equal(pair.call_ns, 100);
	assert_int_equal(pair.work_ns, 160);
	assert_int_equal(pair.device, 3);

	/* The second kernel of a graph, and the runtime's call around the driver's. */
	assert_false(launches_work(l, 1, 7, 3, 170, 500, &pair));
	assert_int_equal(pair.call_ns, 100);
	assert_false(launches_call(l, 1, 7, 99, 500, &pair));
	launches_free(l);
}

static void test_work_first(void **state)
{
	struct launches *l = launches_new(8);
	struct launch pair;

	(void)state;
	assert_false(launches_work(l, 1, 7, 3, 160, 500, &pair));
	assert_int_equal(pair.call_ns, 0);
	assert_true(launches_call(l, 1, 7, 100, 600, &pair));
	assert_int_equal(pair.call_ns, 100);
	assert_int_equal(pair.work_ns, 160);
	assert_int_equal(pair.device, 3);
	launches_free(l);
}

static void test_given_up(void **state)
{
	struct launches *l = launches_new(12);
	struct launch pair;

	(void)state;
	launches_call(l, 1, 1, 100, 500, &pair);
	launches_work(l, 1, 2, 0, 100, 600, &pair);
	launches_call(l, 1, 3, 100, 700, &pair);
	launches_work(l, 1, 3, 0, 110, 700, &pair);
	launches_expire(l, 600);
	assert_int_equal(launch_stats(l).unmatched_calls, 1);
	assert_int_equal(launch_stats(l).unmatched_works, 0);
	launches_call(l, 1, 4, 100, 800, &pair);
	launches_call(l, 2, 5, 100, 800, &pair);
	launches_call(l, 1, 6, 100, 800, &pair); /* it has a quarter already: its oldest goes */
	assert_int_equal(launch_stats(l).unmatched_works, 1);
	assert_int_equal(launch_stats(l).waiting, 4);
	launches_process_gone(l, 1);
	assert_int_equal(launch_stats(l).unmatched_calls, 3);
	assert_int_equal(launch_stats(l).waiting, 1);
	launches_expire(l, UINT64_MAX);
	assert_int_equal(launch_stats(l).unmatched_calls, 4);
	assert_int_equal(launch_stats(l).unmatched_works, 1);
	launches_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overlaps_count_once),
		cmocka_unit_test(test_batches),
		cmocka_unit_test(test_horizon),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_cost_and_memory),
		cmocka_unit_test(test_launched),
		cmocka_unit_test(test_random_timelines),
		cmocka_unit_test(test_launch_first),
		cmocka_unit_test(test_work_first),
		cmocka_unit_test(test_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
