// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What malloc() asks of the kernel is then mostly reused by the next arena (below its threshold for mmap, 128 KiB). */
#define BLOCK_SIZE ((size_t)64 * 1024 - sizeof(struct arena_block) - 16)
#define ALIGNMENT  _Alignof(max_align_t)

struct arena_block {
	struct arena_block *before;
	size_t used, size;
	_Alignas(max_align_t) char data[];
};

static void *fail(struct arena *a)
{
	a->err = -ENOMEM;
	return NULL;
}

static struct arena_block *add_block(struct arena *a, size_t size)
{
	struct arena_block *b = calloc(1, sizeof(*b) + size);

	if (!b)
		return NULL;
	b->before = a->last;
	b->size = size;
	a->last = b;
	return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
	struct arena_block *b = a->last;
	void *piece;

	if (size > SIZE_MAX / 2 || (a->limit && size > a->limit - a->used))
		return fail(a);
	a->used += size;
	size = (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
	if (!b || size > b->size - b->used)
		b = add_block(a, size > BLOCK_SIZE ? size : BLOCK_SIZE);
	if (!b)
		return fail(a);
	piece = b->data + b->used;
	b->used += size;
	return piece;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	size_t all;

	return __builtin_mul_overflow(count, size, &all) ? fail(a) : arena_alloc(a, all);
}

char *arena_strdup(struct arena *a, const char *s)
{
	size_t size = strlen(s) + 1;
	char *copy = arena_alloc(a, size);

	return copy ? memcpy(copy, s, size) : NULL;
}

void arena_free(struct arena *a)
{
	struct arena_block *b, *before;

	for (b = a->last; b; b = before) {
		before = b->before;
		free(b);
	}
	*a = (struct arena){ .limit = a->limit };
}
