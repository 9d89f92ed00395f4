// SPDX-License-Identifier: Apache-2.0
/* Files of processes, and the symbols in them: stripped, with separate debug files, mangled, damaged. */
#include "probe_build.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/stat.h>

static const char library[] =
	"__attribute__((noinline)) static int hidden(int a) { return a * 7; }\n"
	"int shown(int a) { return hidden(a) + 1; }\n"
	"int same(int a) __attribute__((alias(\"shown\")));\n"
	"static int (*choose(void))(int) { return shown; }\n"
	"int chosen(int) __attribute__((ifunc(\"choose\")));\n";

static void test_symbols(void **state)
{
	const struct workshop *w = *state;
	struct sites sites;
	struct binary *b;

	build(w, "symbols.so", "", library);
	b = open_built(w, "symbols.so");
	assert_int_equal(strlen(binary_build_id(b)), 40);
	assert_true(binary_has_symbol(b, "shown"));
	assert_true(binary_has_symbol(b, "hid*"));
	assert_false(binary_has_symbol(b, "show"));
	assert_false(binary_has_symbol(b, "shown2"));
	/* In .symtab and .dynsym, and under two names: one place. */
	assert_int_equal(find(b, TARGET_SYMBOL, AT_ENTRY, "s[ha]*", &sites), 1);
	assert_true(sites.items[0].size > 0);
	sites_free(&sites);
	assert_int_equal(find(b, TARGET_SYMBOL, AT_ENTRY, "nothing", &sites), 0);
	refused_as(b, TARGET_SYMBOL, AT_ENTRY, "chosen",
		   "an indirect function (IFUNC) that only chooses another: name that one");
	binary_close(b);
	run(w, "strip -o stripped.so symbols.so");
	b = open_built(w, "stripped.so");
	assert_true(binary_has_symbol(b, "shown"));
	assert_false(binary_has_symbol(b, "hidden"));
	binary_close(b);
}

static void test_mangled_names(void **state)
{
	static const char code[] = FUNCTION(
		"_ZN12server_queue4postEOSt6vectorI11server_taskSaIS1_EEb", "push %rax; ret")
		FUNCTION("_ZN12server_queue4postEO11server_taskb", "push %rax; ret") FUNCTION(
			"_ZN12server_queue10post_laterEi",
			"push %rax; ret") FUNCTION("_ZN12server_queue4postEi.part.0",
						   "push %rax; ret")
			FUNCTION("_ZN12server_queue4postEi.cold", "push %rax; ret") FUNCTION(
				"_ZN4core3fmt9Formatter3pad17h0123456789abcdefE", "push %rax; ret")
				FUNCTION("_RNvCs1234_7mycrate3foo", "push %rax; ret") FUNCTION(
					"_ZSt4moveIRiEONSt16remove_referenceIT_E4typeEOS2_",
					"push %rax; ret")
					FUNCTION("_ZN12_GLOBAL__N_15innerEv", "push %rax; ret")
						FUNCTION("plain", "push %rax; ret");
	static const struct {
		const char *pattern;
		int count;
	} rows[] = {
		{ "server_queue::post", 2 }, /* any parameters; not the clone */
		{ "server_queue::post(server_task&&, bool)", 1 },
		{ "server_queue::post(*",
		  3 }, /* a glob takes the clone too, never the .cold part */
		{ "server_queue::pos", 0 },
		{ "server_queue::*", 4 },
		{ "*::post_later(int)", 1 },
		{ "core::fmt::Formatter::pad", 1 },
		{ "mycrate::foo", 1 },
		{ "std::move*", 1 }, /* a template, without its return type */
		{ "(anonymous namespace)::inner()", 1 },
		{ "plain", 1 },
		{ "post", 0 },
	};
	struct binary *b = assemble(*state, "mangled.so", code);
	struct sites sites;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int n = find(b, TARGET_DEMANGLED, AT_ENTRY, rows[i].pattern, &sites);

		if (n != rows[i].count)
			fail_msg("%s: %d, not %d", rows[i].pattern, n, rows[i].count);
		sites_free(&sites);
	}
	assert_int_equal(find(b, TARGET_SYMBOL, AT_ENTRY, "_ZN12server_queue4post*", &sites), 3);
	sites_free(&sites);
	binary_close(b);
}

static bool finds_hidden(const struct workshop *w, const char *name, const char *root)
{
	char *path = path_of(w, name);
	struct binary *b = binary_open(path, root);
	bool found;

	assert_non_null(b);
	found = binary_has_symbol(b, "hidden");
	binary_close(b);
	free(path);
	return found;
}

static void test_debug_files(void **state)
{
	const struct workshop *w = *state;
	struct binary *b;
	char folder[256];

	build(w, "lib.so", "", library);
	run(w, "objcopy --only-keep-debug lib.so lib.debug && strip -o linked.so lib.so && "
	       "objcopy --add-gnu-debuglink=lib.debug linked.so");
	assert_true(finds_hidden(w, "linked.so", NULL));
	run(w, "mkdir .debug && mv lib.debug .debug/");
	assert_true(finds_hidden(w, "linked.so", NULL));
	run(w, "mkdir -p usr/lib/debug%s && mv .debug/lib.debug usr/lib/debug%s/", w->folder,
	    w->folder);
	assert_false(finds_hidden(w, "linked.so", NULL));
	/* A process's root: the file is below it, and so are its debug files. */
	run(w,
	    "mkdir -p root/lib root/usr/lib/debug/lib && cp linked.so root/lib/ && "
	    "cp usr/lib/debug%s/lib.debug root/usr/lib/debug/lib/",
	    w->folder);
	snprintf(folder, sizeof(folder), "%s/root", w->folder);
	assert_true(finds_hidden(w, "root/lib/linked.so", folder));
	/* One byte differs: not the file that was split off. */
	run(w, "printf x >> root/usr/lib/debug/lib/lib.debug");
	assert_false(finds_hidden(w, "root/lib/linked.so", folder));

	b = open_built(w, "linked.so");
	run(w,
	    "mkdir -p root/usr/lib/debug/.build-id/%.2s && cp usr/lib/debug%s/lib.debug "
	    "root/usr/lib/debug/.build-id/%.2s/%s.debug",
	    binary_build_id(b), w->folder, binary_build_id(b), binary_build_id(b) + 2);
	binary_close(b);
	assert_true(finds_hidden(w, "root/lib/linked.so", folder));
	/* The debug file of another build under this name. */
	build(w, "other.so", "-DX", "int hidden(int a) { return a; }");
	b = open_built(w, "linked.so");
	run(w, "cp other.so root/usr/lib/debug/.build-id/%.2s/%s.debug", binary_build_id(b),
	    binary_build_id(b) + 2);
	binary_close(b);
	assert_false(finds_hidden(w, "root/lib/linked.so", folder));
}

static void test_what_is_no_binary(void **state)
{
	const struct workshop *w = *state;
	char *fifo = path_of(w, "fifo"), *text = path_of(w, "text");

	assert_null(binary_open("/nonexistent", NULL));
	assert_int_equal(errno, ENOENT);
	write_file(w, "text", "\177ELF and then nothing");
	assert_null(binary_open(text, NULL));
	assert_int_equal(errno, ENOEXEC);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_null(binary_open(fifo, NULL)); /* and it does not wait for a writer */
	assert_int_equal(errno, ENOEXEC);
	assert_null(binary_open(w->folder, NULL));
	free(fifo);
	free(text);
}

static const struct mapped_file *named(const struct mapped_files *files, const char *name)
{
	const struct mapped_file *found = NULL;

	for (size_t i = 0; i < files->count; i++) {
		if (strcmp(files->items[i].name, name) != 0)
			continue;
		assert_null(found); /* each file once */
		found = &files->items[i];
	}
	assert_non_null(found);
	return found;
}

/* The site's address in this process, by the file's load bias, is the function's. */
static void test_mapped_files(void **state)
{
	const struct workshop *w = *state;
	struct mapped_files files;
	const struct mapped_file *f;
	char *path = path_of(w, "with space\nand newline.so"), *deleted = path_of(w, "deleted.so");
	struct sites sites;
	struct binary *b;
	uint64_t address;
	void *one, *two;

	build(w, "mapped.so", "", library);
	run(w, "cp mapped.so 'with space\nand newline.so' && cp mapped.so deleted.so");
	one = dlopen(path, RTLD_NOW);
	two = dlopen(deleted, RTLD_NOW);
	assert_true(one && two);
	assert_int_equal(unlink(deleted), 0);
	assert_int_equal(mapped_files_read(&files, "/proc", (uint32_t)getpid()), 0);

	f = named(&files, path);
	assert_false(f->deleted);
	assert_non_null(strstr(f->path, "/root/"));
	b = binary_open(f->path, NULL);
	assert_non_null(b);
	assert_int_equal(find(b, TARGET_SYMBOL, AT_ENTRY, "shown", &sites), 1);
	assert_true(elf_file_address(&b->file, sites.items[0].function, &address));
	assert_ptr_equal((void *)(address + f->load_bias), dlsym(one, "shown"));
	sites_free(&sites);
	binary_close(b);

	f = named(&files, deleted);
	assert_true(f->deleted);
	assert_non_null(strstr(f->path, "/map_files/"));
	assert_ptr_equal((void *)(address + f->load_bias), dlsym(two, "shown"));
	if (!geteuid()) { /* links in map_files need CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE */
		b = binary_open(f->path, NULL);
		assert_non_null(b);
		binary_close(b);
	}
	mapped_files_free(&files);

	assert_int_equal(mapped_files_find(&files, "/proc", (uint32_t)getpid(), "deleted.so"), 0);
	assert_int_equal(files.count, 1);
	assert_string_equal(files.items[0].name, deleted);
	mapped_files_free(&files);
	assert_int_equal(mapped_files_find(&files, "/proc", (uint32_t)getpid(), "eleted.so"), 0);
	assert_int_equal(files.count, 0);
	mapped_files_free(&files);
	dlclose(one);
	dlclose(two);
	free(path);
	free(deleted);
	assert_true(mapped_files_read(&files, "/proc", 0x7ffffffe) < 0);
}

/* A program at a fixed address: its load bias is zero. */
static void test_fixed_address(void **state)
{
	const struct workshop *w = *state;
	struct mapped_files files;
	char *path, pid[32];
	FILE *f;

	write_file(w, "fixed.c",
		   "#include <unistd.h>\n#include <stdio.h>\n"
		   "int main(void) { printf(\"%d\\n\", getpid()); fflush(stdout); pause(); }");
	run(w, "cc -no-pie -o fixed fixed.c && (./fixed > pid & ) && "
	       "for i in $(seq 200); do test -s pid && break; sleep 0.05; done");
	path = path_of(w, "pid");
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(pid, sizeof(pid), f));
	fclose(f);
	free(path);
	assert_int_equal(mapped_files_read(&files, "/proc", (uint32_t)atoi(pid)), 0);
	path = path_of(w, "fixed");
	assert_int_equal(named(&files, path)->load_bias, 0);
	mapped_files_free(&files);
	run(w, "kill %d", atoi(pid));
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_symbols),	     cmocka_unit_test(test_mangled_names),
		cmocka_unit_test(test_debug_files),  cmocka_unit_test(test_what_is_no_binary),
		cmocka_unit_test(test_mapped_files), cmocka_unit_test(test_fixed_address),
	};

	return cmocka_run_group_tests(tests, workshop_open, workshop_close);
}
