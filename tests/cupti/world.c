// SPDX-License-Identifier: Apache-2.0
#include "world.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#define SCENARIOS_MAX 64

static _Atomic time_t ahead_s;
static _Atomic time_t still_s; /* not 0: no time passes */

/* Also the library's, as the program exports it. */
int clock_gettime(clockid_t clock, struct timespec *t)
{
	int err = (int)syscall(SYS_clock_gettime, clock, t);

	if (!err && clock == CLOCK_MONOTONIC)
		*t = (struct timespec){ (still_s ? still_s : t->tv_sec) + ahead_s,
					still_s ? 0 : t->tv_nsec };
	return err;
}

void world_pass(uint32_t seconds)
{
	ahead_s += seconds;
}

void world_stop_time(void)
{
	still_s = (time_t)(world_monotonic_ns() / 1000000000) - ahead_s;
}

void world_open(struct world *w, bool with_cupti)
{
	void *cuda = dlopen(FAKES "/libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
	void *cupti = with_cupti ? dlopen(FAKES "/libcupti.so.13", RTLD_NOW | RTLD_LOCAL) : NULL;
	struct fake_cupti *(*fake)(void);

	check(cuda && !!cupti == with_cupti);
	*(void **)&w->init = dlsym(cuda, "cuInit");
	if (!cupti)
		return;
	*(void **)&fake = dlsym(cupti, "fake_cupti");
	*(void **)&w->record = dlsym(cupti, "fake_cupti_record");
	w->cupti = fake();
}

void world_inject(struct world *w)
{
	setenv("CUDA_INJECTION64_PATH", LIBRARY, 1);
	check(w->init(0) == 0);
	w->sink = sink_open(LIBRARY);
}

void world_listen(struct world *w)
{
	static const char *const probes[] = { "activity", "kernel_name", "device", "status",
					      "want_activity" };

	for (size_t i = 0; i < sizeof(probes) / sizeof(*probes); i++)
		sink_attach(probes[i]);
	eventually(w->sink->statuses && sink_status().state == TKS_CUPTI_ACTIVE);
}

struct tks_cupti_status world_status(struct world *w)
{
	uint32_t before;

	sink_detach("status");
	usleep(1100000); /* two looks */
	before = w->sink->statuses;
	sink_attach("status");
	eventually(w->sink->statuses != before);
	return sink_status();
}

static uint64_t time_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t world_realtime_ns(void)
{
	return time_ns(CLOCK_REALTIME);
}

uint64_t world_monotonic_ns(void)
{
	return time_ns(CLOCK_MONOTONIC);
}

bool world_kernel(struct world *w, uint32_t correlation, uint64_t start, const char *name)
{
	struct activity_kernel k = { .kind = KIND_CONCURRENT_KERNEL,
				     .start = start,
				     .end = start + 1000,
				     .device = 1,
				     .context = 2,
				     .stream = 3,
				     .grid = { 4, 5, 6 },
				     .correlation = correlation,
				     .name = name };

	return w->record(&k, sizeof(k), false);
}

bool world_memcpy(struct world *w, uint32_t correlation, uint64_t start, uint64_t bytes)
{
	struct activity_memcpy m = { .kind = KIND_MEMCPY,
				     .copy_kind = TKS_CUPTI_DTOH,
				     .bytes = bytes,
				     .start = start,
				     .end = start + 1000,
				     .device = 1,
				     .context = 2,
				     .stream = 3,
				     .correlation = correlation };

	return w->record(&m, sizeof(m), false);
}

bool world_memset(struct world *w, uint32_t correlation, uint64_t start, uint64_t bytes)
{
	struct activity_memset m = { .kind = KIND_MEMSET,
				     .bytes = bytes,
				     .start = start,
				     .end = start + 1000,
				     .device = 1,
				     .context = 2,
				     .stream = 3,
				     .correlation = correlation };

	return w->record(&m, sizeof(m), false);
}

bool world_graph(struct world *w, uint32_t correlation, uint64_t start)
{
	struct activity_graph g = { .kind = KIND_GRAPH_TRACE,
				    .correlation = correlation,
				    .start = start,
				    .end = start + 1000,
				    .device = 1,
				    .graph = 9,
				    .context = 2,
				    .stream = 3 };

	return w->record(&g, sizeof(g), false);
}

bool world_launch(struct world *w, uint32_t correlation, uint64_t start, uint32_t thread)
{
	struct activity_api a = { .kind = KIND_DRIVER,
				  .cbid = 307,
				  .start = start,
				  .end = start + 1000,
				  .process = 1,
				  .thread = thread,
				  .correlation = correlation };

	return w->record(&a, sizeof(a), false);
}

bool world_overhead(struct world *w, uint32_t kind, uint64_t start)
{
	struct activity_overhead o = {
		.kind = KIND_OVERHEAD, .overhead_kind = kind, .start = start, .end = start + 1000
	};

	return w->record(&o, sizeof(o), false);
}

static pid_t start_scenario(const struct scenario *s)
{
	pid_t pid = fork();

	if (!pid) {
		struct world w = { 0 };

		s->run(&w);
		_exit(0);
	}
	return pid;
}

static void scenario_passes(void **state)
{
	const pid_t *pid = *state;
	int status;

	assert_int_equal(waitpid(*pid, &status, 0), *pid);
	assert_int_equal(status, 0);
}

/* All at once: they mostly wait for the library to look around. */
int scenarios_run(const struct scenario *scenarios, size_t count)
{
	struct CMUnitTest tests[SCENARIOS_MAX] = { 0 };
	pid_t pids[SCENARIOS_MAX];

	for (size_t i = 0; i < count; i++) {
		pids[i] = start_scenario(&scenarios[i]);
		tests[i] = (struct CMUnitTest){ .name = scenarios[i].name,
						.test_func = scenario_passes,
						.initial_state = &pids[i] };
	}
	return _cmocka_run_group_tests("cupti", tests, count, NULL, NULL);
}
