// SPDX-License-Identifier: Apache-2.0
/* Placing probes: in one process and no other, in all its threads, many at once, in files that are gone. */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "probe_stage.h"

#define COUNTED                                                 \
	{                                                       \
		.actions = 1, .action = { ACT(COUNT, 0, NONE) } \
	}

static const struct probe_at counted[] = { { .code = target_value, .spec = COUNTED } };

static void call_target(uint64_t times)
{
	for (uint64_t i = 0; i < times; i++)
		target_value(i);
}

/* ------------------------------------------------------------------ whose hits */

static void scene_ten(void)
{
	call_target(10);
}

/* Another process that maps the same file, this one, calls it too. */
static void test_one_process(void **state)
{
	struct probe_stage *s = *state;
	pid_t child = probe_child(scene_ten);
	struct probe_links *links = probe_attach(s, child, "/proc/self/exe", counted, 1);

	call_target(1000);
	assert_int_equal(probe_hits(s, 0).hits, 0);
	probe_child_go();
	probe_child_end(child);
	call_target(1000);
	assert_int_equal(probe_hits(s, 0).hits, 10);
	loader_probes_detach(links);
}

static void scene_fork(void)
{
	int status;

	call_target(3);
	if (!fork()) {
		call_target(100);
		_exit(0);
	}
	if (wait(&status) < 0 || status)
		_exit(97);
	call_target(4);
}

static void test_fork(void **state)
{
	struct probe_stage *s = *state;

	PLAY(s, scene_fork, counted);
	assert_int_equal(probe_hits(s, 0).hits, 7);
}

#define THREADS 64
#define CALLS	500

static void *hammer(void *unused)
{
	for (int i = 0; i < CALLS; i++)
		if (target_twice(7) != 14)
			_exit(97);
	return unused;
}

static void scene_hammer(void)
{
	pthread_t t[THREADS];

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&t[i], NULL, hammer, NULL))
			_exit(97);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

static void test_threads(void **state)
{
	const struct probe_at at[] = {
		{ .code = target_twice,
		  .spec = { .reads = 1,
			    .actions = 3,
			    .read = { WITHIN(0, 7, ARG(0)) },
			    .action = { TIME(START, 0, 4, NONE), ACT(COUNT, 1, 0),
					ACT(HISTOGRAM, 2, 0) } } },
		{ .code = target_twice_ret,
		  .spec = { .actions = 1, .action = { TIME(STOP, 3, 4, NONE) } } },
	};
	struct probe_stage *s = *state;
	struct tks_probe_hits h;

	PLAY(s, scene_hammer, at);
	for (uint32_t site = 0; site < 2; site++) {
		h = probe_hits(s, site);
		assert_int_equal(h.hits, THREADS * CALLS);
		assert_int_equal(h.faults + h.off + h.unmatched + h.restarted + h.lost, 0);
	}
	assert_int_equal(probe_cell(s, 1, TKS_PROBE_COUNTER).sum, 7 * THREADS * CALLS);
	assert_int_equal(probe_cell(s, 2, -1).count, THREADS * CALLS);
	assert_int_equal(probe_cell(s, 3, -1).count, THREADS * CALLS);
}

/* ------------------------------------------------------------------ many places */

static void scene_many(void)
{
	target_many_call(0, TARGET_MANY);
}

/* places[i] is site i. */
static void fill_many(struct probe_stage *s, struct probe_place *places)
{
	const struct tks_probe_site spec = COUNTED;

	for (size_t i = 0; i < TARGET_MANY; i++) {
		assert_int_equal(loader_probe_site(s->loader, i, &spec), 0);
		places[i] =
			(struct probe_place){ .offset = probe_offset(target_many) + i * TARGET_STEP,
					      .site = i };
	}
}

static void check_many(const struct probe_stage *s, const int *attached)
{
	size_t placed = s->multi ? TARGET_MANY : PROBE_PLACES_PERF;

	for (size_t i = 0; i < TARGET_MANY; i++) {
		assert_int_equal(attached[i], i < placed ? 0 : -ENOSPC);
		assert_int_equal(probe_hits(s, i).hits, i < placed);
	}
	assert_int_equal(probe_cell(s, 0, -1).count, placed);
}

static void test_many(void **state)
{
	static struct probe_place places[TARGET_MANY];
	static int attached[TARGET_MANY];
	struct probe_stage *s = *state;
	pid_t child = probe_child(scene_many);
	uint64_t t0, t1, t2, t3;
	struct probe_links *links;

	s->group++;
	fill_many(s, places);
	t0 = clock_monotonic_ns();
	links = loader_probes_attach(s->loader, child, s->group, "/proc/self/exe", places,
				     TARGET_MANY, attached);
	t1 = clock_monotonic_ns();
	assert_non_null(links);
	probe_child_go();
	usleep(300000);
	t2 = clock_monotonic_ns();
	loader_probes_detach(links);
	t3 = clock_monotonic_ns();
	probe_child_end(child);
	check_many(s, attached);
	print_message("# %d places: attached in %.1f ms, detached in %.1f ms\n",
		      s->multi ? TARGET_MANY : PROBE_PLACES_PERF, (t1 - t0) / 1e6, (t3 - t2) / 1e6);
}

/* Detaching gives the room back. */
static void test_again(void **state)
{
	struct probe_stage *s = *state;

	for (int i = 0; i < 3; i++) {
		PLAY(s, scene_ten, counted);
		assert_int_equal(probe_hits(s, 0).hits, 10);
	}
}

static void scene_silent(void)
{
	call_target(10);
	usleep(1000);
}

/* Nothing is counted from the moment that detaching returns, however long the kernel takes to clear up. */
static void test_detached(void **state)
{
	struct probe_stage *s = *state;
	pid_t child = probe_child(scene_silent);
	struct probe_links *links = probe_attach(s, child, "/proc/self/exe", counted, 1);

	loader_probes_detach(links);
	probe_child_go();
	probe_child_end(child);
	assert_int_equal(probe_hits(s, 0).hits, 0);
}

/* ------------------------------------------------------------------ places and files that are not there */

static void test_bad_places(void **state)
{
	const uint64_t good = probe_offset(target_value);
	const struct probe_place places[] = {
		{ .offset = 1ULL << 40 },
		{ .offset = good, .site = 0 },
		{ .offset = good, .site = TKS_PROBE_SITES },
		{ .offset = probe_offset(target_value_2), .site = 1, .at_return = true },
		{ .offset = 1ULL << 41, .at_return = true },
	};
	const struct tks_probe_site spec = COUNTED;
	struct probe_stage *s = *state;
	pid_t child = probe_child(scene_ten);
	struct probe_links *links;
	int attached[5];

	s->group++;
	assert_int_equal(loader_probe_site(s->loader, 0, &spec), 0);
	links = loader_probes_attach(s->loader, child, s->group, "/proc/self/exe", places, 5,
				     attached);
	assert_non_null(links);
	assert_int_equal(attached[0], -EINVAL);
	assert_int_equal(attached[1], 0);
	assert_int_equal(attached[2], -EINVAL);
	assert_int_equal(attached[3], 0);
	assert_int_equal(attached[4], -EINVAL);
	probe_child_go();
	probe_child_end(child);
	assert_int_equal(probe_hits(s, 0).hits, 10);
	loader_probes_detach(links);
	assert_null(loader_probes_attach(s->loader, getpid(), 1, "/proc/self/exe", places, 1,
					 attached));
	assert_int_equal(errno, EINVAL);
}

static void test_gone(void **state)
{
	const struct probe_place place = { .offset = probe_offset(target_value) };
	struct probe_stage *s = *state;
	pid_t child = fork();
	int attached = 0;

	if (!child)
		_exit(0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_null(
		loader_probes_attach(s->loader, child, 1, "/proc/self/exe", &place, 1, &attached));
	assert_int_equal(errno, ESRCH);
	assert_int_equal(attached, -ESRCH);
	assert_null(loader_probes_attach(s->loader, getpid(), 1, "/proc/self/no_such_file", &place,
					 1, &attached));
	assert_int_equal(errno, ENOENT);
	assert_int_equal(attached, -ENOENT);
}

/* /proc/PID/map_files/FROM-TO of the mapping that holds the probed code. */
static void map_file(pid_t pid, uint64_t at, char *path, size_t size)
{
	uintptr_t from, to, offset;
	char line[512], name[64], mode[8];
	_cleanup_fclose_ FILE *f = NULL;

	snprintf(name, sizeof(name), "/proc/%d/maps", pid);
	f = fopen(name, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s %" SCNxPTR, &from, &to, mode,
			   &offset) == 4 &&
		    strchr(mode, 'x') && offset <= at && at - offset < to - from) {
			snprintf(path, size, "/proc/%d/map_files/%" PRIxPTR "-%" PRIxPTR, pid, from,
				 to);
			return;
		}
	fail_msg("process %d does not map the code", pid);
}

#define COPY "/tmp/tokscope_probe_copy"

static void copy_self(void)
{
	_cleanup_close_ int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int to = open(COPY, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	static char buffer[1 << 16];
	ssize_t n;

	assert_true(from >= 0 && to >= 0);
	while ((n = read(from, buffer, sizeof(buffer))) > 0)
		assert_int_equal(write(to, buffer, n), n);
}

static void scene_exec(void)
{
	execl(COPY, COPY, "scene", NULL);
	_exit(96);
}

/* The child's program, a copy of this one whose file is deleted, is started anew and waits once more. */
static void test_deleted(void **state)
{
	struct probe_stage *s = *state;
	char path[128] = "";
	struct probe_links *links;
	pid_t child;

	copy_self();
	child = probe_child(scene_exec);
	probe_child_go();
	usleep(500000);
	assert_int_equal(unlink(COPY), 0);
	map_file(child, probe_offset(target_value), path, sizeof(path));
	links = probe_attach(s, child, path, counted, 1);
	probe_child_go();
	probe_child_end(child);
	assert_int_equal(probe_hits(s, 0).hits, 10);
	loader_probes_detach(links);
}

/* What the copy does: argument "scene". */
static int be_scene(void)
{
	char c;

	if (read(PROBE_CHILD_FD, &c, 1) == 1)
		scene_ten();
	return read(PROBE_CHILD_FD, &c, 1) ? 98 : 0;
}

int main(int argc, char **argv)
{
	static const struct probe_test tests[] = {
		{ "one process of two", test_one_process },
		{ "a process that forks", test_fork },
		{ "64 threads", test_threads },
		{ "1000 places", test_many },
		{ "attached again", test_again },
		{ "nothing after detaching", test_detached },
		{ "places that are refused", test_bad_places },
		{ "processes and files that are gone", test_gone },
		{ "a deleted file", test_deleted },
	};

	if (argc == 2 && !strcmp(argv[1], "scene"))
		return be_scene();
	return probe_run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
