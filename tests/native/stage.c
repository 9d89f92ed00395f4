// SPDX-License-Identifier: Apache-2.0
#include "stage.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

#define SCENE_LIMIT_MS 20000

static void keep_record(void *ctx, const struct tks_header *h)
{
	struct stage *s = ctx;
	void *copy = malloc(h->size);

	assert_non_null(copy);
	memcpy(copy, h, h->size);
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 256;
		s->records = realloc(s->records, s->cap * sizeof(*s->records));
		assert_non_null(s->records);
	}
	s->records[s->n++] = copy;
}

static const struct loader_ops ops = { keep_record };

static void forget_records(struct stage *s)
{
	while (s->n)
		free((void *)s->records[--s->n]);
}

static void read_lost(const struct stage *s, uint64_t *counts)
{
	struct loader_failure rows[32];
	size_t n = loader_failures(s->loader, rows, 32);

	for (size_t i = 0; i < n; i++)
		counts[i] = rows[i].count;
}

uint64_t stage_lost(const struct stage *s, const char *label)
{
	struct loader_failure rows[32];
	size_t n = loader_failures(s->loader, rows, 32);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(rows[i].stage, label))
			return s->lost[i] - s->lost_before[i];
	fail_msg("no failure counter %s", label);
	return 0;
}

bool stage_is(const struct stage *s, enum socket_backend backend)
{
	return loader_backend(s->loader) == backend;
}

bool stage_in_functions(const struct stage *s)
{
	return stage_is(s, SOCKET_BACKEND_FENTRY) || stage_is(s, SOCKET_BACKEND_KPROBE);
}

void stage_read(struct stage *s)
{
	assert_true(loader_consume(s->loader) >= 0);
}

/* ------------------------------------------------------------------ playing */

void cue(struct stage *s)
{
	char c = 0;

	if (write(s->to_parent[1], &c, 1) != 1 || read(s->to_child[0], &c, 1) != 1)
		_exit(99);
}

static void open_stage(struct stage *s)
{
	forget_records(s);
	stage_read(s);
	forget_records(s);
	read_lost(s, s->lost_before);
	assert_int_equal(pipe(s->to_parent), 0);
	assert_int_equal(pipe(s->to_child), 0);
}

static void close_stage(struct stage *s)
{
	for (int i = 0; i < 2; i++) {
		close(s->to_parent[i]);
		close(s->to_child[i]);
	}
	loader_unselect(s->loader, s->child);
}

static void answer_cue(struct stage *s, int number)
{
	char c;

	assert_int_equal(read(s->to_parent[0], &c, 1), 1);
	if (number == 0) {
		assert_int_equal(loader_select(s->loader, s->child), 0);
	} else if (s->on_cue) {
		s->on_cue(s);
	}
	assert_int_equal(write(s->to_child[1], &c, 1), 1);
}

static bool cue_waiting(const struct stage *s)
{
	struct timespec short_time = { .tv_nsec = 1000000 };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(s->to_parent[0], &set);
	return pselect(s->to_parent[0] + 1, &set, NULL, NULL, &short_time, NULL) == 1;
}

void stage_play(struct stage *s, void (*scene)(struct stage *))
{
	int status = 0, cues = 0, ms = 0;

	open_stage(s);
	s->child = fork();
	if (!s->child) {
		signal(SIGPIPE, SIG_IGN);
		scene(s);
		_exit(0);
	}
	while (!waitpid(s->child, &status, WNOHANG)) {
		if (ms++ > SCENE_LIMIT_MS)
			kill(s->child, SIGKILL);
		if (cue_waiting(s))
			answer_cue(s, cues++);
		if (!s->deaf)
			stage_read(s);
	}
	usleep(5000); /* processes of the scene that are ending still */
	stage_read(s);
	read_lost(s, s->lost);
	close_stage(s);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

/* ------------------------------------------------------------------ main */

static const char *test_name(const char *test, enum socket_backend backend)
{
	char *name = NULL;

	if (asprintf(&name, "%s %s", socket_backend_name(backend), test) < 0)
		abort();
	return name;
}

/* Before each test. */
static int clear_stage(void **state)
{
	struct stage *s = *state;

	s->zeroes = false;
	s->deaf = false;
	s->on_cue = NULL;
	memset(s->notes, 0, sizeof(*s->notes));
	return 0;
}

static void skip_test(void **state)
{
	(void)state;
	skip();
}

/* The reason is in the test's name, so that every report shows it. */
static int report_unloadable(enum socket_backend backend, int err)
{
	struct CMUnitTest test = { .test_func = skip_test };
	char why[128];
	int failed;

	snprintf(why, sizeof(why), "cannot be loaded here: %s", strerror(err));
	test.name = test_name(why, backend);
	failed = _cmocka_run_group_tests(socket_backend_name(backend), &test, 1, NULL, NULL);
	free((void *)test.name);
	return failed;
}

static int run_loaded(struct stage *s, const struct test *tests, size_t n)
{
	enum socket_backend backend = loader_backend(s->loader);
	struct CMUnitTest *table = calloc(n, sizeof(*table));
	int failed;

	if (!table)
		abort();
	for (size_t i = 0; i < n; i++)
		table[i] = (struct CMUnitTest){
			.name = test_name(tests[i].name, backend),
			.test_func = tests[i].run,
			.setup_func = clear_stage,
			.initial_state = s,
		};
	failed = _cmocka_run_group_tests(socket_backend_name(backend), table, n, NULL, NULL);
	for (size_t i = 0; i < n; i++)
		free((void *)table[i].name);
	free(table);
	return failed;
}

int stage_run_tests(enum socket_backend backend, const struct test *tests, size_t n)
{
	struct loader_config config = { .backend = backend, .run_stats = true };
	struct stage s = { 0 };
	int failed;

	s.loader = loader_new(&config, &ops, &s);
	if (!s.loader)
		return report_unloadable(backend, errno);
	s.notes = mmap(NULL, sizeof(*s.notes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (s.notes == MAP_FAILED)
		abort();
	failed = run_loaded(&s, tests, n);
	forget_records(&s);
	free(s.records);
	munmap(s.notes, sizeof(*s.notes));
	loader_free(s.loader);
	return failed;
}

int stage_run_on_all(const struct test *tests, size_t n)
{
	int failed = 0;

	for (int b = SOCKET_BACKEND_AUTO + 1; strcmp(socket_backend_name(b), "unknown"); b++)
		failed += stage_run_tests(b, tests, n);
	return failed;
}
