// SPDX-License-Identifier: Apache-2.0
/* Packs that are well written: what they compile to, the built-in ones, and what replaces what. */
#include <errno.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "probe/pack.h"

static void load(struct packs *p, const char *text)
{
	char *error;

	if (packs_load_text(p, "test", text, strlen(text), &error))
		fail_msg("%s", error);
}

static const struct pack_probe *probe(const struct packs *p, const char *pack, const char *name)
{
	const struct pack *found = packs_find(p, pack);

	assert_non_null(found);
	for (size_t i = 0; i < found->probe_count; i++)
		if (!strcmp(found->probes[i].name, name))
			return &found->probes[i];
	fail_msg("no probe %s in %s", name, pack);
	return NULL;
}

static const char full_pack[] =
	"pack: toy\n"
	"summary: a toy\n"
	"engine: toys\n"
	"recognise:\n"
	"  - {program: toyd, word: serve}\n"
	"  - {title: \"TOY::*\", role: worker}\n"
	"  - {maps: \"*/libtoy.so*\"}\n"
	"probes:\n"
	"  - name: begin\n"
	"    library: [toyd, \"libtoy.so*\"]\n"
	"    symbol: [toy_begin, \"toy_start*\"]\n"
	"    all: true\n"
	"    full: true\n"
	"    when: {build_id: ab12, symbol: [toy_end, \"!toy_old\"], file: \"/opt/*\"}\n"
	"    values:\n"
	"      id: {read: \"*(i32*)arg1\", range: [0, 0x10], only: [1, max]}\n"
	"      n: arg2\n"
	"    results:\n"
	"      - {start: wait, key: id}\n"
	"      - {counter: n, name: begun}\n"
	"      - {gauge_add: 1, metric: engine.requests, state: queued}\n"
	"      - {event: queued, request: id}\n"
	"  - name: end\n"
	"    library: toyd\n"
	"    demangled: \"toy::end(*\"\n"
	"    at: return_probe\n"
	"    no_unwind: it is C\n"
	"    values: {r: retval}\n"
	"    results:\n"
	"      - {lap: loop, name: turn}\n"
	"      - {stop: wait, key: r, stage: queue}\n"
	"      - {histogram: r}\n"
	"      - {gauge: r, name: level}\n"
	"      - {gauge_add: -r, name: change}\n"
	"      - {duration: r, name: spent}\n"
	"      - {event: finished, request: r}\n"
	"      - {counter: 1, metric: engine.preemptions}\n";

static void test_compiled(void **state)
{
	const struct pack_probe *p;
	struct packs packs = { 0 };
	const struct pack *pack;

	(void)state;
	load(&packs, full_pack);
	assert_int_equal(packs.count, 1);
	pack = &packs.items[0];
	assert_string_equal(pack->engine, "toys");
	assert_string_equal(pack->summary, "a toy");
	assert_string_equal(pack->origin, "test");
	assert_int_equal(packs.rule_count, 3);
	assert_string_equal(packs.rules[0].word, "serve");
	assert_int_equal(packs.rules[0].source, ENGINE_PROGRAM);
	assert_int_equal(packs.rules[1].role, ENGINE_WORKER);
	assert_int_equal(packs.rules[1].source, ENGINE_TITLE);
	assert_string_equal(packs.rules[2].glob, "*/libtoy.so*");
	assert_string_equal(packs.rules[2].engine, "toys");

	p = &pack->probes[0];
	assert_int_equal(p->line, 9);
	assert_int_equal(p->kind, TARGET_SYMBOL);
	assert_int_equal(p->at, AT_ENTRY);
	assert_int_equal(p->pattern_count, 2);
	assert_string_equal(p->patterns[1], "toy_start*");
	assert_true(p->all && p->full);
	assert_string_equal(p->when.build_ids[0], "ab12");
	assert_int_equal(p->when.symbol_count, 2);
	assert_string_equal(p->when.file, "/opt/*");
	assert_int_equal(p->spec.reads, 2);
	assert_int_equal(p->spec.read[0].min, 0);
	assert_int_equal(p->spec.read[0].max, 16);
	assert_int_equal(p->spec.read[0].only_min, 1);
	assert_true(p->spec.read[0].only_max == INT64_MAX);
	assert_true(p->spec.read[1].min == INT64_MIN && p->spec.read[1].max == INT64_MAX);
	assert_int_equal(p->spec.read[0].steps[1].op, TKS_PROBE_LOAD);
	assert_int_equal(p->spec.read[0].steps[2].op, TKS_PROBE_END);
	assert_true(p->emits);
	assert_int_equal(p->event, EVENT_QUEUED);
	assert_int_equal(p->event_id, 0);
	assert_true(pack_wants_file(p, "/usr/bin/toyd"));
	assert_true(pack_wants_file(p, "/lib/libtoy.so.1"));
	assert_false(pack_wants_file(p, "/usr/bin/toyd2"));
	packs_free(&packs);
}

/* kind, value, key, timer, imm, and the name of the result */
static void check_action(const struct packs *packs, const struct pack_probe *p, uint32_t i,
			 enum tks_probe_action_kind kind, int value, int key, int timer, int imm,
			 const char *result)
{
	const struct tks_probe_action *a = &p->spec.action[i];

	assert_true(i < p->spec.actions);
	assert_int_equal(a->kind, kind);
	assert_int_equal(a->value, value);
	assert_int_equal(a->key, key);
	assert_int_equal(a->timer, timer);
	assert_int_equal(a->imm, imm);
	if (result)
		assert_string_equal(packs->results[a->metric].name, result);
	else
		assert_int_equal(a->metric, TKS_PROBE_NO_METRIC);
}

#define NONE TKS_PROBE_NO_READ

static void test_actions(void **state)
{
	struct packs packs = { 0 };
	const struct pack_probe *p;
	const struct pack_result *r;

	(void)state;
	load(&packs, full_pack);
	p = &packs.items[0].probes[0];
	assert_int_equal(p->spec.actions, 4);
	check_action(&packs, p, 0, TKS_PROBE_START, NONE, 0, 0, 0, NULL);
	check_action(&packs, p, 1, TKS_PROBE_COUNT, 1, NONE, 0, 1, "toy:begun");
	check_action(&packs, p, 2, TKS_PROBE_GAUGE_ADD, NONE, NONE, 0, 1, "engine.requests:queued");
	check_action(&packs, p, 3, TKS_PROBE_EMIT, NONE, NONE, 0, EVENT_QUEUED, NULL);
	p = &packs.items[0].probes[1];
	assert_int_equal(p->at, AT_RETURN_PROBE);
	assert_int_equal(p->kind, TARGET_DEMANGLED);
	assert_int_equal(p->spec.actions, 8);
	check_action(&packs, p, 0, TKS_PROBE_LAP, NONE, NONE, 1, 0, "toy:turn");
	check_action(&packs, p, 2, TKS_PROBE_HISTOGRAM, 0, NONE, 0, 0, "toy:end");
	check_action(&packs, p, 1, TKS_PROBE_STOP, NONE, 0, 0, 0, "engine.stage.duration:queue");
	check_action(&packs, p, 4, TKS_PROBE_GAUGE_ADD, 0, NONE, 0, -1, "toy:change");
	check_action(&packs, p, 5, TKS_PROBE_DURATION, 0, NONE, 0, 0, "toy:spent");
	check_action(&packs, p, 7, TKS_PROBE_COUNT, NONE, NONE, 0, 1, "engine.preemptions");
	assert_int_equal(p->event_slot, 0); /* there are no slots: the request stands for one */
	r = &packs.results[p->spec.action[1].metric];
	assert_string_equal(r->metric, "engine.stage.duration");
	assert_string_equal(r->label, "queue");
	assert_int_equal(r->kind, RESULT_DURATION);
	r = &packs.results[p->spec.action[3].metric];
	assert_true(r->by_value && !r->metric && r->kind == RESULT_GAUGE);
	packs_free(&packs);
}

static const char many_pack[] = "pack: gpu\n"
				"many: true\n"
				"probes:\n"
				"  - library: l\n"
				"    each:\n"
				"      launch: [launch, launch_ptsz]\n"
				"      graph: graph_v2\n"
				"    values: {bytes: arg1}\n"
				"    results:\n"
				"      - {counter: bytes, metric: gpu.api.io, api: each}\n"
				"      - {start: call}\n"
				"    no_unwind: it is C\n"
				"    returns:\n"
				"      - {stop: call, metric: gpu.api.duration, api: each}\n"
				"      - {start: gap, loose: true}\n"
				"  - name: wait\n"
				"    library: l\n"
				"    symbol: w\n"
				"    results:\n"
				"      - {stop: gap, loose: true, metric: gpu.api.gap}\n"
				"      - {start: call}\n"
				"    returns:\n"
				"      - {stop: call, metric: gpu.api.duration, api: wait_1}\n";

/* One item is a probe for each function, at the entry and at the return. */
static void test_each_and_returns(void **state)
{
	static const char *const names[] = { "launch",	     "launch.return", "graph",
					     "graph.return", "wait",	      "wait.return" };
	struct packs packs = { 0 };
	const struct pack_probe *p;

	(void)state;
	load(&packs, many_pack);
	assert_true(packs.items[0].many);
	assert_int_equal(packs.items[0].probe_count, 6);
	for (size_t i = 0; i < 6; i++)
		assert_string_equal(packs.items[0].probes[i].name, names[i]);

	p = probe(&packs, "gpu", "launch");
	assert_int_equal(p->line, 4);
	assert_int_equal(p->kind, TARGET_SYMBOL);
	assert_int_equal(p->at, AT_ENTRY);
	assert_null(p->no_unwind);
	assert_true(p->all);
	assert_int_equal(p->pattern_count, 2);
	assert_string_equal(p->patterns[1], "launch_ptsz");
	assert_int_equal(p->spec.actions, 2);
	check_action(&packs, p, 0, TKS_PROBE_COUNT, 0, NONE, 0, 1, "gpu.api.io:launch");
	check_action(&packs, p, 1, TKS_PROBE_START, NONE, NONE, 0, 0, NULL);
	assert_string_equal(packs.results[p->spec.action[0].metric].label, "launch");

	p = probe(&packs, "gpu", "graph.return");
	assert_int_equal(p->at, AT_RETURN_PROBE);
	assert_string_equal(p->no_unwind, "it is C");
	assert_string_equal(p->patterns[0], "graph_v2");
	assert_int_equal(p->spec.reads, 0);
	check_action(&packs, p, 0, TKS_PROBE_STOP, NONE, NONE, 0, 0, "gpu.api.duration:graph");
	check_action(&packs, p, 1, TKS_PROBE_START, NONE, NONE, 1, 0, NULL);
	assert_true(p->loose_start && !p->loose_stop);

	p = probe(&packs, "gpu", "wait");
	check_action(&packs, p, 0, TKS_PROBE_STOP, NONE, NONE, 1, 0, "gpu.api.gap");
	assert_true(p->loose_stop && !p->loose_start);
	p = probe(&packs, "gpu", "wait.return");
	assert_int_equal(p->at, AT_RETURN);
	check_action(&packs, p, 0, TKS_PROBE_STOP, NONE, NONE, 0, 0, "gpu.api.duration:wait_1");
	packs_free(&packs);
}

#define SMALL(name, results) \
	"pack: " name "\nprobes:\n  - {name: p, library: x, symbol: f, results: [" results "]}\n"

/* Two results of one name in one pack are one row, of one metric also between packs; others are apart. */
static void test_one_numbering(void **state)
{
	struct packs p = { 0 };

	(void)state;
	load(&p,
	     SMALL("b", "{lap: t, stage: decode}, {counter: 1, name: n}, {counter: 1, name: n}"));
	load(&p, SMALL("a", "{counter: 1, name: n}, {lap: t, stage: decode}, {lap: u}"));
	assert_int_equal(p.count, 2);
	assert_string_equal(p.items[0].name, "a");
	assert_int_equal(p.result_count, 4);
	assert_int_equal(p.timer_count, 3);
	check_action(&p, probe(&p, "a", "p"), 0, TKS_PROBE_COUNT, NONE, NONE, 0, 1, "a:n");
	check_action(&p, probe(&p, "a", "p"), 2, TKS_PROBE_LAP, NONE, NONE, 1, 0, "a:p");
	check_action(&p, probe(&p, "b", "p"), 0, TKS_PROBE_LAP, NONE, NONE, 2, 0,
		     "engine.stage.duration:decode");
	check_action(&p, probe(&p, "b", "p"), 2, TKS_PROBE_COUNT, NONE, NONE, 0, 1, "b:n");
	assert_int_equal(probe(&p, "a", "p")->spec.action[1].metric,
			 probe(&p, "b", "p")->spec.action[0].metric);
	packs_free(&p);
}

static void test_replaced(void **state)
{
	struct packs p = { 0 };
	char *error;

	(void)state;
	load(&p, SMALL("a", "{counter: 1, name: one}, {counter: 1, name: two}, {lap: t}"));
	load(&p, SMALL("b", "{counter: 1, name: three}, {lap: t, name: lap}"));
	assert_int_equal(p.result_count, 5);
	load(&p, "pack: a\nengine: e\nrecognise: [{program: x}]\n");
	assert_int_equal(p.count, 2);
	assert_int_equal(p.result_count, 2);
	assert_int_equal(p.timer_count, 1);
	assert_int_equal(p.rule_count, 1);
	check_action(&p, probe(&p, "b", "p"), 0, TKS_PROBE_COUNT, NONE, NONE, 0, 1, "b:three");
	check_action(&p, probe(&p, "b", "p"), 1, TKS_PROBE_LAP, NONE, NONE, 0, 0, "b:lap");

	/* One that is wrong changes nothing. */
	assert_int_not_equal(packs_load_text(&p, "bad", "pack: b\nprobes: 1\n", 18, &error), 0);
	assert_string_equal(error, "bad:2: probes is a list: [A, B], or lines of '- A'");
	free(error);
	assert_int_equal(p.result_count, 2);
	check_action(&p, probe(&p, "b", "p"), 0, TKS_PROBE_COUNT, NONE, NONE, 0, 1, "b:three");
	packs_free(&p);
}

static void test_usdt_arguments(void **state)
{
	struct usdt_arg args[2] = {
		{ .steps = { { .op = TKS_PROBE_CONST, .imm = 7 } } },
		{ .steps = { { .op = TKS_PROBE_REG, .imm = 8 },
			     { .op = TKS_PROBE_CAST, .size = 4 } } },
	};
	struct site site = { .arg_count = 2, .args = args };
	struct tks_probe_site spec;
	struct packs p = { 0 };
	const struct pack_probe *pr;

	(void)state;
	load(&p, "pack: u\nprobes:\n  - name: p\n    library: x\n    usdt: \"a:b\"\n"
		 "    values: {v: \"*(u8*)(uarg1+3)\"}\n    results: [{histogram: v}]\n");
	pr = probe(&p, "u", "p");
	assert_int_equal(pr->usdt_read[0], 2);
	assert_int_equal(pack_site_spec(pr, &site, &spec), 0);
	assert_int_equal(spec.read[0].steps[0].op, TKS_PROBE_REG);
	assert_int_equal(spec.read[0].steps[1].op, TKS_PROBE_CAST);
	assert_int_equal(spec.read[0].steps[2].imm, 3);
	assert_int_equal(spec.read[0].steps[3].op, TKS_PROBE_LOAD);
	assert_int_equal(spec.read[0].steps[4].op, TKS_PROBE_END);
	site.arg_count = 1;
	assert_int_equal(pack_site_spec(pr, &site, &spec), -ENOENT);
	site.arg_count = 2;
	for (int i = 0; i < 7; i++)
		args[1].steps[i].op = TKS_PROBE_CAST;
	assert_int_equal(pack_site_spec(pr, &site, &spec), -E2BIG);
	packs_free(&p);
}

/* Every file of the folder is inside, and nothing is left out. */
static void test_builtin(void **state)
{
	struct packs p = { 0 };
	glob_t files;

	(void)state;
	assert_int_equal(packs_builtin(&p), 0);
	assert_int_equal(glob("user/probe/packs/*.yaml", 0, NULL, &files), 0);
	assert_int_equal(p.count, files.gl_pathc);
	globfree(&files);
	for (size_t i = 0; i < p.count; i++) {
		assert_string_equal(p.items[i].origin, "built in");
		assert_non_null(p.items[i].summary);
		assert_true(p.items[i].probe_count || p.items[i].rule_count);
	}
	assert_true(probe(&p, "llama.cpp", "sample")->full);
	assert_false(probe(&p, "llama.cpp", "token")->full);
	assert_null(packs_find(&p, "python")->engine);
	packs_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compiled),	 cmocka_unit_test(test_actions),
		cmocka_unit_test(test_each_and_returns), cmocka_unit_test(test_one_numbering),
		cmocka_unit_test(test_replaced),	 cmocka_unit_test(test_usdt_arguments),
		cmocka_unit_test(test_builtin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
