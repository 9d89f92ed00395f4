/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The activity buffers that CUPTI fills. Taken on threads of the server, so: no lock, no heap, no wait. Memory comes from
 * the kernel as it is first written.
 */
#ifndef BUFFERS_H
#define BUFFERS_H

#include <stdbool.h>
#include <stdint.h>

#define BUFFERS	     64
#define BUFFER_BYTES (512 << 10) /* about 2400 kernels */
#define SPARES	     256	 /* twice what the watchdog allows */

struct buffers {
	uint8_t *pool;
	_Atomic uint64_t free;		/* a bit a buffer of the pool */
	uint8_t *_Atomic spare[SPARES]; /* NULL: a free place */
	_Atomic uint32_t spares;	/* alive beyond the pool */
	_Atomic uint64_t refused;	/* none could be given, or one beyond the pool */
	bool may_refuse;		/* this CUPTI survives a NULL buffer */
};

/* 0 or -ENOMEM. Buffers are zeroed, as ATTRIBUTE_ZEROED_OUT_ACTIVITY_BUFFER promises. */
int buffers_init(struct buffers *b);

/*
 * NULL: none. Where CUPTI cannot stand that, more are mapped one by one beyond the pool: `spares`, which the watchdog
 * bounds. One that finds no place in the table is given all the same, but never known again.
 */
uint8_t *buffers_take(struct buffers *b);

/* False: another tool's, which had CUPTI before us: it must be neither read nor freed. */
bool buffers_own(struct buffers *b, const uint8_t *buffer);

/*
 * Leaves alone what is not ours. Zeroes it: half a megabyte takes 20 us, which is better spent here than, as CUPTI would, on a
 * thread that launches.
 */
void buffers_give_back(struct buffers *b, uint8_t *buffer);

#endif
