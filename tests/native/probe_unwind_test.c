// SPDX-License-Identifier: Apache-2.0
/*
 * Programs whose frames are left in ways of their own: a C++ exception, an unwinding Rust panic, a Go stack that moves. Probed
 * at entries and ret instructions (never by return probes, which kill them) they must do what they do without probes.
 */
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "probe_stage.h"

#define CALLS 1000

/* build/tests/targets/NAME, next to this program's folder. */
static void target_path(const char *name, char *path, size_t size)
{
	char self[512];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	assert_true(n > 0);
	self[n] = 0;
	snprintf(path, size, "%s/../targets/%s", dirname(self), name);
}

struct program {
	pid_t pid;
	FILE *in, *out;
};

static void program_start(struct program *p, const char *path)
{
	int in[2], out[2];

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	p->pid = fork();
	if (!p->pid) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		execl(path, path, NULL);
		_exit(96);
	}
	close(in[0]);
	close(out[1]);
	p->in = fdopen(in[1], "w");
	p->out = fdopen(out[0], "r");
}

/* Its exit status, or what it died of. */
static int program_end(struct program *p)
{
	int status = -1;

	fputs("go\n", p->in);
	fclose(p->in);
	waitpid(p->pid, &status, 0);
	fclose(p->out);
	return status;
}

/* Runs it probed. Sites: 0 at the entry starts a timer, 1 at its ret instruction (where it has told one) stops it. */
static void survive(struct probe_stage *s, const char *name, uint64_t returns, uint64_t restarts)
{
	const struct tks_probe_site entry = { .actions = 1, .action = { TIME(START, 0, 5, NONE) } };
	const struct tks_probe_site ret = { .actions = 1, .action = { TIME(STOP, 0, 5, NONE) } };
	struct probe_place places[2] = { { .site = 0 }, { .site = 1 } };
	struct probe_links *links;
	unsigned long from, to;
	struct program p;
	char path[1024];
	int attached[2];

	target_path(name, path, sizeof(path));
	if (access(path, X_OK)) {
		print_message("# %s was not built: its compiler is not on this machine\n", name);
		skip();
	}
	s->group++;
	assert_int_equal(loader_probe_site(s->loader, 0, &entry), 0);
	assert_int_equal(loader_probe_site(s->loader, 1, &ret), 0);
	program_start(&p, path);
	assert_int_equal(fscanf(p.out, "%lx %lx", &from, &to), 2);
	places[0].offset = from;
	places[1].offset = to;
	links = loader_probes_attach(s->loader, p.pid, s->group, path, places, to ? 2 : 1,
				     attached);
	assert_non_null(links);
	assert_int_equal(program_end(&p), 0);
	loader_probes_detach(links);
	assert_true(probe_hits(s, 0).hits >= CALLS);
	assert_int_equal(probe_hits(s, 1).hits, returns);
	assert_int_equal(probe_cell(s, 0, -1).count, returns);
	if (restarts)
		assert_int_equal(probe_hits(s, 0).restarted, restarts);
}

static void test_cpp(void **state)
{
	/* The last call throws too: its timer is not started again. */
	survive(*state, "throw", CALLS / 2, CALLS / 2 - 1);
}

static void test_rust(void **state)
{
	survive(*state, "unwind", 0, CALLS - 1);
}

/* Each moved stack enters the function once more: Go's prologue begins again. */
static void test_go(void **state)
{
	survive(*state, "moving_stack", 0, 0);
}

int main(void)
{
	static const struct probe_test tests[] = {
		{ "C++ exceptions", test_cpp },
		{ "Rust panics", test_rust },
		{ "Go stacks that move", test_go },
	};

	return probe_run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
