// SPDX-License-Identifier: Apache-2.0
/* Packs that are wrong: each kind of mistake, with its line and what would have been right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "probe/pack.h"

static void check(const char *text, const char *message)
{
	struct packs p = { 0 };
	char want[1024];
	char *error;

	assert_int_not_equal(packs_load_text(&p, "f.yaml", text, strlen(text), &error), 0);
	snprintf(want, sizeof(want), "f.yaml:%s", message);
	assert_string_equal(error, want);
	assert_int_equal(p.count, 0);
	free(error);
	packs_free(&p);
}

struct row {
	const char *text, *message;
};

#define CHECK_ALL(rows)                                               \
	for (size_t i = 0; i < sizeof(rows) / sizeof((rows)[0]); i++) \
	check((rows)[i].text, (rows)[i].message)

static void test_yaml(void **state)
{
	static const struct row rows[] = {
		{ "", "1: the file is empty" },
		{ "# nothing\n", "1: the file is empty" },
		{ "- a\n", "1: a pack is a mapping: lines of 'key: value'" },
		{ "pack: a\nprobes:\n\t- x\n", "3: a tab: YAML is indented with spaces" },
		{ "pack: a\n\xff\n", "2: not UTF-8 text: invalid leading UTF-8 octet" },
		{ "pack: a\npack: b\n", "2: 'pack' is given twice" },
		{ "pack: a\nprobes: &x [*x]\n",
		  "2: aliases (*name) are not supported: write it out" },
		{ "engine: &e x\nsummary: *e\npack: a\n",
		  "2: aliases (*name) are not supported: write it out" },
		{ "pack: a\n---\npack: b\n", "2: a second document: a file holds one" },
		{ "pack: [a]\n", "1: one value is expected here, not a list or mapping" },
		{ "pack:\n", "1: the value is empty" },
		{ "pack: \"a\\0b\"\n", "1: the value has a control character in it" },
		{ "pack: a b\n", "1: 'a b' is no name: letters, digits and . _ + - only" },
	};

	(void)state;
	CHECK_ALL(rows);
}

#define PACK   "pack: a\nprobes:\n"
#define PROBE  PACK "  - name: p\n    library: l\n    symbol: s\n" /* lines 3 to 5 */
#define COUNTS "    results: [{counter: 1}]\n"

static void test_keys(void **state)
{
	static const struct row rows[] = {
		{ "pack: a\nengin: b\n",
		  "2: unknown key of a pack 'engin'; did you mean 'engine'? known: pack, summary, engine, "
		  "recognise, many, probes" },
		{ "summary: b\n", "1: a pack lacks 'pack'" },
		{ "pack: a\n", "1: a pack has 'recognise' or 'probes', or both" },
		{ "pack: a\nrecognise: [{program: x}]\n",
		  "1: 'recognise' needs 'engine': the name of what is recognised" },
		{ "pack: a\nengine: e\nrecognise:\n  - {word: x}\n",
		  "4: a rule has one of program, title and maps" },
		{ "pack: a\nengine: e\nrecognise:\n  - {program: x, title: y}\n",
		  "4: a rule has one of program, title and maps" },
		{ "pack: a\nengine: e\nrecognise:\n  - {maps: x, word: y}\n",
		  "4: 'word' goes with 'program' only" },
		{ "pack: a\nengine: e\nrecognise:\n  - {maps: x, role: serve}\n",
		  "4: unknown role 'serve'; did you mean 'server'? known: server, worker" },
		{ PACK "  - {name: p, symbol: s, results: [{counter: 1}]}\n",
		  "3: a probe lacks 'library'" },
		{ PACK "  - {name: p, library: l, results: [{counter: 1}]}\n",
		  "3: a probe has one of symbol, demangled, pymethod, usdt, offset and each" },
		{ PROBE "    usdt: x:y\n" COUNTS,
		  "6: a probe has one of symbol, demangled, pymethod, usdt, offset and each" },
		{ PROBE, "3: a probe lacks 'results'" },
		{ PROBE "    results: []\n", "6: the list of results is empty" },
		{ PROBE "    full: yes\n" COUNTS, "6: 'full' is true or false, not 'yes'" },
		{ PROBE "    at: exit\n" COUNTS,
		  "6: unknown at 'exit'; known: entry, return, return_probe" },
		{ PROBE "    when: {version: 1}\n" COUNTS,
		  "6: unknown key of when 'version'; known: build_id, symbol, file" },
		{ PROBE "    at: return_probe\n" COUNTS,
		  "3: at: return_probe needs 'no_unwind': why no exception, Rust panic or Go stack can ever "
		  "cross this frame, which would kill the process" },
		{ PROBE "    no_unwind: C\n" COUNTS,
		  "3: 'no_unwind' goes with 'returns' and at: return_probe only" },
		{ PACK
		  "  - {name: p, library: l, usdt: a:b, at: return, results: [{counter: 1}]}\n",
		  "3: a usdt probe is one place: it has no 'at'" },
		{ PACK
		  "  - {name: p, library: l, offset: 0x10, at: return, results: [{counter: 1}]}\n",
		  "3: an offset names no function whose returns could be found" },
		{ PROBE COUNTS "  - {name: p, library: l, symbol: s, results: [{counter: 1}]}\n",
		  "7: two probes are named 'p' (the other in line 3)" },
	};

	(void)state;
	CHECK_ALL(rows);
}

#define EACH	PACK "  - library: l\n    each:\n      f: s\n" /* lines 3 to 5 */
#define NAME_40 "a23456789012345678901234567890123456789b"

static void test_each(void **state)
{
	static const struct row rows[] = {
		{ EACH "    symbol: x\n" COUNTS,
		  "5: a probe has one of symbol, demangled, pymethod, usdt, offset and each" },
		{ EACH "      g: []\n" COUNTS, "6: the list is empty" },
		{ EACH "      \"g*\": s\n" COUNTS,
		  "6: 'g*' is no name: letters, digits and . _ + - only" },
		{ EACH "      f: t\n" COUNTS, "3: two probes are named 'f' (the other in line 3)" },
		{ PACK "  - {library: l, each: f, results: [{counter: 1}]}\n",
		  "3: each is a mapping: lines of 'key: value'" },
		{ PACK "  - {library: l, each: {}, results: [{counter: 1}]}\n",
		  "3: 'each' names no function" },
		{ PACK "  - {library: l, symbol: s, results: [{counter: 1}]}\n",
		  "3: a probe lacks 'name'" },
		{ PACK "  - library: l\n    name: " NAME_40 "\n    each: {" NAME_40 ": s}\n" COUNTS,
		  "5: '" NAME_40 "." NAME_40 "' is too long: a name has 63 characters at most" },
		{ EACH "    at: return\n" COUNTS "    returns: [{counter: 1}]\n",
		  "3: 'returns' goes with at: entry only" },
		{ EACH "    no_unwind: C\n" COUNTS,
		  "3: 'no_unwind' goes with 'returns' and at: return_probe only" },
		{ EACH COUNTS "    returns: []\n", "7: the list of results is empty" },
		{ PROBE "    results: [{counter: 1, metric: gpu.api.calls, api: each}]\n",
		  "6: the label 'each' needs a probe with 'each'" },
		{ PROBE "    results: [{counter: 1, metric: gpu.api.calls}]\n",
		  "6: metric gpu.api.calls needs 'api'" },
		{ PROBE "    results: [{counter: 1, metric: gpu.api.calls, api: a b}]\n",
		  "6: 'a b' is no name: letters, digits and . _ + - only" },
		{ PROBE
		  "    results: [{start: t, loose: true}, {start: u}, {stop: t}, {stop: u}]\n",
		  "6: of one probe, either all 'start' are loose or none" },
		{ PROBE "    results: [{start: t, loose: 1}]\n",
		  "6: 'loose' is true or false, not '1'" },
		{ PROBE "    results: [{lap: t, loose: true}]\n",
		  "6: 'loose' does not go with 'lap'; known: metric, name, stage, api, key" },
	};

	(void)state;
	CHECK_ALL(rows);
}

static void test_values(void **state)
{
	static const struct row rows[] = {
		{ PROBE "    values:\n      v: \"*(u32*)(arg9)\"\n" COUNTS,
		  "7: '*(u32*)(arg9)', column 9: arg0 to arg5 are known" },
		{ PROBE "    values: {v: *arg1}\n" COUNTS,
		  "6: not YAML: found undefined alias (an expression is put in quotes)" },
		{ PROBE "    values:\n      v: {read: arg1, range: [2, 1]}\n" COUNTS,
		  "7: range: its least (2) is more than its most (1)" },
		{ PROBE "    values:\n      v: {read: arg1, only: [2]}\n" COUNTS,
		  "7: an interval has two ends: [least, most]" },
		{ PROBE "    values:\n      v: {read: arg1, only: [1, 2, 3]}\n" COUNTS,
		  "7: an interval has two ends: [least, most]" },
		{ PROBE "    values:\n      v: {read: arg1, only: [a, 2]}\n" COUNTS,
		  "7: 'a' is no whole number of 64 bits" },
		{ PROBE "    values:\n      v: {range: [1, 2]}\n" COUNTS,
		  "7: a value lacks 'read'" },
		{ PROBE "    values:\n      v: arg1\n      v: arg2\n" COUNTS,
		  "8: 'v' is given twice" },
		{ PROBE "    values: {thread: arg1}\n" COUNTS,
		  "6: 'thread' is the key of the thread: name the value otherwise" },
		{ PROBE "    values: {a: arg1, b: arg1, c: arg1, d: arg1,\n      e: arg1}\n" COUNTS,
		  "7: a probe reads 4 values at most" },
		{ PROBE "    values: {v: arg1}\n" COUNTS, "7: value 'v' is used by no result" },
	};

	(void)state;
	CHECK_ALL(rows);
}

#define RESULT(text) PROBE "    values: {task: arg1}\n    results:\n      - {" text "}\n"

static void test_results(void **state)
{
	static const struct row rows[] = {
		{ RESULT("name: x"), "8: a result has one of counter, histogram, duration, gauge, "
				     "gauge_add, start, stop, lap and event" },
		{ RESULT("counter: 1, gauge: task"),
		  "8: 'counter' and 'gauge' are two results: write them as two list items" },
		{ RESULT("histogram: tsk"),
		  "8: unknown value 'tsk'; did you mean 'task'? known: task" },
		{ RESULT("counter: 1, stage: decode"),
		  "8: 'stage' does not go with 'counter'; known: metric, name, api" },
		{ RESULT("histogram: task, metric: engine.batch.sizes"),
		  "8: unknown metric 'engine.batch.sizes'; did you mean 'engine.batch.size'? known: "
		  "engine.stage.duration, engine.batch.size, engine.batch.tokens, engine.requests, "
		  "engine.prefix_cache.queries, engine.prefix_cache.hits, engine.preemptions, gpu.api.calls, gpu.api.duration, "
		  "gpu.api.io, gpu.api.gap" },
		{ RESULT("counter: task, metric: engine.batch.size"),
		  "8: metric engine.batch.size is a histogram, not a counter" },
		{ RESULT("gauge: task, metric: engine.requests"),
		  "8: metric engine.requests needs 'state'" },
		{ RESULT("gauge: task, state: running"), "8: 'state' goes with 'metric' only" },
		{ RESULT("histogram: task, metric: engine.batch.size, name: x"),
		  "8: a result has a name or a metric (a stage is one), not both" },
		{ RESULT("duration: task, stage: decoding"),
		  "8: unknown stage 'decoding'; did you mean 'decode'? known: tokenize, queue, schedule, "
		  "prefill, decode, sample, detokenize, load" },
		{ RESULT("counter: task}\n      - {gauge: task"),
		  "9: 'a:p' is used for two kinds of results: name one otherwise" },
		{ RESULT("start: t, key: task"), "8: timer 't' is never stopped in this pack" },
		{ RESULT("stop: t, key: task"), "8: timer 't' is never started in this pack" },
		{ RESULT("start: t, key: task}\n      - {stop: t"),
		  "9: timer 't' has the thread as its key in one place and a value in another: they never "
		  "meet" },
		{ RESULT("event: start, request: task"),
		  "8: unknown event 'start'; did you mean 'started'? known: tokenized, queued, started, "
		  "token, finished" },
		{ RESULT("event: queued, slot: task"), "8: event 'queued' needs 'request'" },
		{ RESULT("event: token"),
		  "8: event 'token' needs 'slot', or 'request' where there are no slots" },
		{ RESULT("event: tokenized"),
		  "8: event 'tokenized' needs a 'stop' before it: how long it took" },
		{ RESULT("event: token, slot: task}\n      - {event: token, slot: task"),
		  "9: a probe has one event at most" },
	};

	(void)state;
	CHECK_ALL(rows);
}

static void test_too_many_results(void **state)
{
	char text[1024] = PROBE "    results:\n";

	(void)state;
	for (int i = 0; i <= TKS_PROBE_ACTIONS; i++)
		strcat(text, "      - {counter: 1}\n");
	check(text, "15: a probe has 8 results at most");
}

static void test_files(void **state)
{
	static char huge[(1 << 20) + 2];
	struct packs p = { 0 };
	char *error;

	(void)state;
	memset(huge, '#', sizeof(huge) - 1);
	assert_int_not_equal(packs_load_text(&p, "f", huge, sizeof(huge) - 1, &error), 0);
	assert_string_equal(error, "f: larger than 1 MiB");
	free(error);
	assert_int_not_equal(packs_load_file(&p, "/nowhere/x.yaml", &error), 0);
	assert_string_equal(error, "/nowhere/x.yaml: No such file or directory");
	free(error);
	assert_int_equal(packs_load_folder(&p, "/nowhere"), 0);
	assert_int_equal(p.count, 0);
	packs_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_yaml),	cmocka_unit_test(test_keys),
		cmocka_unit_test(test_each),	cmocka_unit_test(test_values),
		cmocka_unit_test(test_results), cmocka_unit_test(test_too_many_results),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
