// SPDX-License-Identifier: Apache-2.0
#include "buffers.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

static uint8_t *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int buffers_init(struct buffers *b)
{
	b->pool = map((size_t)BUFFERS * BUFFER_BYTES);
	if (!b->pool)
		return -ENOMEM;
	b->free = UINT64_MAX;
	return 0;
}

static bool of_pool(const struct buffers *b, const uint8_t *buffer)
{
	return (uintptr_t)buffer - (uintptr_t)b->pool < (size_t)BUFFERS * BUFFER_BYTES;
}

/* Makes the place that has `from` have `to`. False: none has. */
static bool replace_spare(struct buffers *b, uint8_t *from, uint8_t *to)
{
	for (size_t i = 0; i < SPARES; i++) {
		uint8_t *expected = from;

		if (atomic_compare_exchange_strong(&b->spare[i], &expected, to))
			return true;
	}
	return false;
}

static uint8_t *take_spare(struct buffers *b)
{
	uint8_t *spare;

	b->refused++;
	if (b->may_refuse)
		return NULL;
	spare = map(BUFFER_BYTES);
	if (!spare)
		return NULL;
	b->spares++;
	replace_spare(b, NULL, spare);
	return spare;
}

uint8_t *buffers_take(struct buffers *b)
{
	uint64_t free = b->free;

	while (free && !atomic_compare_exchange_weak(&b->free, &free, free & (free - 1)))
		;
	return free ? b->pool + (size_t)__builtin_ctzll(free) * BUFFER_BYTES : take_spare(b);
}

bool buffers_own(struct buffers *b, const uint8_t *buffer)
{
	bool own = of_pool(b, buffer);

	for (size_t i = 0; buffer && !own && i < SPARES; i++)
		own = b->spare[i] == buffer;
	return own;
}

void buffers_give_back(struct buffers *b, uint8_t *buffer)
{
	if (of_pool(b, buffer)) {
		memset(buffer, 0, BUFFER_BYTES);
		b->free |= UINT64_C(1) << (size_t)(buffer - b->pool) / BUFFER_BYTES;
	} else if (buffer && replace_spare(b, buffer, NULL)) {
		munmap(buffer, BUFFER_BYTES);
		b->spares--;
	}
}
