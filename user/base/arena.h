/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for a tree that is built, used and forgotten: handed out piece by piece, freed as a whole. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena {
	struct arena_block *last;
	size_t limit; /* bytes in all; 0: none */
	size_t used;
	int err; /* 0, or -ENOMEM once a piece was refused */
};

/* Zeroed, aligned for any type. NULL: out of memory or over the limit; err is set. */
void *arena_alloc(struct arena *a, size_t size);
/* An array; NULL also where its size does not fit a size_t. */
void *arena_array(struct arena *a, size_t count, size_t size);
/* A copy with its NUL. */
char *arena_strdup(struct arena *a, const char *s);
/* All pieces. The arena can be used again; its error is forgotten. */
void arena_free(struct arena *a);

#endif
