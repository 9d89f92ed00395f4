// SPDX-License-Identifier: Apache-2.0
/* The interpreter of probe specs: what is read, what ends a hit, what becomes of the rest. By each way to attach. */
#include <pthread.h>
#include <setjmp.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "probe_stage.h"
#include "tks_hist.h"

#define MS 1000000ULL

static void assert_hits(const struct probe_stage *s, uint32_t site,
			const struct tks_probe_hits *expected)
{
	struct tks_probe_hits h = probe_hits(s, site);

	assert_memory_equal(&h, expected, sizeof(h));
}
#define HITS(s, site, ...) assert_hits(s, site, &(struct tks_probe_hits){ __VA_ARGS__ })

static void assert_cell(const struct probe_stage *s, uint32_t metric, int cell, uint64_t count,
			uint64_t sum)
{
	struct tks_probe_cell c = probe_cell(s, metric, cell);

	assert_int_equal(c.count, count);
	assert_int_equal(c.sum, sum);
}

/* ------------------------------------------------------------------ reads */

static void scene_object(void)
{
	static const uint32_t numbers[5];
	struct target_inner inner = { .a = 40000, .negative = -7, .byte = 200, .small = -3 };
	struct target_outer o = { .inner = &inner, .vector = { numbers, numbers + 5 } };

	target_object(&o);
}

#define INNER(field)                                                      \
	ARG(0), STEP(ADD, offsetof(struct target_outer, inner)), LOAD(8), \
		STEP(ADD, offsetof(struct target_inner, field))
#define VECTOR offsetof(struct target_outer, vector)

static void test_chains(void **state)
{
	const struct probe_at at[] = {
		{ .code = target_object,
		  .spec = { .reads = 4,
			    .actions = 2,
			    .read = { READ(INNER(negative), LOAD_SIGNED(4)),
				      READ(INNER(byte), LOAD(1)),
				      READ(INNER(small), LOAD_SIGNED(1)), READ(INNER(a), LOAD(2)) },
			    .action = { ACT(COUNT, 3, 0),
					{ .kind = TKS_PROBE_EMIT, .imm = 77 } } } },
		/* All 8 steps: (end - begin) / 4. */
		{ .code = target_object,
		  .spec = { .reads = 4,
			    .actions = 1,
			    .read = { READ(ARG(0), STEP(ADD, VECTOR + 8), LOAD(8), STEP(SAVE, 0),
					   STEP(ADD, -20), STEP(SUBTRACT, 0), STEP(DIVIDE, 4),
					   STEP(ADD, 0)),
				      /* The third of the factors 1 1 4, chosen by the low four bits of 18. */
				      READ(STEP(CONST, -5), STEP(SAVE, 0), STEP(CONST, 18),
					   STEP(SCALE, 2 << 4)),
				      READ(STEP(CONST, 5), STEP(SAVE, 0), STEP(CONST, 7),
					   STEP(SUBTRACT, 0)),
				      READ(INNER(negative), LOAD(4)) },
			    .action = { { .kind = TKS_PROBE_EMIT, .imm = 78 } } } },
	};
	struct probe_stage *s = *state;
	const struct tks_probe_event *e = s->events;

	PLAY(s, scene_object, at);
	assert_int_equal(s->n, 2);
	if (e[0].event != 77)
		e++;
	assert_int_equal(e->event, 77);
	assert_int_equal(e->group, s->group);
	assert_int_equal(e->site, 0);
	assert_int_equal(e->reads, 4);
	assert_int_equal(e->h.tgid, s->child);
	assert_int_equal(e->h.tid, s->child);
	assert_int_equal(e->duration_ns, 0);
	assert_int_equal((int64_t)e->value[0], -7);
	assert_int_equal(e->value[1], 200);
	assert_int_equal((int64_t)e->value[2], -3);
	assert_int_equal(e->value[3], 40000);
	assert_cell(s, 3, TKS_PROBE_COUNTER, 1, (uint64_t)-7);
	HITS(s, 0, .hits = 1);
	e = e == s->events ? e + 1 : e - 1;
	assert_int_equal(e->event, 78);
	assert_int_equal(e->site, 1);
	assert_int_equal(e->value[0], 5);
	assert_int_equal((int64_t)e->value[1], -20);
	assert_int_equal((int64_t)e->value[2], -2);
	assert_int_equal(e->value[3], 0xfffffff9);
}

static void scene_by_value(void)
{
	target_by_value(
		(struct target_big){ .a = 11, .b = 1ULL << 60, .c = -9, .d = { 1, 2, 3, 4, 5 } });
}

static void test_by_value(void **state)
{
	/* System V ABI: memory arguments begin above the return address. */
	const int big = 8;
	const struct probe_at at[] = { {
		.code = target_by_value,
		.spec = { .reads = 3,
			  .actions = 1,
			  .read = { READ(STEP(REG, REG_STACK), STEP(ADD, big + 8), LOAD(8)),
				    READ(STEP(REG, REG_STACK), STEP(ADD, big + 16), LOAD_SIGNED(4)),
				    READ(STEP(REG, REG_STACK), STEP(ADD, big + 36), LOAD(4)) },
			  .action = { { .kind = TKS_PROBE_EMIT } } },
	} };
	struct probe_stage *s = *state;

	PLAY(s, scene_by_value, at);
	assert_int_equal(s->n, 1);
	assert_int_equal(s->events[0].value[0], 1ULL << 60);
	assert_int_equal((int64_t)s->events[0].value[1], -9);
	assert_int_equal(s->events[0].value[2], 5);
	assert_int_equal(s->events[0].value[3], 0);
	assert_int_equal(s->events[0].reads, 3);
}

static void scene_twice(void)
{
	for (long n = 1; n <= 5; n++)
		if (target_twice(n) != 2 * n)
			_exit(97);
}

static void test_returns(void **state)
{
	const struct probe_at at[] = {
		{ .code = target_twice,
		  .spec = { .reads = 1,
			    .actions = 1,
			    .read = { READ(STEP(REG, REG_RESULT)) },
			    .action = { ACT(COUNT, 0, 0) } },
		  .at_return = true },
		{ .code = target_twice_ret,
		  .spec = { .reads = 1,
			    .actions = 1,
			    .read = { READ(STEP(REG, REG_RESULT)) },
			    .action = { ACT(COUNT, 1, 0) } } },
		{ .code = target_twice,
		  .spec = { .reads = 1,
			    .actions = 1,
			    .read = { READ(ARG(0)) },
			    .action = { ACT(COUNT, 2, 0) } } },
	};
	struct probe_stage *s = *state;

	PLAY(s, scene_twice, at);
	assert_cell(s, 0, TKS_PROBE_COUNTER, 5, 30);
	assert_cell(s, 1, TKS_PROBE_COUNTER, 5, 30);
	assert_cell(s, 2, TKS_PROBE_COUNTER, 5, 15);
}

/* ------------------------------------------------------------------ what ends a hit */

static void scene_faults(void)
{
	struct target_outer there = { .inner = (void *)16 }, *untouched;

	untouched = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	target_object(&there);
	target_object(untouched);
	target_object((void *)0x10);
	target_object((void *)~0xfffUL);
}

static void test_faults(void **state)
{
	const struct probe_at at[] = { {
		.code = target_object,
		.spec = { .reads = 2,
			  .actions = 1,
			  .read = { READ(STEP(CONST, 1)), READ(INNER(byte), LOAD(1)) },
			  .action = { ACT(COUNT, 0, NONE) } },
	} };
	struct probe_stage *s = *state;

	PLAY(s, scene_faults, at);
	HITS(s, 0, .hits = 4, .faults = 4);
	assert_cell(s, 0, -1, 0, 0);
}

static void scene_implausible(void)
{
	static const uint64_t values[] = { 1, 100, 0, 50, 101, 1 };

	for (size_t i = 0; i < 6; i++)
		target_value(values[i]);
}

static void test_implausible(void **state)
{
	const struct probe_at at[] = { {
		.code = target_value,
		.spec = { .reads = 2,
			  .actions = 1,
			  .read = { READ(ARG(0)), WITHIN(1, 100, ARG(0)) },
			  .action = { ACT(COUNT, 0, 1) } },
	} };
	struct probe_stage *s = *state;
	struct tks_probe_off off;

	PLAY(s, scene_implausible, at);
	HITS(s, 0, .hits = 6, .off = 4);
	assert_cell(s, 0, TKS_PROBE_COUNTER, 2, 101);
	loader_probe_off(s->loader, 0, &off);
	assert_int_equal(off.off, 1);
	assert_int_equal(off.read, 1);
	assert_int_equal(loader_probe_site(s->loader, 0, &at[0].spec), 0);
	loader_probe_off(s->loader, 0, &off);
	assert_int_equal(off.off, 0);
	HITS(s, 0, .hits = 0);
}

static void scene_values(void)
{
	static const uint64_t values[] = { 0, 1, 2, 3, 3, 1000, 1ULL << 62 };

	for (size_t i = 0; i < 7; i++)
		target_value(values[i]);
}

static void test_filter(void **state)
{
	const struct probe_at at[] = { {
		.code = target_value,
		.spec = { .reads = 2,
			  .actions = 1,
			  /* What is passed over is not read any further: the second would be a fault. */
			  .read = { ONLY(2, 3, ARG(0)), READ(ARG(0), STEP(ADD, -3), LOAD(8)) },
			  .action = { ACT(COUNT, 0, 0) } },
	} };
	struct probe_stage *s = *state;

	PLAY(s, scene_values, at);
	HITS(s, 0, .hits = 7, .filtered = 4, .faults = 3);
	assert_cell(s, 0, -1, 0, 0);
}

/* ------------------------------------------------------------------ results */

static void test_histograms(void **state)
{
	static const uint64_t values[] = { 2, 3, 1000, 1ULL << 62 };
	static const uint64_t times[] = { 1, 2, 1, 1 };
	const struct probe_at at[] = { {
		.code = target_value,
		.spec = { .reads = 1,
			  .actions = 3,
			  .read = { WITHIN(0, INT64_MAX, ARG(0)) },
			  .action = { ACT(HISTOGRAM, 4, 0), ACT(DURATION, 5, 0),
				      ACT(DURATION, TKS_PROBE_NO_METRIC, 0) } },
	} };
	struct probe_stage *s = *state;

	PLAY(s, scene_values, at);
	for (size_t i = 0; i < 4; i++) {
		assert_cell(s, 4, tks_hist_cell(values[i], &tks_hist_plain), times[i],
			    times[i] * values[i]);
		assert_cell(s, 5, tks_hist_cell(values[i], &tks_hist_ns), times[i],
			    times[i] * values[i]);
	}
	assert_cell(s, 4, TKS_PROBE_ZERO, 1, 0);
	assert_cell(s, 5, TKS_PROBE_ZERO, 1, 0);
	assert_cell(s, 4, tks_hist_cell(1, &tks_hist_plain), 1, 1);
	assert_cell(s, 4, -1, 7, 1009 + (1ULL << 62));
	assert_cell(s, 5, -1, 7, 1009 + (1ULL << 62));
	assert_cell(s, TKS_PROBE_NO_METRIC, -1, 0, 0);
}

static void scene_gauges(void)
{
	for (int i = 0; i < 5; i++)
		target_value(i + 10);
	target_value_2(3);
	target_value_2(4);
}

static void test_gauges(void **state)
{
	const struct probe_at at[] = {
		{ .code = target_value,
		  .spec = { .reads = 1,
			    .actions = 2,
			    .read = { READ(ARG(0)) },
			    .action = { { .kind = TKS_PROBE_GAUGE_ADD,
					  .metric = 1,
					  .value = NONE,
					  .imm = 1 },
					ACT(GAUGE_SET, 2, 0) } } },
		{ .code = target_value_2,
		  .spec = { .reads = 1,
			    .actions = 1,
			    .read = { READ(ARG(0)) },
			    .action = { { .kind = TKS_PROBE_GAUGE_ADD,
					  .metric = 1,
					  .value = 0,
					  .imm = -1 } } } },
	};
	struct probe_stage *s = *state;
	struct tks_probe_gauge g;

	PLAY(s, scene_gauges, at);
	assert_cell(s, 1, TKS_PROBE_COUNTER, 7, 5 - 3 - 4);
	assert_true(probe_gauge(s, 2, &g));
	assert_int_equal(g.value, 14);
	assert_true(g.time_ns > 0);
	assert_false(probe_gauge(s, 1, &g));
	loader_probe_forget(s->loader, s->group);
	assert_false(probe_gauge(s, 2, &g));
	assert_cell(s, 1, -1, 0, 0);
}

/* ------------------------------------------------------------------ timers */

static void assert_took(const struct probe_stage *s, uint32_t metric, uint64_t count,
			uint64_t at_least_ns)
{
	struct tks_probe_cell c = probe_cell(s, metric, -1);

	assert_int_equal(c.count, count);
	assert_true(c.sum >= at_least_ns);
	assert_true(c.sum < at_least_ns + 60000 * MS);
}

static void sleep_2ms(void)
{
	usleep(2000);
}

static void *call_sleep(void *unused)
{
	target_call(sleep_2ms);
	return unused;
}

static void scene_threads(void)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		if (pthread_create(&t[i], NULL, call_sleep, NULL))
			_exit(97);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

static const struct probe_at timed_call[] = {
	{ .code = target_call, .spec = { .actions = 1, .action = { TIME(START, 0, 1, NONE) } } },
	{ .code = target_call_ret,
	  .spec = { .actions = 2,
		    .action = { TIME(STOP, 6, 1, NONE), { .kind = TKS_PROBE_EMIT } } } },
};

static void test_timer_of_thread(void **state)
{
	struct probe_stage *s = *state;
	uint64_t sum = 0;

	PLAY(s, scene_threads, timed_call);
	assert_took(s, 6, 4, 8 * MS);
	HITS(s, 0, .hits = 4);
	HITS(s, 1, .hits = 4);
	assert_int_equal(s->n, 4);
	for (size_t i = 0; i < 4; i++)
		sum += s->events[i].duration_ns;
	assert_int_equal(sum, probe_cell(s, 6, -1).sum);
}

static void *finish_both(void *objects)
{
	target_value_2(1);
	target_pair(1, objects);
	target_pair(1, (char *)objects + 1);
	return NULL;
}

static void scene_objects(void)
{
	static char objects[2];
	pthread_t t;

	target_value_2(0);
	target_pair(0, &objects[0]);
	target_pair(0, &objects[1]);
	usleep(2000);
	if (pthread_create(&t, NULL, finish_both, objects))
		_exit(97);
	pthread_join(t, NULL);
	target_pair(1, &objects[0]);
}

/* Started by one thread, stopped by another; the second STOP of one object has no START. */
static void test_timer_of_object(void **state)
{
	const struct probe_at at[] = {
		{ .code = target_pair,
		  .spec = { .reads = 2,
			    .actions = 1,
			    .read = { ONLY(0, 0, ARG(0)), READ(ARG(1)) },
			    .action = { TIME(START, 0, 7, 1) } } },
		{ .code = target_pair,
		  .spec = { .reads = 2,
			    .actions = 1,
			    .read = { ONLY(1, 1, ARG(0)), READ(ARG(1)) },
			    .action = { TIME(STOP, 8, 7, 1) } } },
	};
	struct probe_stage *s = *state;

	PLAY(s, scene_objects, at);
	assert_took(s, 8, 2, 4 * MS);
	HITS(s, 0, .hits = 5, .filtered = 3);
	HITS(s, 1, .hits = 5, .filtered = 2, .unmatched = 1);
}

static void scene_laps(void)
{
	for (int i = 0; i < 4; i++) {
		target_value(i);
		usleep(1000);
	}
}

static void test_laps(void **state)
{
	const struct probe_at at[] = { {
		.code = target_value,
		.spec = { .actions = 2,
			  .action = { TIME(LAP, 9, 3, NONE), { .kind = TKS_PROBE_EMIT } } },
	} };
	struct probe_stage *s = *state;

	PLAY(s, scene_laps, at);
	assert_took(s, 9, 3, 3 * MS);
	HITS(s, 0, .hits = 4);
	assert_int_equal(s->n, 4);
	assert_int_equal(s->events[0].duration_ns, 0);
	for (size_t i = 1; i < 4; i++)
		assert_int_equal(s->events[i].duration_ns,
				 s->events[i].h.time_ns - s->events[i - 1].h.time_ns);
}

static jmp_buf out;

static void jump_out(void)
{
	longjmp(out, 1);
}

static void scene_longjmp(void)
{
	if (!setjmp(out))
		target_call(jump_out);
	target_call(sleep_2ms);
}

static void test_longjmp(void **state)
{
	struct probe_stage *s = *state;

	PLAY(s, scene_longjmp, timed_call);
	assert_took(s, 6, 1, 2 * MS);
	HITS(s, 0, .hits = 2, .restarted = 1);
	HITS(s, 1, .hits = 1);
}

#define TOO_MANY 100

static void scene_too_many(void)
{
	for (uint64_t i = 0; i < TKS_PROBE_TIMERS + TOO_MANY; i++)
		target_value(i);
}

static void test_full(void **state)
{
	const struct probe_at at[] = { {
		.code = target_value,
		.spec = { .reads = 1,
			  .actions = 1,
			  .read = { READ(ARG(0)) },
			  .action = { TIME(START, 0, 2, 0) } },
	} };
	struct probe_stage *s = *state;
	uint64_t before = probe_lost(s, "probe_room");

	loader_probe_forget_timers(s->loader, UINT64_MAX);
	PLAY(s, scene_too_many, at);
	HITS(s, 0, .hits = TKS_PROBE_TIMERS + TOO_MANY, .lost = TOO_MANY);
	assert_int_equal(probe_lost(s, "probe_room") - before, TOO_MANY);
	assert_int_equal(loader_probe_forget_timers(s->loader, 1), 0);
	assert_int_equal(loader_probe_forget_timers(s->loader, UINT64_MAX), TKS_PROBE_TIMERS);
}

/* ------------------------------------------------------------------ specs that are refused */

static void test_bad_specs(void **state)
{
	static const struct tks_probe_site bad[] = {
		{ .reads = TKS_PROBE_READS + 1 },
		{ .actions = TKS_PROBE_ACTIONS + 1 },
		{ .reads = 1, .read = { READ(STEP(REG, 1 << 20)) } },
		{ .reads = 1, .read = { READ(STEP(REG, -8)) } },
		{ .reads = 1, .read = { READ(LOAD(3)) } },
		{ .reads = 1, .read = { READ(STEP(DIVIDE, 0)) } },
		{ .reads = 1, .read = { READ({ .op = 99 }) } },
		{ .actions = 1, .action = { { .kind = 99 } } },
		{ .actions = 1, .action = { ACT(COUNT, 0, 0) } },
		{ .actions = 1, .action = { TIME(START, 0, 0, 0) } },
		{ .reads = 1,
		  .actions = 1,
		  .read = { READ(STEP(CONST, 1)) },
		  .action = { ACT(HISTOGRAM, 0, 0) } },
	};
	const struct tks_probe_site good = { 0 };
	struct probe_stage *s = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(loader_probe_site(s->loader, 0, &bad[i]), -EINVAL);
	assert_int_equal(loader_probe_site(s->loader, TKS_PROBE_SITES, &good), -EINVAL);
	assert_int_equal(loader_probe_site(s->loader, TKS_PROBE_SITES - 1, &good), 0);
}

int main(void)
{
	static const struct probe_test tests[] = {
		{ "chains of reads, exact values", test_chains },
		{ "a struct by value", test_by_value },
		{ "results at return probes and ret instructions", test_returns },
		{ "memory that is not there", test_faults },
		{ "implausible: off", test_implausible },
		{ "filter", test_filter },
		{ "histograms", test_histograms },
		{ "gauges", test_gauges },
		{ "timers of threads", test_timer_of_thread },
		{ "timers of objects", test_timer_of_object },
		{ "laps", test_laps },
		{ "a function left by longjmp", test_longjmp },
		{ "no room for timers", test_full },
		{ "specs that are refused", test_bad_specs },
	};

	return probe_run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
