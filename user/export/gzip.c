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

/* Inflates what z was given. Z_STREAM_END: that was all of it. */
static int inflate_all(z_stream *z, struct buf *out, size_t max)
{
	unsigned char piece[4096];
	size_t all = 0;
	int rc = Z_OK;

	while (rc == Z_OK && !out->err) {
		z->next_out = piece;
		z->avail_out = sizeof(piece);
		rc = inflate(z, Z_NO_FLUSH);
		buf_append(out, piece, sizeof(piece) - z->avail_out);
		all += sizeof(piece) - z->avail_out;
		if (all > max)
			return Z_BUF_ERROR;
	}
	return rc;
}

int gunzip(struct buf *out, const uint8_t *data, size_t len, size_t max)
{
	z_stream z = { .next_in = (unsigned char *)data, .avail_in = len };
	int rc;

	if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
		return -ENOMEM;
	rc = inflate_all(&z, out, max);
	inflateEnd(&z);
	if (out->err || rc == Z_MEM_ERROR)
		return -ENOMEM;
	return rc == Z_STREAM_END ? 0 : -EBADMSG;
}
