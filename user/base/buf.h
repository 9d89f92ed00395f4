/* SPDX-License-Identifier: Apache-2.0 */
/* Growing string buffer with a sticky error: write freely, check buf.err once at the end. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>

struct buf {
	char *data; /* NUL-terminated when len > 0; owned by the buffer */
	size_t len;
	size_t cap;
	int err; /* 0 or the first -errno; once set, writes do nothing */
};

#define BUF_INIT ((struct buf){ 0 })

void buf_append(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Keeps the memory; clears the error. */
void buf_reset(struct buf *b);
void buf_free(struct buf *b);

#endif
