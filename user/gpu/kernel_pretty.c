// SPDX-License-Identifier: Apache-2.0
/*
 * Names for people. A name comes from a process's memory, and a few hundred bytes of it can stand for terabytes: a back
 * reference repeats what came before, which may have back references itself.
 */
#include "gpu/kernel_names.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/* 2^12 times a name's length are a few million steps of the demangler, milliseconds. */
#define REFERENCES_MAX 12

struct pretty {
	jmp_buf full;
	size_t len;
	char text[KERNEL_PRETTY_MAX + 1];
};

/*
 * Leaves the demangler once there is no room. That is sound: on this way it has all it uses on the stack, and holds neither
 * memory of the heap nor a lock (cp-demangle.c of libiberty: only cplus_demangle_v3(), which is not called, allocates).
 */
static void on_piece(const char *piece, size_t len, void *ctx)
{
	struct pretty *p = ctx;
	size_t room = KERNEL_PRETTY_MAX - p->len, fits = len < room ? len : room;

	memcpy(p->text + p->len, piece, fits);
	p->len += fits;
	if (fits < len)
		longjmp(p->full, 1);
}

static bool demangle(const char *name, struct pretty *p)
{
	static const char cut[] = "...";

	if (setjmp(p->full)) {
		memcpy(p->text + KERNEL_PRETTY_MAX - strlen(cut), cut, sizeof(cut));
		return true;
	}
	return cplus_demangle_v3_callback(name, DMGL_PARAMS | DMGL_ANSI | DMGL_RET_DROP, on_piece,
					  p);
}

/* Substitutions (S_, S1A_) and template parameters (T_, T0_), and what only looks like one. */
static size_t references(const char *name)
{
	size_t n = 0;

	for (; *name; name++) {
		if (*name == 'S' || *name == 'T')
			n += strspn(name + 1, "_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") > 0;
	}
	return n;
}

/*
 * Is the demangler's work bounded by what it prints? Each type that a reference repeats prints something, but for these: pack
 * expansions and sizes of packs (searched without printing), packs in packs (which may be empty) and conversions (parsed twice).
 */
static bool is_bounded(const char *name)
{
	static const char *const hidden[] = { "Dp", "sZ", "sP", "JJ", "JI", "II", "cv" };

	if (references(name) <= REFERENCES_MAX)
		return true;
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (strstr(name, hidden[i]))
			return false;
	return true;
}

char *kernel_name_pretty(const char *text)
{
	struct pretty p = { .len = 0 };

	return strdup(is_bounded(text) && demangle(text, &p) ? p.text : text);
}
