// SPDX-License-Identifier: Apache-2.0
/* Records wait for the GPU work of their time, and get their share of it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "cli/gpu_share.h"

#define S     NSEC_PER_SEC
#define MS    NSEC_PER_MSEC
#define START (100 * S)

static const struct server server = { .id = 5, .engine = "vllm" };

#define TOLD_MAX 8

struct world {
	struct gpu_share *share;
	struct request_record told[TOLD_MAX]; /* the first */
	uint64_t itl[TOLD_MAX];
	size_t count;
};

static void on_finished(void *ctx, const struct request_record *r)
{
	struct world *w = ctx;

	if (w->count < TOLD_MAX) {
		w->itl[w->count] = r->itl ? r->itl->count : 0;
		w->told[w->count] = *r;
	}
	w->count++;
}

static void begin(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->share = gpu_share_new(on_finished, w);
	assert_non_null(w->share);
	gpu_share_process(w->share, server.id, 1000, true, START);
}

static void work(struct world *w, uint64_t from_ms, uint64_t to_ms)
{
	struct interval i = { .start_ns = START + from_ms * MS, .end_ns = START + to_ms * MS };

	gpu_share_busy(w->share, server.id, 1, &i, 1);
}

static void run(struct world *w, uint64_t id, uint64_t start_ms, uint64_t stop_ms)
{
	gpu_share_run(w->share,
		      &(struct request_run){ .id = id,
					     .server = &server,
					     .start_ns = START + start_ms * MS,
					     .stop_ns = stop_ms ? START + stop_ms * MS : 0 });
}

static bool finish(struct world *w, uint64_t id, uint64_t now_ms)
{
	struct request_record r;

	request_record_init(&r);
	r.server = &server;
	r.run = id;
	r.outcome = OUTCOME_OK;
	return gpu_share_hold(w->share, &r, START + now_ms * MS);
}

/* Of which the library has told all. */
static void tick(struct world *w, uint64_t now_ms)
{
	for (uint32_t tgid = 1000; tgid <= 1009; tgid++)
		for (int i = 0; i < 2; i++)
			gpu_share_flushed(w->share, tgid, START + now_ms * MS);
	gpu_share_tick(w->share, START + now_ms * MS);
}

static void assert_share(const struct request_record *r, uint64_t id, double gpu_s)
{
	assert_int_equal(r->run, id);
	assert_true(fabs(r->gpu_s - gpu_s) < 1e-12);
	assert_string_equal(r->gpu_source, "in_flight");
}

/* 0..100 ms: the first alone; 100..200: both. */
static void test_two_requests(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	run(&w, 1, 0, 0);
	run(&w, 2, 100, 0);
	work(&w, 0, 50);
	work(&w, 40, 80);
	work(&w, 100, 180);
	run(&w, 1, 0, 200);
	assert_true(finish(&w, 1, 200));
	run(&w, 2, 100, 210);
	assert_true(finish(&w, 2, 210));
	tick(&w, 300);
	assert_int_equal(w.count, 0);
	tick(&w, 1600);
	assert_int_equal(w.count, 2);
	assert_share(&w.told[0], 1, 0.12);
	assert_share(&w.told[1], 2, 0.04);
	gpu_share_free(w.share);
}

/* Nobody waits longer than two seconds, and what is not known stays so. */
static void test_the_end_of_patience(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	assert_true(finish(&w, 9, 100)); /* its run was not told */
	tick(&w, 2000);
	assert_int_equal(w.count, 0);
	tick(&w, 2100);
	assert_int_equal(w.count, 1);
	assert_true(isnan(w.told[0].gpu_s));
	assert_null(w.told[0].gpu_source);
	gpu_share_free(w.share);
}

/* A request of 0..100 ms, and what the library had to tell of it. */
static void one_request(struct world *w)
{
	begin(w);
	run(w, 1, 0, 0);
	work(w, 0, 50);
	run(w, 1, 0, 100);
	assert_true(finish(w, 1, 100));
}

static void flushed_and_ticked(struct world *w, uint64_t flushed_ms, uint64_t now_ms)
{
	gpu_share_flushed(w->share, 1000, START + flushed_ms * MS);
	gpu_share_tick(w->share, START + now_ms * MS);
}

static void test_a_slow_flush_is_waited_for(void **state)
{
	struct world w;

	(void)state;
	one_request(&w);
	flushed_and_ticked(&w, 50, 60);
	flushed_and_ticked(&w, 90, 1600); /* up to 50 ms all is told */
	assert_int_equal(w.count, 0);
	work(&w, 60, 90);
	flushed_and_ticked(&w, 1700, 1710); /* up to 90 ms */
	assert_int_equal(w.count, 0);
	flushed_and_ticked(&w, 1750, 1760);
	assert_int_equal(w.count, 1);
	assert_share(&w.told[0], 1, 0.08);
	gpu_share_free(w.share);
}

static void test_the_silent_are_not_waited_for(void **state)
{
	struct world w;

	(void)state;
	one_request(&w);
	gpu_share_tick(w.share, START + 1800 * MS);
	assert_int_equal(w.count, 0);
	gpu_share_tick(w.share, START + 1801 * MS);
	assert_int_equal(w.count, 1);
	assert_true(isnan(w.told[0].gpu_s));
	/* It speaks again: what begins then is known. */
	flushed_and_ticked(&w, 2000, 2000);
	flushed_and_ticked(&w, 2100, 2100);
	run(&w, 2, 2200, 0);
	work(&w, 2200, 2210);
	run(&w, 2, 2200, 2300);
	assert_true(finish(&w, 2, 2300));
	tick(&w, 3700);
	assert_int_equal(w.count, 2);
	assert_share(&w.told[1], 2, 0.01);
	gpu_share_free(w.share);
}

static void test_who_does_not_wait(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	assert_false(finish(&w, 0, 100)); /* does not run */
	gpu_share_process(w.share, server.id, 1001, false, START);
	assert_false(finish(&w, 1, 100)); /* a second process of the server tells nothing */
	gpu_share_process_gone(w.share, 1001, START);
	assert_true(finish(&w, 2, 100));
	assert_false(finish(&w, 2, 100));
	gpu_share_process_gone(w.share, 1000, START);
	assert_false(finish(&w, 3, 100));
	gpu_share_free(w.share);
	assert_int_equal(w.count, 1);
}

/* A request that was under way when the library began to tell has no known time, but had its share of what followed. */
static void test_before_the_library(void **state)
{
	struct world w;

	(void)state;
	memset(&w, 0, sizeof(w));
	w.share = gpu_share_new(on_finished, &w);
	run(&w, 1, 0, 0);
	gpu_share_process(w.share, server.id, 1000, true, START + 50 * MS);
	run(&w, 2, 50, 0);
	work(&w, 60, 90);
	run(&w, 1, 0, 100);
	assert_true(finish(&w, 1, 100));
	run(&w, 2, 50, 100);
	assert_true(finish(&w, 2, 100));
	tick(&w, 2200);
	assert_int_equal(w.count, 2);
	assert_true(isnan(w.told[0].gpu_s));
	assert_share(&w.told[1], 2, 0.015);
	gpu_share_free(w.share);
}

/* Without a source all settles, too: nothing is kept, and the number of a run may be given again. */
static void test_no_source(void **state)
{
	struct world w;

	(void)state;
	memset(&w, 0, sizeof(w));
	w.share = gpu_share_new(on_finished, &w);
	run(&w, 1, 0, 0);
	run(&w, 1, 0, 100);
	tick(&w, 1500);
	gpu_share_process(w.share, server.id, 1000, true, START + 1500 * MS);
	run(&w, 1, 1600, 0);
	work(&w, 1600, 1650);
	run(&w, 1, 1600, 1700);
	assert_true(finish(&w, 1, 1700));
	tick(&w, 3100);
	assert_int_equal(w.count, 1);
	assert_share(&w.told[0], 1, 0.05);
	gpu_share_free(w.share);
}

/* How the processes that tell change while the first of two requests runs. */
struct change {
	uint32_t server;
	uint32_t tgid;
	bool active;
	bool gone;
};

/* Request 1 runs from 0 to 200 ms, 2 from 100 to 200; the change is at 100. */
static void check_change(const struct change *changes, size_t count)
{
	struct world w;

	begin(&w);
	gpu_share_process(w.share, server.id, 1001, true, START);
	run(&w, 1, 0, 0);
	work(&w, 0, 50);
	for (size_t i = 0; i < count; i++) {
		const struct change *c = &changes[i];

		if (c->gone)
			gpu_share_process_gone(w.share, c->tgid, START + 100 * MS);
		else
			gpu_share_process(w.share, c->server, c->tgid, c->active, START + 100 * MS);
	}
	run(&w, 2, 100, 0);
	work(&w, 100, 150);
	run(&w, 1, 0, 200);
	run(&w, 2, 100, 200);
	assert_true(finish(&w, 1, 200));
	assert_true(finish(&w, 2, 200));
	tick(&w, 1600);
	assert_int_equal(w.count, 2);
	assert_true(isnan(w.told[0].gpu_s));
	assert_share(&w.told[1], 2, 0.025);
	gpu_share_free(w.share);
}

#define CHECK_CHANGE(...)                                    \
	check_change((const struct change[]){ __VA_ARGS__ }, \
		     sizeof((const struct change[]){ __VA_ARGS__ }) / sizeof(struct change))

static void test_who_tells_changes(void **state)
{
	(void)state;
	CHECK_CHANGE({ server.id, 1002, true, false });	    /* another worker */
	CHECK_CHANGE({ .tgid = 1001, .gone = true });	    /* killed, or another program */
	CHECK_CHANGE({ server.id + 1, 1001, true, false }); /* another server's from now on */
	CHECK_CHANGE({ server.id, 1001, false, false }, { server.id, 1001, true, false });
}

static double discarded(struct registry *r, const char *reason)
{
	struct snapshot *snap = registry_snapshot(r);
	const struct snapshot_family *f = &snap->families[M_GPU_RECORDS_DISCARDED];
	double value = 0;

	for (size_t i = 0; i < f->count; i++)
		if (!strcmp(f->series[i].values[0], reason))
			value = f->series[i].value;
	snapshot_free(snap);
	return value;
}

/* Something is lost while the first of two requests runs. */
static void check_loss(uint32_t of, bool known)
{
	struct world w;

	begin(&w);
	run(&w, 1, 0, 0);
	if (of)
		gpu_share_lost(w.share, of, START + 50 * MS);
	else
		gpu_share_lost_any(w.share, START + 50 * MS);
	run(&w, 2, 50, 0);
	work(&w, 50, 90);
	run(&w, 1, 0, 100);
	run(&w, 2, 50, 100);
	assert_true(finish(&w, 1, 100));
	assert_true(finish(&w, 2, 100));
	tick(&w, 1600);
	assert_int_equal(w.count, 2);
	assert_int_equal(!isnan(w.told[0].gpu_s), known);
	assert_share(&w.told[1], 2, 0.02);
	gpu_share_free(w.share);
}

static void test_lost_work(void **state)
{
	(void)state;
	check_loss(1000, false);
	check_loss(0, false);
	check_loss(1001, true); /* not a process of that server */
}

#define HELD_MAX 4096

/* What could not be shared out is counted. */
static void test_counters(void **state)
{
	struct registry *r = registry_new(&(struct registry_config){ 0 });
	struct world w;

	(void)state;
	begin(&w);
	gpu_share_publish(w.share, r);
	assert_true(discarded(r, "share_late") == 0);
	run(&w, 1, 0, 0);
	tick(&w, 1400);
	work(&w, 50, 90);
	run(&w, 1, 0, 60);
	for (uint64_t id = 1; id <= HELD_MAX; id++)
		assert_true(finish(&w, id, 1400));
	assert_false(finish(&w, HELD_MAX + 1, 1400));
	gpu_share_publish(w.share, r);
	assert_true(discarded(r, "share_late") == 1);
	assert_true(discarded(r, "share_late_request") == 1);
	assert_true(discarded(r, "share_no_room") == 1);
	gpu_share_free(w.share);
	registry_free(r);
}

/* A status that says nothing new changes nothing. */
static void test_who_tells_stays(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	run(&w, 1, 0, 0);
	work(&w, 0, 50);
	gpu_share_process(w.share, server.id, 1000, true, START + 60 * MS);
	gpu_share_process_gone(w.share, 999, START + 60 * MS); /* has no library */
	run(&w, 1, 0, 100);
	assert_true(finish(&w, 1, 100));
	tick(&w, 1600);
	assert_share(&w.told[0], 1, 0.05);
	gpu_share_free(w.share);
}

static void test_the_server_goes(void **state)
{
	struct world w;
	struct request_record r;
	struct hist itl;

	(void)state;
	begin(&w);
	request_record_init(&r);
	r.server = &server;
	r.run = 4;
	assert_int_equal(hist_init(&itl, &(struct hist_bounds){ (const double[]){ 1 }, 1 }), 0);
	hist_observe(&itl, 0.5, 3);
	r.itl = &itl;
	assert_true(gpu_share_hold(w.share, &r, START));
	hist_free(&itl);
	gpu_share_server_gone(w.share, server.id);
	assert_int_equal(w.count, 1);
	assert_int_equal(w.itl[0], 3);
	assert_false(finish(&w, 5, 100));
	gpu_share_free(w.share);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_requests),
		cmocka_unit_test(test_the_end_of_patience),
		cmocka_unit_test(test_a_slow_flush_is_waited_for),
		cmocka_unit_test(test_the_silent_are_not_waited_for),
		cmocka_unit_test(test_who_does_not_wait),
		cmocka_unit_test(test_before_the_library),
		cmocka_unit_test(test_no_source),
		cmocka_unit_test(test_who_tells_changes),
		cmocka_unit_test(test_who_tells_stays),
		cmocka_unit_test(test_lost_work),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_the_server_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
