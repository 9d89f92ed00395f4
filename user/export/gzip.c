// SPDX-License-Identifier: Apache-2.0
#include "export/gzip.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

#define GZIP_WINDOW \
	(15 + 16) /* the largest window; + 16 asks zlib for a gzip header (zlib.h, deflateInit2) */
#define MEM_LEVEL 8 /* zlib's default */

/*
 * The fastest level: expositions repeat their labels on every line, so it already makes a tenth of them, in a third of
 * the time of the default.
 */
int gzip_buf(struct buf *b)
{
	struct buf out = BUF_INIT;
	z_stream z = { 0 };
	int rc;

	if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, MEM_LEVEL,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	out.cap = deflateBound(&z, b->len) + 1;
	out.data = malloc(out.cap);
	if (!out.data) {
		deflateEnd(&z);
		return -ENOMEM;
	}
	z.next_in = (unsigned char *)b->data;
	z.avail_in = b->len;
	z.next_out = (unsigned char *)out.data;
	z.avail_out = out.cap - 1;
	rc = deflate(&z, Z_FINISH);
	out.len = z.total_out;
	deflateEnd(&z);
	if (rc != Z_STREAM_END) {
		buf_free(&out);
		return -ENOMEM;
	}
	out.data[out.len] = '\0';
	buf_free(b);
	*b = out;
	return 0;
}
