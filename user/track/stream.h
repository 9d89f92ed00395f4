/* SPDX-License-Identifier: Apache-2.0 */
/* Where one direction of a connection is: finds what is missing before a record and what is there twice. */
#ifndef TRACK_STREAM_H
#define TRACK_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tks_record.h"

/* All zero: nothing was seen. */
struct stream {
	uint64_t next; /* expected position; a TCP sequence number keeps 32 bits */
	bool known;
};

/* What a record adds to the stream, in this order. */
struct stream_piece {
	uint64_t gap; /* bytes that no record told of */
	const uint8_t *data;
	size_t len;
	uint64_t skip; /* bytes that the record says it does not hold */
};

/*
 * Takes a record that moved bytes (ret > 0). The part that was seen before is dropped. A first record is no gap: where
 * the stream began is not known.
 */
void stream_take(struct stream *s, const struct tks_data *d, struct stream_piece *out);

#endif
