// SPDX-License-Identifier: Apache-2.0
/* The loader's own promises: wake-ups, counters, programs, features, what it costs and where payload may go. */
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "scene.h"
#include "stage.h"

/* ------------------------------------------------------------------ waking up */

static bool readable(const struct stage *s)
{
	struct pollfd p = { .fd = loader_poll_fd(s->loader), .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void scene_wake(struct stage *s)
{
	int fd[2];

	connected_pair(AF_INET, fd);
	spawn_sink(fd);
	cue(s);
	write_all(fd[0], 0, 1000);
	cue(s);
	write_all(fd[0], 1000, 63000);
	write_all(fd[0], 64000, 2000);
	cue(s);
	write_all(fd[0], 66000, 10);
	cue(s);
}

static void watch_wake(struct stage *s)
{
	assert_int_equal(readable(s), s->notes->count++ == 1);
	if (s->notes->count == 1)
		return;
	stage_read(s);
	assert_false(readable(s));
}

/* Small records wake nobody, 64 KiB do; and whoever reads gets all there is, woken or not. */
static void test_wake(void **state)
{
	struct stage *s = *state;

	s->deaf = true;
	s->on_cue = watch_wake;
	stage_play(s, scene_wake);
	assert_int_equal(s->notes->count, 3);
	assert_string_equal(stage_only(s, TKS_SEND), "1000 16384 16384 16384 13848 2000 10");
}

/* ------------------------------------------------------------------ counters */

static void test_failures(void **state)
{
	static const char *const labels[] = { "ring_full",   "user_read",   "segments",
					      "no_buffer",   "compat",	    "scratch",
					      "sock_map",    "pending_map", "return_missed",
					      "target_map",  "gpu_read",    "gpu_layout",
					      "gpu_cells",   "probe_room",  "cupti_read",
					      "cupti_batch", "bad_record",  "bpf_recursion" };
	const size_t n = sizeof(labels) / sizeof(labels[0]);
	const struct stage *s = *state;
	struct loader_failure rows[32];

	rows[3].stage = NULL;
	assert_int_equal(loader_failures(s->loader, rows, 3), n);
	assert_null(rows[3].stage);
	assert_int_equal(loader_failures(s->loader, rows, 32), n);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(rows[i].stage, labels[i]);
		assert_true(rows[i].help && rows[i].help[0]);
		assert_int_equal(rows[i].lost, strcmp(labels[i], "no_buffer") != 0);
		/* Programs of one tracepoint may get in each other's way, see bpf/preempt.bpf.h. */
		if (strcmp(labels[i], "bpf_recursion"))
			assert_int_equal(rows[i].count, 0);
	}
}

#define TARGETS_MAX 4096

static void scene_fork(struct stage *s)
{
	int fd[2];

	connected_pair(AF_INET, fd);
	cue(s);
	cue(s);
	if (!fork())
		_exit(0);
	write_all(fd[0], 0, 10);
}

static void fill_targets(struct stage *s)
{
	int err = 0;

	for (uint32_t i = 0; i < TARGETS_MAX && !err; i++)
		err = loader_select(s->loader, 1U << 30 | i);
	assert_int_equal(err, -E2BIG);
}

static void test_targets_full(void **state)
{
	struct stage *s = *state;

	s->on_cue = fill_targets;
	stage_play(s, scene_fork);
	for (uint32_t i = 0; i < TARGETS_MAX; i++)
		loader_unselect(s->loader, 1U << 30 | i);
	assert_string_equal(stage_only(s, TKS_SEND), "10");
	assert_null(stage_proc(s, TKS_PROC_FORK, s->child));
	assert_int_equal(stage_lost(s, "target_map"), 1);
}

/* ------------------------------------------------------------------ programs and features */

/* The first whose name begins so, or NULL. */
static const struct loader_program *program(const struct stage *s, const char *name)
{
	static struct loader_program rows[32];
	size_t n = loader_programs(s->loader, rows, 32);

	assert_true(n <= 32);
	for (size_t i = 0; i < n; i++)
		if (!strncmp(rows[i].name, name, strlen(name)))
			return &rows[i];
	return NULL;
}

static void scene_one_write(struct stage *s)
{
	int fd[2];

	connected_pair(AF_INET, fd);
	cue(s);
	write_all(fd[0], 0, 10);
	read_all(fd[1], 10);
}

/* Of each backend a program that ran in the scene; the syscall backend has one of two. */
static void test_programs(void **state)
{
	static const char *const common[] = { "proc_fork", "proc_exec", "proc_exit", "sock_state" };
	static const char *const own[] = {
		[SOCKET_BACKEND_FENTRY] = "fexit_tcp_sendmsg",
		[SOCKET_BACKEND_KPROBE] = "kretprobe_return",
		[SOCKET_BACKEND_SOCK] = "sock_send",
		[SOCKET_BACKEND_SYSCALL] = "sys_exit",
	};
	struct stage *s = *state;

	stage_play(s, scene_one_write);
	for (size_t i = 0; i < 4; i++)
		assert_true(program(s, common[i])->attached);
	for (size_t i = 1; i < sizeof(own) / sizeof(own[0]); i++) {
		const struct loader_program *p = program(s, own[i]);

		assert_int_equal(p != NULL, stage_is(s, i));
		if (p) {
			assert_true(p->attached);
			assert_true(p->run_count > 0 && p->run_ns > 0);
		}
	}
}

static const struct feature *feature(const struct feature *rows, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(rows[i].name, name))
			return &rows[i];
	fail_msg("no feature %s", name);
	return NULL;
}

static bool backend_loads(enum socket_backend backend)
{
	static const struct loader_ops none;
	struct loader_config config = { .backend = backend };
	struct loader *l = loader_new(&config, &none, NULL);

	loader_free(l);
	return l;
}

/* What the probe says about the two backends is what the loader finds. */
static void test_features(void **state)
{
	struct feature rows[32];
	int n = feature_probe(rows, 32);

	(void)state;
	assert_int_equal(feature_probe(rows, 2), 2);
	assert_true(n > 15 && n < 32);
	for (int i = 0; i < n; i++) {
		assert_true(rows[i].name[0] && rows[i].needed[0]);
		assert_true(rows[i].available || rows[i].detail[0]);
	}
	assert_true(feature(rows, n, "btf")->available);
	assert_true(feature(rows, n, "ringbuf")->available);
	assert_int_equal(feature(rows, n, "tp_btf_sock_length")->available &&
				 feature(rows, n, "task_pt_regs")->available &&
				 feature(rows, n, "socket_cookie")->available,
			 backend_loads(SOCKET_BACKEND_SOCK));
	assert_int_equal(feature(rows, n, "socket_backend_fentry")->available,
			 backend_loads(SOCKET_BACKEND_FENTRY));
	assert_int_equal(feature(rows, n, "socket_backend_kprobe")->available,
			 backend_loads(SOCKET_BACKEND_KPROBE));
	assert_int_equal(feature(rows, n, "tp_btf_sys_exit")->available ||
				 feature(rows, n, "raw_tp_sys_exit")->available,
			 backend_loads(SOCKET_BACKEND_SYSCALL));
}

static void test_backend_names(void **state)
{
	(void)state;
	assert_int_equal(socket_backend_parse("auto"), SOCKET_BACKEND_AUTO);
	assert_int_equal(socket_backend_parse("fentry"), SOCKET_BACKEND_FENTRY);
	assert_int_equal(socket_backend_parse("kprobe"), SOCKET_BACKEND_KPROBE);
	assert_int_equal(socket_backend_parse("sock"), SOCKET_BACKEND_SOCK);
	assert_int_equal(socket_backend_parse("syscall"), SOCKET_BACKEND_SYSCALL);
	assert_int_equal(socket_backend_parse("ptrace"), -EINVAL);
	assert_string_equal(socket_backend_name(SOCKET_BACKEND_SYSCALL), "syscall");
}

/* ------------------------------------------------------------------ memory and descriptors */

/* VmFlags of proc(5): dd is "do not include area into core dump". */
static void test_not_in_core_dumps(void **state)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/smaps", "re");
	bool of_map = false;
	char line[512];
	int maps = 0;

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (strstr(line, "bpf-map") || strstr(line, "bpf_map"))
			of_map = true;
		if (!of_map || strncmp(line, "VmFlags:", 8))
			continue;
		assert_non_null(strstr(line, " dd"));
		of_map = false;
		maps++;
	}
	assert_true(maps >= 2);
}

static long resident_kib(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	long kib = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %ld", &kib) == 1)
			return kib;
	return 0;
}

static int open_descriptors(void)
{
	_cleanup_closedir_ DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (d && readdir(d))
		n++;
	return n;
}

/* design.md 7: a ring of 4 MiB counts twice. The rest is libbpf's. */
static void test_cost(void **state)
{
	static const struct loader_ops none;
	struct loader_config config = { .backend =
						loader_backend(((struct stage *)*state)->loader) };
	int descriptors = open_descriptors();
	long before = resident_kib(), with;
	struct loader *l;

	l = loader_new(&config, &none, NULL);
	assert_non_null(l);
	with = resident_kib();
	print_message("# %s: %ld KiB of memory for a loader\n", socket_backend_name(config.backend),
		      with - before);
	assert_true(with - before < 12 << 10);
	loader_free(l);
	assert_true(resident_kib() - before < 4 << 10);
	assert_int_equal(open_descriptors(), descriptors);
}

static const struct test tests[] = {
	{ "wakes at 64 KiB", test_wake },
	{ "failure counters", test_failures },
	{ "process map full", test_targets_full },
	{ "programs", test_programs },
	{ "not in core dumps", test_not_in_core_dumps },
	{ "memory and descriptors", test_cost },
};

static const struct test common_tests[] = {
	{ "feature probe", test_features },
	{ "backend names", test_backend_names },
};

int main(void)
{
	return stage_run_on_all(tests, sizeof(tests) / sizeof(tests[0])) +
	       stage_run_tests(SOCKET_BACKEND_AUTO, common_tests,
			       sizeof(common_tests) / sizeof(common_tests[0]));
}
