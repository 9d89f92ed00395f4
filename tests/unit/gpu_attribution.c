// SPDX-License-Identifier: Apache-2.0
/* Each nanosecond of GPU work goes to the requests that ran, once: by hand, and against an oracle that looks at every one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "gpu/attribution.h"

#define REQUESTS_MAX 24

/* What was settled, by request id. */
struct told {
	struct attribution_result results[REQUESTS_MAX];
	bool has[REQUESTS_MAX];
};

static void on_settled(void *ctx, const struct attribution_result *r)
{
	struct told *t = ctx;

	assert_true(r->request < REQUESTS_MAX && !t->has[r->request]);
	t->has[r->request] = true;
	t->results[r->request] = *r;
}

static const struct attribution_ops ops = { .settled = on_settled };

static struct attribution *open_attribution(struct told *t)
{
	const struct attribution_config config = { 0 };
	struct attribution *a = attribution_new(&config, &ops, t);

	memset(t, 0, sizeof(*t));
	assert_non_null(a);
	return a;
}

static void busy(struct attribution *a, uint32_t gpu, uint32_t group, uint64_t from, uint64_t to)
{
	struct interval i = { from, to, 0 };

	assert_int_equal(attribution_busy(a, gpu, group, &i, 1), 0);
}

static void run(struct attribution *a, uint64_t request, uint32_t group, uint64_t from, uint64_t to)
{
	assert_int_equal(attribution_request_start(a, request, group, from, ATTRIBUTION_IN_FLIGHT),
			 0);
	attribution_request_end(a, request, to);
}

/* -1: not settled, -2: not known. */
static int64_t ns_of(const struct told *t, uint64_t request)
{
	const struct attribution_result *r = &t->results[request];

	return !t->has[request] ? -1 : r->known ? (int64_t)r->gpu_ns : -2;
}

static struct attribution_stats stats(const struct attribution *a)
{
	struct attribution_stats s;

	attribution_get_stats(a, &s);
	return s;
}

static void test_shared_time(void **state)
{
	struct told t;
	struct attribution *a = open_attribution(&t);

	(void)state;
	attribution_covered(a, 1, 0);
	run(a, 0, 1, 100, 400);
	run(a, 1, 1, 200, 600);
	busy(a, 0, 1, 150, 300); /* 50 alone, 100 shared */
	busy(a, 0, 1, 350, 450); /* 50 shared, 50 alone */
	busy(a, 0, 1, 900, 1000);
	assert_int_equal(attribution_settle(a, 500), 0);
	assert_int_equal(ns_of(&t, 0), 50 + 50 + 25);
	assert_int_equal(ns_of(&t, 1), -1);
	assert_int_equal(attribution_settle(a, 2000), 0);
	assert_int_equal(ns_of(&t, 1), 50 + 25 + 50);
	assert_int_equal(t.results[1].source, ATTRIBUTION_IN_FLIGHT);
	assert_int_equal(t.results[1].group, 1);
	assert_int_equal(stats(a).busy_ns, 350);
	assert_int_equal(stats(a).remainder_ns, 100);
	assert_int_equal(stats(a).requests, 0);
	attribution_free(a);
}

/* 100 ns among three: what is left of the division is not lost, and never given twice. */
static void test_indivisible(void **state)
{
	struct told t;
	struct attribution *a = open_attribution(&t);

	(void)state;
	attribution_covered(a, 1, 0);
	for (uint64_t r = 0; r < 3; r++)
		run(a, r, 1, 1, 1000);
	busy(a, 0, 1, 100, 200);
	attribution_settle(a, 300);
	assert_int_equal(stats(a).requests_ns, 99);
	assert_int_equal(stats(a).remainder_ns, 1);
	busy(a, 0, 1, 400, 500);
	busy(a, 0, 1, 600, 700);
	attribution_settle(a, 1000);
	for (uint64_t r = 0; r < 3; r++)
		assert_int_equal(ns_of(&t, r), 100);
	assert_int_equal(stats(a).remainder_ns, 0);
	attribution_free(a);
}

/* A server with an API process (which has no GPU) and two workers on a GPU each, and a neighbour on the second. */
static void test_two_workers(void **state)
{
	struct told t;
	struct attribution *a = open_attribution(&t);

	(void)state;
	attribution_covered(a, 1, 0);
	attribution_covered(a, 2, 0);
	run(a, 0, 1, 1000, 5000);
	run(a, 1, 1, 3000, 5000);
	run(a, 2, 2, 1000, 9000);
	busy(a, 0, 1, 2000, 4000);
	busy(a, 1, 1, 2000, 4000);
	busy(a, 1, 2, 3000, 6000);
	attribution_settle(a, 10000);
	/*
	 * GPU 0: 1000 alone, 1000 by two. GPU 1: 1000 alone (the neighbour's request runs, but nothing of its server),
	 * then 1000 by three, then 2000 the neighbour's.
	 */
	assert_int_equal(ns_of(&t, 0), 1000 + 500 + 1000 + 333);
	assert_int_equal(ns_of(&t, 1), 500 + 333);
	assert_int_equal(ns_of(&t, 2), 333 + 1 + 2000);
	assert_int_equal(stats(a).busy_ns, 2000 + 4000);
	assert_int_equal(stats(a).remainder_ns, 0);
	attribution_free(a);
}

/* Never a figure that is not known. */
static void test_unknown(void **state)
{
	struct told t;
	struct attribution *a = open_attribution(&t);

	(void)state;
	attribution_covered(a, 1, 500);
	run(a, 0, 1, 400, 800); /* began before the library was heard */
	run(a, 1, 1, 600, 800);
	run(a, 2, 2, 600, 800); /* no library */
	busy(a, 0, 1, 600, 700);
	attribution_settle(a, 1000);
	assert_int_equal(ns_of(&t, 0), -2);
	assert_int_equal(ns_of(&t, 1), 50);
	assert_int_equal(ns_of(&t, 2), -2);

	/* Told after the watermark had passed. */
	run(a, 3, 1, 900, 1200);
	assert_int_equal(attribution_request_start(a, 4, 1, 1100, ATTRIBUTION_ENGINE), 0);
	attribution_settle(a, 1300);
	assert_int_equal(ns_of(&t, 3), -2);
	attribution_request_end(a, 4, 1250);
	attribution_settle(a, 1400);
	assert_int_equal(ns_of(&t, 4), -2);
	assert_int_equal(stats(a).late_requests, 2);

	/* Work that comes too late belongs to requests that ran then; those after it are known. */
	assert_int_equal(attribution_request_start(a, 5, 1, 1400, ATTRIBUTION_ENGINE), 0);
	attribution_settle(a, 1500);
	run(a, 6, 1, 1500, 1800);
	busy(a, 0, 1, 1450, 1600);
	assert_int_equal(stats(a).late, 1);
	attribution_request_end(a, 5, 1600);
	attribution_settle(a, 2000);
	assert_int_equal(ns_of(&t, 5), -2);
	assert_int_equal(ns_of(&t, 6), 50);
	assert_int_equal(t.results[6].source, ATTRIBUTION_IN_FLIGHT);

	/* A request that began or ended unheard ran beside others, whose shares were too large or too small. */
	assert_int_equal(attribution_request_start(a, 8, 1, 1900, ATTRIBUTION_ENGINE), 0);
	run(a, 9, 1, 1950, 2050);
	run(a, 10, 1, 2000, 2050);
	attribution_request_end(a, 8, 2020);
	assert_int_equal(stats(a).late_requests, 4);
	attribution_settle(a, 2060);
	assert_int_equal(ns_of(&t, 8), -2);
	assert_int_equal(ns_of(&t, 9), -2);
	assert_int_equal(ns_of(&t, 10), 0);

	/* Work was lost at 2070. */
	run(a, 11, 1, 2065, 2080);
	run(a, 12, 1, 2070, 2080);
	attribution_lost(a, 1, 2070);
	attribution_lost(a, 99, 2070);
	attribution_settle(a, 2090);
	assert_int_equal(ns_of(&t, 11), -2);
	assert_int_equal(ns_of(&t, 12), 0);

	/* The process has ended before all was told. */
	run(a, 7, 1, 2090, 2100);
	attribution_uncovered(a, 1);
	attribution_settle(a, 2200);
	assert_int_equal(ns_of(&t, 7), -2);
	attribution_free(a);
}

static void test_bounds(void **state)
{
	const struct attribution_config config = { .max_requests = 2, .max_intervals = 2 };
	struct interval items[] = { { 10, 20, 0 }, { 30, 40, 0 }, { 50, 60, 0 } };
	struct told t = { 0 };
	struct attribution *a = attribution_new(&config, &ops, &t);

	(void)state;
	attribution_covered(a, 1, 0);
	run(a, 0, 1, 5, 55);
	run(a, 1, 1, 70, 75);
	assert_int_equal(attribution_request_start(a, 0, 1, 5, ATTRIBUTION_ENGINE), -EEXIST);
	assert_int_equal(attribution_request_start(a, 2, 1, 5, ATTRIBUTION_ENGINE), -ENOSPC);
	attribution_request_end(a, 2, 5);
	assert_int_equal(attribution_busy(a, 0, 1, items, 3), -ENOSPC);
	busy(a, 0, 1, 70, 80);
	assert_int_equal(stats(a).refused, 2);
	attribution_settle(a, 100);
	assert_int_equal(ns_of(&t, 0), -2); /* its work had no room */
	assert_int_equal(ns_of(&t, 1), 5);
	assert_int_equal(ns_of(&t, 2), -1);

	run(a, 3, 1, 110, 120);
	attribution_forget(a, 1);
	assert_int_equal(stats(a).requests, 0);
	attribution_settle(a, 200);
	assert_int_equal(ns_of(&t, 3), -1);
	attribution_free(a);
}

/* What a server does costs nothing on the GPUs of others, however busy those are. */
static void test_cost_is_ones_own(void **state)
{
	struct told t;
	struct attribution *a = open_attribution(&t);

	(void)state;
	attribution_covered(a, 1, 0);
	run(a, 0, 1, 5, 500);
	for (uint64_t i = 0; i < 50; i++)
		busy(a, 0, 1, 10 + 2 * i, 11 + 2 * i);
	for (uint32_t gpu = 1; gpu <= 100; gpu++)
		busy(a, gpu, 2, 1, 1000);
	attribution_settle(a, 2000);
	assert_int_equal(ns_of(&t, 0), 50);
	assert_true(stats(a).divisions <= 2 * (50 + 100)); /* where work begins and ends */
	attribution_free(a);
}

/* ------------------------------------------------------------------ random timelines */

#define SLOTS	  400
#define GPUS	  3
#define GROUPS	  3
#define INTERVALS 60
#define REQUESTS  20

struct span {
	uint64_t from, to; /* slots */
	uint32_t gpu, group;
	bool told;
};

struct timeline {
	struct span work[INTERVALS], requests[REQUESTS];
	uint8_t busy[GPUS][GROUPS][SLOTS];
	double want[REQUESTS]; /* in slots */
	uint64_t busy_slots;
};

static uint32_t next(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static struct span random_span(uint32_t *seed, uint32_t longest)
{
	uint64_t from = 1 + next(seed) % (SLOTS - 1 - longest);

	return (struct span){ .from = from,
			      .to = from + 1 + next(seed) % longest,
			      .gpu = next(seed) % GPUS,
			      .group = next(seed) % GROUPS };
}

static bool runs(const struct timeline *l, int request, uint32_t gpu, uint64_t slot)
{
	const struct span *r = &l->requests[request];

	return r->from <= slot && slot < r->to && l->busy[gpu][r->group][slot];
}

/* The definition, slot by slot. */
static void divide_slot(struct timeline *l, uint32_t gpu, uint64_t slot)
{
	int running = 0;
	bool is_busy = false;

	for (int g = 0; g < GROUPS; g++)
		is_busy |= l->busy[gpu][g][slot];
	l->busy_slots += is_busy;
	for (int r = 0; r < REQUESTS; r++)
		running += runs(l, r, gpu, slot);
	for (int r = 0; r < REQUESTS; r++)
		if (runs(l, r, gpu, slot))
			l->want[r] += 1.0 / running;
}

static void make_timeline(struct timeline *l, uint32_t *seed)
{
	memset(l, 0, sizeof(*l));
	for (int i = 0; i < INTERVALS; i++) {
		struct span *w = &l->work[i];

		*w = random_span(seed, 30);
		memset(&l->busy[w->gpu][w->group][w->from], 1, w->to - w->from);
	}
	for (int r = 0; r < REQUESTS; r++)
		l->requests[r] = random_span(seed, 150);
	for (uint32_t gpu = 0; gpu < GPUS; gpu++)
		for (uint64_t slot = 0; slot < SLOTS; slot++)
			divide_slot(l, gpu, slot);
}

/* All that begins before the watermark is told before it passes, in any order, some of it long before. */
static void tell_until(struct attribution *a, struct timeline *l, uint64_t slot, uint64_t unit,
		       uint32_t *seed)
{
	uint32_t first = next(seed);

	for (uint32_t k = 0; k < INTERVALS; k++) {
		struct span *w = &l->work[(first + k) % INTERVALS];

		if (w->told || (w->from >= slot && next(seed) % 4))
			continue;
		w->told = true;
		busy(a, w->gpu, w->group, w->from * unit, w->to * unit);
	}
	for (uint32_t k = 0; k < REQUESTS; k++) {
		uint32_t id = (first + k) % REQUESTS;
		struct span *r = &l->requests[id];

		if (!r->told && r->from <= slot)
			assert_int_equal(attribution_request_start(a, id, r->group, r->from * unit,
								   ATTRIBUTION_ENGINE),
					 0);
		r->told |= r->from <= slot;
		if (r->told && r->to <= slot + 10)
			attribution_request_end(a, id, r->to * unit);
	}
}

/* unit: nanoseconds of a slot. `off` is how far a request's time may be from the definition. */
static void check_timeline(uint32_t seed, uint64_t unit, double off)
{
	struct timeline l;
	struct told t;
	struct attribution *a = open_attribution(&t);
	uint64_t sum = 0;

	make_timeline(&l, &seed);
	for (uint32_t g = 0; g < GROUPS; g++)
		attribution_covered(a, g, 0);
	for (uint64_t slot = 0; slot < SLOTS; slot += 1 + next(&seed) % 40) {
		tell_until(a, &l, slot, unit, &seed);
		assert_int_equal(attribution_settle(a, slot * unit), 0);
		assert_true(stats(a).requests_ns <= stats(a).busy_ns);
	}
	tell_until(a, &l, SLOTS, unit, &seed);
	assert_int_equal(attribution_settle(a, SLOTS * unit), 0);

	for (uint64_t r = 0; r < REQUESTS; r++) {
		double want = l.want[r] * unit;

		assert_true(ns_of(&t, r) >= 0);
		assert_true(ns_of(&t, r) - want <= off && want - ns_of(&t, r) <= off);
		sum += ns_of(&t, r);
	}
	assert_int_equal(stats(a).busy_ns, l.busy_slots * unit);
	assert_int_equal(stats(a).requests_ns, sum);
	assert_int_equal(sum + stats(a).remainder_ns, l.busy_slots * unit);
	assert_int_equal(stats(a).late + stats(a).late_requests, 0);
	attribution_free(a);
}

/* 232792560 is divided by every number up to 20: no division leaves anything, and every figure is exact. */
static void test_random_divisible(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 200; seed++)
		check_timeline(seed * 2654435761u, 232792560, 0.5);
}

/*
 * Slots of 7 ns. What a division leaves is below a nanosecond for each request, and goes to those that run next: each change of
 * who runs on a GPU can shift as much.
 */
static void test_random_indivisible(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 200; seed++)
		check_timeline(seed * 2654435761u, 7, GPUS * (2 * INTERVALS + 2 * REQUESTS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shared_time),	 cmocka_unit_test(test_indivisible),
		cmocka_unit_test(test_two_workers),	 cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_bounds),		 cmocka_unit_test(test_cost_is_ones_own),
		cmocka_unit_test(test_random_divisible), cmocka_unit_test(test_random_indivisible),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
