// SPDX-License-Identifier: Apache-2.0
#include "world.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#define SCENARIOS_MAX 64

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

uint64_t world_realtime_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
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
