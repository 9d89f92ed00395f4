/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXPORT_GZIP_H
#define EXPORT_GZIP_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Replaces the content of b by its gzip form. Returns 0 or -ENOMEM, which leaves b as it was. */
int gzip_buf(struct buf *b);
/* Appends what `data` is the gzip form of. -EBADMSG: it is none, or of more than `max` bytes; -ENOMEM. */
int gunzip(struct buf *out, const uint8_t *data, size_t len, size_t max);

#endif
