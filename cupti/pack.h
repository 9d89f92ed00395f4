/* SPDX-License-Identifier: Apache-2.0 */
/* From CUPTI's activity buffers to records of include/tks_cupti.h. Pure: knows no library and no probe. */
#ifndef PACK_H
#define PACK_H

#include <stdbool.h>

#include "cupti_abi.h"
#include "names.h"
#include "tks_cupti.h"

struct pack {
	cupti_result (*next)(uint8_t *buffer, size_t valid, struct activity **record);
	void (*tell)(const struct tks_cupti_record *records, uint32_t count);
	struct names *names;
	int64_t clock_offset; /* CLOCK_MONOTONIC minus CUPTI's clock, ns */

	/* These only grow. */
	uint64_t records, invalid, unknown, overhead_ns;
};

/*
 * Tells the records of a buffer of which `valid` bytes are written, TKS_CUPTI_BATCH at a time. The buffer is trusted for
 * nothing but its names' pointers: a record that does not lie in it as a whole, or before the one just read, ends the walk
 * and counts as unknown, as does one whose size the library does not know.
 */
void pack_buffer(struct pack *p, uint8_t *buffer, size_t valid);

#endif
