/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels that processes have named, by process and id. Names are kept on request only; they are never labels. */
#ifndef GPU_KERNEL_NAMES_H
#define GPU_KERNEL_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gpu/kernel_class.h"

struct kernel_name {
	enum kernel_class class;
	const char *text; /* as the process told it, mangled; NULL: not kept */
};

struct kernel_names;

/* max: of all processes together, of which one has a quarter at most. NULL: out of memory. */
struct kernel_names *kernel_names_new(size_t max, bool keep_text);
void kernel_names_free(struct kernel_names *n);

/* text need not end in NUL. A name told again replaces the former. */
void kernel_names_told(struct kernel_names *n, uint32_t tgid, uint32_t id, const char *text,
		       size_t len);
/* NULL: not told. Valid until the next change. */
const struct kernel_name *kernel_names_find(const struct kernel_names *n, uint32_t tgid,
					    uint32_t id);
void kernel_names_process_gone(struct kernel_names *n, uint32_t tgid);

struct kernel_names_stats {
	uint64_t names;	  /* now */
	uint64_t refused; /* there was no room, or no memory */
};
void kernel_names_get_stats(const struct kernel_names *n, struct kernel_names_stats *stats);

#define KERNEL_PRETTY_MAX 4096 /* bytes; what is longer ends in "..." */
/*
 * For people: demangled, to be freed. Left as it is where it is no name of C++, or one that could keep the demangler at work for
 * ever. NULL: out of memory.
 */
char *kernel_name_pretty(const char *text);

#endif
