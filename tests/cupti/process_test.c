// SPDX-License-Identifier: Apache-2.0
/* The library and the life of its process: threads, fork, exec, exit, kill, dlclose, hung devices. */
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "world.h"

#define THREADS	      8
#define KERNELS	      20000 /* a thread */
#define NAMES	      50
#define POOL	      64     /* buffers.h */
#define POOL_BYTES    524288 /* of each */
#define KERNEL_BYTES  216
#define A_BUFFER_FULL (POOL_BYTES / KERNEL_BYTES)

static void start(struct world *w)
{
	world_open(w, true);
	world_inject(w);
	world_listen(w);
}

/* ------------------------------------------------------------------ threads */

static char kernel_names[NAMES][16];

static void *launch_kernels(void *data)
{
	struct world *w = data;

	for (uint32_t i = 0; i < KERNELS; i++)
		check(world_kernel(w, i, world_realtime_ns(), kernel_names[i % NAMES]));
	return NULL;
}

static void a_storm_of_threads_loses_nothing(struct world *w)
{
	pthread_t threads[THREADS];
	static uint32_t seen[KERNELS];

	for (int i = 0; i < NAMES; i++)
		snprintf(kernel_names[i], sizeof(kernel_names[i]), "kernel%d", i);
	world_open(w, true);
	w->cupti->flush_ms = 20;
	world_inject(w);
	world_listen(w);
	for (int i = 0; i < THREADS; i++)
		check(!pthread_create(&threads[i], NULL, launch_kernels, w));
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	eventually(w->sink->count == THREADS * KERNELS);
	for (uint32_t i = 0; i < THREADS * KERNELS; i++) {
		const struct tks_cupti_record *r = &w->sink->records[i];

		check(!strcmp(w->sink->names[r->name], kernel_names[r->correlation % NAMES]));
		seen[r->correlation]++;
	}
	for (uint32_t i = 0; i < KERNELS; i++)
		check(seen[i] == THREADS);
	check(!w->sink->wrong && w->sink->names_told == NAMES);
}

static uint64_t blocked_signals(const char *thread)
{
	char path[280], line[256], name[64] = "";
	uint64_t blocked = 0;
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *e;

	while ((e = readdir(tasks))) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%s/status", e->d_name);
		f = fopen(path, "r");
		while (f && fgets(line, sizeof(line), f)) {
			sscanf(line, "Name: %63s", name);
			if (!strcmp(name, thread))
				sscanf(line, "SigBlk: %lx", &blocked);
		}
		if (f)
			fclose(f);
	}
	closedir(tasks);
	return blocked;
}

static void signals_are_for_the_programs_own_threads(struct world *w)
{
	uint64_t blocked;
	sigset_t own;

	start(w);
	blocked = blocked_signals("tokscope-cupti");
	check(blocked >> (SIGTERM - 1) & 1);
	check(blocked >> (SIGUSR1 - 1) & 1);
	check(!(blocked >> (SIGSEGV - 1) & 1));
	pthread_sigmask(SIG_SETMASK, NULL, &own);
	check(!sigismember(&own, SIGTERM));
}

/* ------------------------------------------------------------------ the end of processes */

static void forked_children_are_left_alone(struct world *w)
{
	int status;
	pid_t child;

	start(w);
	check(world_kernel(w, 1, world_realtime_ns(), "k"));
	child = fork();
	if (!child) {
		for (uint32_t i = 0; i < 2 * A_BUFFER_FULL; i++)
			world_kernel(w, i, world_realtime_ns(), "in the child");
		exit(0);
	}
	check(waitpid(child, &status, 0) == child && status == 0);
	check(world_kernel(w, 2, world_realtime_ns(), "k"));
	eventually(w->sink->count == 2 && w->sink->names_told == 1);
}

static void exec_and_kill(struct world *w)
{
	int status;
	pid_t child;

	start(w);
	check(world_kernel(w, 1, world_realtime_ns(), "k"));
	child = fork();
	if (!child)
		execl("/bin/true", "true", NULL);
	check(waitpid(child, &status, 0) == child && status == 0);
	child = fork();
	if (!child)
		pause();
	kill(child, SIGKILL);
	check(waitpid(child, &status, 0) == child && WTERMSIG(status) == SIGKILL);
	eventually(w->sink->count == 1);
}

static struct world *ending;

/* Registered before the library's own, so that it runs after it. */
static void at_exit(void)
{
	check(ending->sink->count == 10 && ending->cupti->flushes_forced == 1);
	check(sink_status().records == 10);
	_exit(0);
}

static void what_is_in_buffers_at_exit_is_told(struct world *w)
{
	ending = w;
	atexit(at_exit);
	start(w);
	for (uint32_t i = 0; i < 10; i++)
		check(world_kernel(w, i, world_realtime_ns(), "k"));
	exit(3);
}

static void at_exit_unattached(void)
{
	check(!ending->cupti->flushes_forced);
	_exit(0);
}

static void unattached_nothing_is_called_at_exit(struct world *w)
{
	ending = w;
	atexit(at_exit_unattached);
	world_open(w, true);
	world_inject(w);
	exit(3);
}

static void it_survives_dlclose(struct world *w)
{
	void *library;

	start(w);
	library = dlopen(LIBRARY, RTLD_NOW | RTLD_NOLOAD);
	check(library);
	for (int i = 0; i < 3; i++)
		dlclose(library);
	check(world_kernel(w, 1, world_realtime_ns(), "k"));
	eventually(w->sink->count == 1);
}

/* ------------------------------------------------------------------ a device that gives nothing back */

static uint32_t fill_all_buffers(struct world *w, uint32_t buffers)
{
	uint32_t taken = 0;

	for (uint32_t i = 0; i < buffers * A_BUFFER_FULL; i++)
		taken += world_kernel(w, i, world_realtime_ns(), "k");
	return taken;
}

static void buffers_are_bounded(struct world *w)
{
	start(w);
	w->cupti->deaf = true;
	check(fill_all_buffers(w, POOL + 2) == POOL * A_BUFFER_FULL);
	check(world_status(w).buffers_refused == 2 * A_BUFFER_FULL);
	check(!w->sink->count);
}

static void an_old_cupti_gets_spare_buffers_and_the_watchdog_ends_it(struct world *w)
{
	world_open(w, true);
	w->cupti->version = 26; /* CUDA 12.8 crashes when a buffer is refused */
	world_inject(w);
	world_listen(w);
	w->cupti->deaf = true;
	check(fill_all_buffers(w, POOL + 129) > (POOL + 128) * A_BUFFER_FULL);
	eventually(sink_status().state == TKS_CUPTI_STOOD_DOWN);
	check(sink_status().reason == TKS_CUPTI_REASON_MEMORY && !w->cupti->subscribed &&
	      !w->cupti->enabled);
	check(sink_status().buffers_refused == 129);
}

/* As CUPTI does when its device buffers have run out. */
static void the_watchdog_ends_a_flood_of_impossible_times(struct world *w)
{
	struct activity_kernel k = { .kind = KIND_CONCURRENT_KERNEL };

	start(w);
	for (int i = 0; i < 2000; i++)
		check(w->record(&k, sizeof(k), false));
	eventually(sink_status().state == TKS_CUPTI_STOOD_DOWN);
	check(sink_status().reason == TKS_CUPTI_REASON_TIMESTAMPS && sink_status().invalid == 2000);
	check(!w->cupti->subscribed && !w->cupti->enabled && !w->sink->count);
}

int main(void)
{
	static const struct scenario scenarios[] = {
		SCENARIO(a_storm_of_threads_loses_nothing),
		SCENARIO(signals_are_for_the_programs_own_threads),
		SCENARIO(forked_children_are_left_alone),
		SCENARIO(exec_and_kill),
		SCENARIO(what_is_in_buffers_at_exit_is_told),
		SCENARIO(unattached_nothing_is_called_at_exit),
		SCENARIO(it_survives_dlclose),
		SCENARIO(buffers_are_bounded),
		SCENARIO(an_old_cupti_gets_spare_buffers_and_the_watchdog_ends_it),
		SCENARIO(the_watchdog_ends_a_flood_of_impossible_times),
	};

	return scenarios_run(scenarios, sizeof(scenarios) / sizeof(*scenarios));
}
