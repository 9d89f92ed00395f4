/* SPDX-License-Identifier: Apache-2.0 */
/* ELF files of our own, built with the machine's compiler in a temporary folder. */
#ifndef TESTS_PROBE_BUILD_H
#define TESTS_PROBE_BUILD_H

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "probe/internal.h"

struct workshop {
	char folder[64];
};

__attribute__((unused)) static int workshop_open(void **state)
{
	static struct workshop w;

	strcpy(w.folder, "/tmp/tokscope-probe-XXXXXX");
	*state = &w;
	return mkdtemp(w.folder) ? 0 : -1;
}

__attribute__((unused)) static int workshop_close(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", ((struct workshop *)*state)->folder);
	return system(command);
}

/* Runs a command in the folder; it must succeed. The sanitizers' settings of the test itself are not for the tools. */
__attribute__((unused, format(printf, 2, 3))) static void run(const struct workshop *w,
							      const char *fmt, ...)
{
	char command[2048];
	va_list ap;
	int n = snprintf(command, sizeof(command), "unset LD_PRELOAD; cd '%s' && ", w->folder);

	va_start(ap, fmt);
	vsnprintf(command + n, sizeof(command) - (size_t)n, fmt, ap);
	va_end(ap);
	if (system(command) != 0)
		fail_msg("this failed: %s", command);
}

__attribute__((unused)) static void write_file(const struct workshop *w, const char *name,
					       const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", w->folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

__attribute__((unused)) static char *path_of(const struct workshop *w, const char *name)
{
	char *path;

	assert_true(asprintf(&path, "%s/%s", w->folder, name) > 0);
	return path;
}

/* Compiles C (or assembly within it) into the shared object `name`. */
__attribute__((unused)) static void build(const struct workshop *w, const char *name,
					  const char *options, const char *source)
{
	char file[160];

	snprintf(file, sizeof(file), "%s.c", name);
	write_file(w, file, source);
	run(w, "cc -w -O1 -fPIC -shared -nostdlib -Wl,--build-id %s -o %s %s.c", options, name,
	    name);
}

__attribute__((unused)) static struct binary *open_built(const struct workshop *w, const char *name)
{
	char *path = path_of(w, name);
	struct binary *b = binary_open(path, NULL);

	assert_non_null(b);
	free(path);
	return b;
}

/* A function in assembly, whose every instruction is known. */
#define FUNCTION(name, body)                                                                      \
	".globl " name "\n.type " name ",@function\n" name ":\n" body "\n.size " name ", .-" name \
	"\n"

__attribute__((unused)) static struct binary *assemble(const struct workshop *w, const char *name,
						       const char *text)
{
	write_file(w, "code.s", ".text\n");
	write_file(w, "body.s", text);
	run(w,
	    "cat body.s >> code.s && cc -shared -nostdlib -Wl,-Bsymbolic,-z,noexecstack "
	    "-o %s code.s",
	    name);
	return open_built(w, name);
}

/* Resolves one target; returns what resolve() did. */
__attribute__((unused)) static int find(struct binary *b, enum target_kind kind, enum target_at at,
					const char *pattern, struct sites *sites)
{
	const struct target t = { .kind = kind, .at = at, .pattern = pattern };

	*sites = (struct sites){ 0 };
	return resolve(b, &t, sites);
}

/* Offset of the only site of a pattern behind its function's start, which is usable; of the refused, fails with why. */
__attribute__((unused)) static uint64_t place_of(struct binary *b, const char *pattern,
						 const char *insn, enum site_cost cost)
{
	struct sites sites;
	uint64_t at;

	assert_int_equal(find(b, TARGET_SYMBOL, AT_ENTRY, pattern, &sites), 1);
	if (sites.items[0].refused)
		fail_msg("%s: refused: %s", pattern, sites.items[0].refused);
	assert_string_equal(sites.items[0].insn, insn);
	assert_int_equal(sites.items[0].cost, cost);
	at = sites.items[0].offset - sites.items[0].function;
	sites_free(&sites);
	return at;
}

__attribute__((unused)) static void refused_as(struct binary *b, enum target_kind kind,
					       enum target_at at, const char *pattern,
					       const char *why)
{
	struct sites sites;

	assert_int_equal(find(b, kind, at, pattern, &sites), 1);
	assert_non_null(sites.items[0].refused);
	assert_string_equal(sites.items[0].refused, why);
	sites_free(&sites);
}

#endif
