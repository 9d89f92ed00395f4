/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as the exposition formats write them: shortest text that reads back as the same double. */
#ifndef EXPORT_NUMBER_H
#define EXPORT_NUMBER_H

#include <stdint.h>

#include "base/buf.h"

void number_write_u64(struct buf *out, uint64_t v);
/* A sample value: integers without point or exponent below 2^53; NaN, +Inf, -Inf. */
void number_write(struct buf *out, double v);
/*
 * A value of the label `le` in float form, as Go's strconv and Prometheus 3 normalise it: "1.0", "0.25", "1e-05",
 * "1.048576e+06", "+Inf". So `le` reads the same in every format and every version.
 */
void number_write_le(struct buf *out, double v);

#endif
