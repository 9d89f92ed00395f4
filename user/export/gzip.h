/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXPORT_GZIP_H
#define EXPORT_GZIP_H

#include "base/buf.h"

/* Replaces the content of b by its gzip form. Returns 0 or -ENOMEM, which leaves b as it was. */
int gzip_buf(struct buf *b);

#endif
