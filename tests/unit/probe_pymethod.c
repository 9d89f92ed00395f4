// SPDX-License-Identifier: Apache-2.0
/*
 * Methods of Python extensions. The C tables are real ones: those of the machine's Python, compared with what the running
 * interpreter says, and of a module that is compiled here. The tables of PyO3 are a stand-in, written by hand after the three
 * layouts that its releases have (user/probe/pymethod.h).
 */
#include "probe_build.h"

#include <dlfcn.h>

#include "probe/pymethod.h"

/* clang-format off */
#define TEXT(label, text) label ": .asciz \"" text "\"\n"
/* PyO3 0.28: tag, function, name, length, doc, length, flags; 56 bytes. */
#define NEW_METHOD(fn, name, len, flags) ".8byte 2, " fn ", " name ", " len ", doc, 4, " flags "\n"
/* PyO3 0.22: one tag more; 64 bytes. */
#define MIDDLE_METHOD(fn, name, len, flags) ".8byte 2\n" NEW_METHOD(fn, name, len, flags)
/* PyO3 0.17: tag, name, length, tag, function, doc, length, flags; 64 bytes. */
#define OLD_METHOD(fn, name, len, flags) ".8byte 2, " name ", " len ", 1, " fn ", doc, 3, " flags "\n"

static const char stand_in[] =
	FUNCTION("f1", "push %rbx; pop %rbx; ret") FUNCTION("f2", "push %rbx; pop %rbx; ret")
	FUNCTION("f3", "push %rbx; pop %rbx; ret") FUNCTION("f4", "push %rbx; pop %rbx; ret")
	FUNCTION("f5", "push %rbx; pop %rbx; ret") FUNCTION("f6", "push %rbx; pop %rbx; ret")
	FUNCTION("f7", "push %rbx; pop %rbx; ret") FUNCTION("f8", "push %rbx; pop %rbx; ret")
	".section .rodata\n"
	TEXT("encode", "encode") TEXT("encode_batch", "encode_batch") TEXT("decode", "decode")
	TEXT("step", "step") TEXT("train", "train") TEXT("text", "not a name") TEXT("doc", "doc")
	".section .data.rel.ro,\"aw\"\n.balign 8\n"
	/* Two classes without a gap between them; the first has a getter among its methods. */
	"tokenizer:\n" NEW_METHOD("f1", "encode", "7", "0x82") ".8byte 5, 0, 0, 0, 0, 0, 0\n"
		NEW_METHOD("f2", "encode_batch", "13", "0x82") NEW_METHOD("f3", "decode", "7", "0x82")
	"decoder:\n" NEW_METHOD("f4", "decode", "7", "0x82")
	".8byte tokenizer, 4, decoder, 1\n"
	"stream: " MIDDLE_METHOD("f5", "step", "5", "0x03") ".8byte stream\n"
	"trainer: " OLD_METHOD("f6", "train", "6", "0x03") ".8byte trainer\n"
	/* No methods: a wrong length, a name that is none, data in the place of the function, flags that cannot be. */
	NEW_METHOD("f7", "encode", "8", "0x82") NEW_METHOD("f7", "text", "11", "0x82")
	NEW_METHOD("doc", "encode", "7", "0x82") NEW_METHOD("f7", "encode", "7", "0x882")
	NEW_METHOD("f7", "encode", "7", "0");
/* clang-format on */

static struct binary *build_stand_in(const struct workshop *w)
{
	binary_close(assemble(w, "pyo3.so", stand_in));
	run(w, "strip -o pyo3_stripped.so pyo3.so");
	return open_built(w, "pyo3_stripped.so");
}

/* Offset of a function of the unstripped file. */
static uint64_t function_of(const struct workshop *w, const char *file, const char *symbol)
{
	struct binary *b = open_built(w, file);
	struct sites sites;
	uint64_t offset;

	assert_int_equal(find(b, TARGET_SYMBOL, AT_ENTRY, symbol, &sites), 1);
	offset = sites.items[0].function;
	sites_free(&sites);
	binary_close(b);
	return offset;
}

static void finds(struct binary *b, const char *pattern, uint64_t function, const char *name)
{
	struct sites sites;

	if (find(b, TARGET_PYMETHOD, AT_ENTRY, pattern, &sites) != 1)
		fail_msg("%s: %zu sites", pattern, sites.count);
	if (sites.items[0].refused)
		fail_msg("%s: %s", pattern, sites.items[0].refused);
	assert_int_equal(sites.items[0].function, function);
	assert_string_equal(sites.items[0].name, name);
	sites_free(&sites);
}

static void test_pyo3_stand_in(void **state)
{
	static const char unclear[] =
		"several classes without a name have such a method: name another method of its "
		"class, as in \"method@sibling\"";
	const struct workshop *w = *state;
	struct binary *b = build_stand_in(w);
	struct pymethods *m = pymethods_read(&b->file);
	struct sites sites;

	assert_non_null(m);
	assert_int_equal(m->count, 6);
	assert_int_equal(m->run_count, 4);
	pymethods_free(m);

	finds(b, "encode_batch", function_of(w, "pyo3.so", "f2"), "encode_batch");
	finds(b, "Tokenizer.encode_batch", function_of(w, "pyo3.so", "f2"),
	      "Tokenizer.encode_batch");
	finds(b, "Tokenizer.encode", function_of(w, "pyo3.so", "f1"), "Tokenizer.encode");
	finds(b, "decode@encode_batch", function_of(w, "pyo3.so", "f3"), "decode");
	finds(b, "DecodeStream.step", function_of(w, "pyo3.so", "f5"), "DecodeStream.step");
	finds(b, "train@train", function_of(w, "pyo3.so", "f6"), "train");
	assert_int_equal(find(b, TARGET_PYMETHOD, AT_ENTRY, "decode", &sites), 2);
	assert_null(sites.items[0].refused);
	sites_free(&sites);
	assert_int_equal(find(b, TARGET_PYMETHOD, AT_ENTRY, "Decoder.decode", &sites), 2);
	assert_string_equal(sites.items[0].refused, unclear);
	assert_string_equal(sites.items[1].refused, unclear);
	sites_free(&sites);
	assert_int_equal(find(b, TARGET_PYMETHOD, AT_ENTRY, "decode@step", &sites), 0);
	assert_int_equal(find(b, TARGET_PYMETHOD, AT_ENTRY, "missing", &sites), 0);
	assert_int_equal(find(b, TARGET_PYMETHOD, AT_ENTRY, "a.b@c", &sites), -EINVAL);
	assert_int_equal(find(b, TARGET_PYMETHOD, AT_ENTRY, "a.", &sites), -EINVAL);
	binary_close(b);
}

/* The structures of CPython (object.h, methodobject.h, moduleobject.h), for a module that needs no headers of it. */
static const char module[] =
	"typedef void *(*fn)(void *, void *);\n"
	"struct def { const char *name; fn f; int flags; const char *doc; };\n"
	"static void *one(void *a, void *b) { return a; }\n"
	"static void *two(void *a, void *b) { return b; }\n"
	"static void *three(void *a, void *b) { return (char *)b + 1; }\n"
	"static void *late(void *a, void *b) { return (char *)a + 2; }\n"
	"static void *both(void *a, void *b) { return (char *)a + 3; }\n"
	"static struct def functions[] = { {\"loads\", one, 1, \"doc\"}, {\"both\", both, 4, 0}, {0} };\n"
	"static struct def of_type[] = { {\"run\", two, 0x82, 0}, {\"again\", two, 0x82, 0}, {\"both\", both, 4, 0}, {0} };\n"
	"static struct def of_spec[] = { {\"run\", three, 8, 0}, {0} };\n"
	"struct def lazy[] = { {\"filled\", 0, 1, 0}, {\"empty\", 0, 1, 0}, {0} };\n"
	"__attribute__((constructor)) static void fill(void) { lazy[0].f = late; }\n"
	"struct { long head[5]; const char *name, *doc; long size; struct def *m; }\n"
	"  def = { {1}, \"pkg.mod\", 0, -1, functions };\n"
	"struct { long head[3]; const char *name; long size, item; void *rest[23]; struct def *m; }\n"
	"  type = { {1}, \"pkg.mod.Engine\", 64, 0, {0}, of_type };\n"
	"struct { int slot; void *p; } slots[] = { {56, \"doc\"}, {64, of_spec}, {0} };\n"
	"struct { const char *name; int size, item; unsigned flags; void *slots; }\n"
	"  spec = { \"pkg.Runner\", 32, 0, 0, slots };\n"
	"fn all[] = { one, two, three, late };\n";

static void build_module(const struct workshop *w, const char *options)
{
	build(w, "module.so", options, module);
	run(w, "strip -o module_stripped.so module.so");
}

static void test_c_tables(void **state)
{
	const struct workshop *w = *state;
	struct binary *b;

	build_module(w, "");
	b = open_built(w, "module_stripped.so");
	finds(b, "loads", function_of(w, "module.so", "one"), "mod.loads");
	finds(b, "mod.loads", function_of(w, "module.so", "one"), "mod.loads");
	finds(b, "Engine.run", function_of(w, "module.so", "two"), "Engine.run");
	finds(b, "Runner.run", function_of(w, "module.so", "three"), "Runner.run");
	finds(b, "run@again", function_of(w, "module.so", "two"), "Engine.run");
	refused_as(b, TARGET_PYMETHOD, AT_ENTRY, "Engine.both",
		   "its code also serves another table's method both");
	refused_as(b, TARGET_PYMETHOD, AT_ENTRY, "filled",
		   "its function is only known in a process that has loaded it: give one");
	binary_close(b);
}

/* What a constructor has put into the table, read from this process. */
static void test_live_slots(void **state)
{
	const struct workshop *w = *state;
	struct target t = { .kind = TARGET_PYMETHOD, .pid = (uint32_t)getpid() };
	struct mapped_files files;
	struct sites sites = { 0 };
	char *path = path_of(w, "module_stripped.so");
	struct binary *b;
	void *handle;

	build_module(w, "");
	handle = dlopen(path, RTLD_NOW);
	assert_non_null(handle);
	assert_int_equal(mapped_files_read(&files, "/proc", t.pid), 0);
	for (size_t i = 0; i < files.count; i++)
		if (!strcmp(files.items[i].name, path))
			t.load_bias = files.items[i].load_bias;
	assert_true(t.load_bias);
	mapped_files_free(&files);
	b = open_built(w, "module_stripped.so");
	t.pattern = "filled";
	assert_int_equal(resolve(b, &t, &sites), 1);
	assert_null(sites.items[0].refused);
	assert_int_equal(sites.items[0].function, function_of(w, "module.so", "late"));
	sites_free(&sites);
	t.pattern = "empty";
	assert_int_equal(resolve(b, &t, &sites), 1);
	assert_string_equal(sites.items[0].refused, "its function is only known in a process that "
						    "has loaded it, and not in this file");
	sites_free(&sites);
	binary_close(b);
	dlclose(handle);
	free(path);
}

/* Packed relative relocations (RELR), as lld and new GNU linkers write them. */
static void test_packed_relocations(void **state)
{
	const struct workshop *w = *state;
	struct binary *b;

	build_module(w, "-Wl,-z,pack-relative-relocs");
	b = open_built(w, "module_stripped.so");
	assert_non_null(elf_file_section(&b->file, ".relr.dyn"));
	finds(b, "mod.loads", function_of(w, "module.so", "one"), "mod.loads");
	finds(b, "Runner.run", function_of(w, "module.so", "three"), "Runner.run");
	binary_close(b);
}

/* Every method of the types and modules in a running Python that lies in its own file: "name address", in hexadecimal. */
static const char walk[] =
	"import ctypes, json, sys, types\n"
	"word = lambda a: ctypes.c_void_p.from_address(a).value\n"
	"lines = [l.split() for l in open('/proc/self/maps') if l.rstrip().endswith(sys.argv[1])]\n"
	"low = min(int(l[0].split('-')[0], 16) for l in lines)\n"
	"high = max(int(l[0].split('-')[1], 16) for l in lines)\n"
	"fixed = open(sys.argv[1], 'rb').read(17)[16] == 2\n"
	"found = set()\n"
	"def add(method_def):\n"
	"    function = word(method_def + 8) or 0\n"
	"    if low <= function < high:\n"
	"        found.add((ctypes.string_at(word(method_def)).decode(), function - (0 if fixed else low)))\n"
	"todo = [object]\nseen = set()\n"
	"while todo:\n"
	"    t = todo.pop()\n"
	"    if t in seen: continue\n"
	"    seen.add(t)\n"
	"    todo += type.__subclasses__(t)\n"
	"    for v in t.__dict__.values():\n"
	"        if isinstance(v, (types.MethodDescriptorType, types.ClassMethodDescriptorType)): add(word(id(v) + 40))\n"
	"        elif isinstance(v, types.BuiltinFunctionType): add(word(id(v) + 16))\n"
	"for m in list(sys.modules.values()):\n"
	"    for v in vars(m).values():\n"
	"        if isinstance(v, types.BuiltinFunctionType): add(word(id(v) + 16))\n"
	"for name, at in sorted(found): print(name, '%x' % at)\n";

static bool holds(const struct pymethods *m, const char *name, uint64_t function)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->items[i].function == function && !strcmp(m->items[i].name, name))
			return true;
	return false;
}

static void test_recall_on_the_machines_python(void **state)
{
	const struct workshop *w = *state;
	char path[256], line[256], name[128];
	size_t live = 0, found = 0;
	struct pymethods *m;
	struct binary *b;
	uint64_t at;
	char *list;
	FILE *f;

	if (access("/usr/bin/python3", X_OK)) {
		skip();
		return;
	}
	assert_non_null(realpath("/usr/bin/python3", path));
	write_file(w, "walk.py", walk);
	run(w, "ASAN_OPTIONS=detect_leaks=0 %s walk.py %s > live", path, path);
	b = binary_open(path, NULL);
	assert_non_null(b);
	m = pymethods_read(&b->file);
	assert_non_null(m);
	list = path_of(w, "live");
	f = fopen(list, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		assert_int_equal(sscanf(line, "%127s %" SCNx64, name, &at), 2);
		live++;
		if (holds(m, name, at))
			found++;
		else
			print_message("not found: %s", line);
	}
	fclose(f);
	print_message("%zu of %zu live methods found\n", found, live);
	assert_int_equal(found, live);
	assert_true(live > 800);
	free(list);
	pymethods_free(m);
	binary_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pyo3_stand_in),
		cmocka_unit_test(test_c_tables),
		cmocka_unit_test(test_live_slots),
		cmocka_unit_test(test_packed_relocations),
		cmocka_unit_test(test_recall_on_the_machines_python),
	};

	return cmocka_run_group_tests(tests, workshop_open, workshop_close);
}
