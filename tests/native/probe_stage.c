// SPDX-License-Identifier: Apache-2.0
#include "probe_stage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

static int go[2];

/* ------------------------------------------------------------------ loading */

static void keep_event(void *ctx, const struct tks_header *h)
{
	struct probe_stage *s = ctx;

	if (h->kind == TKS_KIND_PROBE && s->n < PROBE_EVENTS_MAX)
		s->events[s->n++] = *(const struct tks_probe_event *)h;
}

static const struct loader_ops ops = { keep_event };

static bool feature_there(const char *name)
{
	struct feature rows[64];
	int n = feature_probe(rows, 64);

	for (int i = 0; i < n; i++) {
		if (strcmp(rows[i].name, name))
			continue;
		print_message("# %s: %s %s\n", name, rows[i].available ? "yes" : "no",
			      rows[i].detail);
		return rows[i].available;
	}
	fail_msg("feature probe does not tell of %s", name);
	return false;
}

static int run(bool multi, const struct probe_test *tests, size_t n)
{
	static struct probe_stage stage;
	struct loader_config config = { .probe_events = !multi };
	struct CMUnitTest table[32] = { 0 };
	char group[32];
	int failed;

	memset(&stage, 0, sizeof(stage));
	stage.multi = multi;
	stage.loader = loader_new(&config, &ops, &stage);
	if (!stage.loader || n > 32)
		return 1;
	for (size_t i = 0; i < n; i++)
		table[i] = (struct CMUnitTest){ .name = tests[i].name,
						.test_func = tests[i].run,
						.initial_state = &stage };
	snprintf(group, sizeof(group), "%s", multi ? "uprobe_multi" : "perf events");
	print_message("# by %s\n", group);
	failed = _cmocka_run_group_tests(group, table, n, NULL, NULL);
	loader_free(stage.loader);
	return failed;
}

/* Linux 5.10: nothing is loaded for probes, and whoever asks is told so. */
static void test_unsupported(void **state)
{
	const struct loader_config config = { 0 };
	const struct probe_place place = { .offset = probe_offset(target_value) };
	const struct tks_probe_site spec = { 0 };
	struct loader *l = loader_new(&config, &ops, NULL);
	int attached;

	(void)state;
	assert_non_null(l);
	assert_false(loader_probes_supported(l));
	assert_int_equal(loader_probe_site(l, 0, &spec), -EOPNOTSUPP);
	assert_null(loader_probes_attach(l, getpid(), 1, "/proc/self/exe", &place, 1, &attached));
	assert_int_equal(errno, EOPNOTSUPP);
	assert_int_equal(attached, -EOPNOTSUPP);
	loader_probe_forget(l, 1);
	loader_free(l);
}

int probe_run_tests(const struct probe_test *tests, size_t n)
{
	const struct CMUnitTest unsupported[] = { cmocka_unit_test(test_unsupported) };

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!feature_there("uprobe_cookie"))
		return cmocka_run_group_tests(unsupported, NULL, NULL);
	return run(false, tests, n) + (feature_there("uprobe_multi_pid") ? run(true, tests, n) : 0);
}

/* ------------------------------------------------------------------ playing */

uint64_t probe_offset(const void *code)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/maps", "re");
	uintptr_t at = (uintptr_t)code, from, to, offset;
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*s %" SCNxPTR, &from, &to, &offset) ==
			    3 &&
		    from <= at && at < to)
			return at - from + offset;
	fail_msg("code is not mapped");
	return 0;
}

pid_t probe_child(void (*scene)(void))
{
	pid_t child;
	char c;

	assert_int_equal(pipe(go), 0);
	child = fork();
	if (!child) {
		close(go[1]);
		if (dup2(go[0], PROBE_CHILD_FD) != PROBE_CHILD_FD)
			_exit(95);
		if (read(PROBE_CHILD_FD, &c, 1) == 1)
			scene();
		_exit(read(PROBE_CHILD_FD, &c, 1) ? 98 : 0);
	}
	close(go[0]);
	return child;
}

void probe_child_go(void)
{
	assert_int_equal(write(go[1], "", 1), 1);
}

void probe_child_end(pid_t child)
{
	int status;

	close(go[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

struct probe_links *probe_attach(struct probe_stage *s, pid_t pid, const char *path,
				 const struct probe_at *at, size_t n)
{
	_cleanup_free_ struct probe_place *places = calloc(n, sizeof(*places));
	_cleanup_free_ int *attached = calloc(n, sizeof(*attached));
	struct probe_links *links;

	assert_non_null(places);
	assert_non_null(attached);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(loader_probe_site(s->loader, i, &at[i].spec), 0);
		places[i] = (struct probe_place){ .offset = probe_offset(at[i].code),
						  .site = i,
						  .at_return = at[i].at_return };
		attached[i] = 1;
	}
	links = loader_probes_attach(s->loader, pid, s->group, path, places, n, attached);
	assert_non_null(links);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(attached[i], 0);
	return links;
}

void probe_read(struct probe_stage *s)
{
	assert_true(loader_consume(s->loader) >= 0);
}

void probe_play(struct probe_stage *s, void (*scene)(void), const struct probe_at *at, size_t n)
{
	struct probe_links *links;

	s->n = 0;
	loader_probe_forget(s->loader, s->group++);
	s->child = probe_child(scene);
	links = probe_attach(s, s->child, "/proc/self/exe", at, n);
	probe_child_go();
	probe_child_end(s->child);
	loader_probes_detach(links);
	probe_read(s);
}

/* ------------------------------------------------------------------ looking */

struct tks_probe_hits probe_hits(const struct probe_stage *s, uint32_t site)
{
	struct tks_probe_hits h;

	loader_probe_hits(s->loader, site, &h);
	return h;
}

struct looked_for {
	uint32_t group, metric;
	int cell;
	struct tks_probe_cell sum;
	struct tks_probe_gauge gauge;
	bool found;
};

static void look_cell(void *ctx, const struct tks_probe_cell_key *key,
		      const struct tks_probe_cell *sum)
{
	struct looked_for *f = ctx;

	if (key->group != f->group || key->metric != f->metric ||
	    (f->cell >= 0 && key->cell != f->cell))
		return;
	f->sum.count += sum->count;
	f->sum.sum += sum->sum;
}

struct tks_probe_cell probe_cell(const struct probe_stage *s, uint32_t metric, int cell)
{
	struct looked_for f = { .group = s->group, .metric = metric, .cell = cell };

	loader_probe_cells(s->loader, look_cell, &f);
	return f.sum;
}

static void look_gauge(void *ctx, const struct tks_probe_gauge_key *key,
		       const struct tks_probe_gauge *g)
{
	struct looked_for *f = ctx;

	if (key->group != f->group || key->metric != f->metric)
		return;
	f->gauge = *g;
	f->found = true;
}

bool probe_gauge(const struct probe_stage *s, uint32_t metric, struct tks_probe_gauge *g)
{
	struct looked_for f = { .group = s->group, .metric = metric };

	loader_probe_gauges(s->loader, look_gauge, &f);
	*g = f.gauge;
	return f.found;
}

uint64_t probe_lost(const struct probe_stage *s, const char *stage)
{
	struct loader_failure rows[32];
	size_t n = loader_failures(s->loader, rows, 32);

	for (size_t i = 0; i < n && i < 32; i++)
		if (!strcmp(rows[i].stage, stage))
			return rows[i].count;
	fail_msg("no failure counter %s", stage);
	return 0;
}
