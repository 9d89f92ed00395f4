/* SPDX-License-Identifier: Apache-2.0 */
/* How the names of symbols are matched: exact, by glob, demangled. */
#ifndef PROBE_PATTERN_H
#define PROBE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#define PATTERN_WORD_MAX 64

struct pattern {
	const char *text;
	size_t len;
	bool glob;	   /* has * ? or [ */
	size_t prefix_len; /* characters before the first of them */
	bool demangled;
	bool whole; /* demangled: the parameters are part of the pattern */
	char word
		[PATTERN_WORD_MAX]; /* demangled: an identifier that the mangled name must hold; "" none is known */
};

/* text must outlive p. */
void pattern_init(struct pattern *p, const char *text, bool demangled);
/*
 * name: as in the file. A version behind @ does not count; neither do, without a glob, the parameters of a demangled name
 * where the pattern gives none.
 */
bool pattern_matches(const struct pattern *p, const char *name);

/* The demangled C++ or Rust name without its hash and return type, to be freed; NULL where it is not mangled. */
char *demangle(const char *name);

#endif
