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

static uint8_t *take_spare(struct buffers *b)
{
	uint8_t *spare;

	b->refused++;
	if (b->may_refuse)
		return NULL;
	spare = map(BUFFER_BYTES);
	b->spares += spare != NULL;
	return spare;
}

uint8_t *buffers_take(struct buffers *b)
{
	uint64_t free = b->free;

	while (free && !atomic_compare_exchange_weak(&b->free, &free, free & (free - 1)))
		;
	return free ? b->pool + (size_t)__builtin_ctzll(free) * BUFFER_BYTES : take_spare(b);
}

void buffers_give_back(struct buffers *b, uint8_t *buffer)
{
	size_t at = (uintptr_t)buffer - (uintptr_t)b->pool;

	if (!buffer)
		return;
	if (at >= (size_t)BUFFERS * BUFFER_BYTES) {
		munmap(buffer, BUFFER_BYTES);
		b->spares--;
		return;
	}
	memset(buffer, 0, BUFFER_BYTES);
	b->free |= UINT64_C(1) << at / BUFFER_BYTES;
}
