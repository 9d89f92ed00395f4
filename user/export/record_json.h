/* SPDX-License-Identifier: Apache-2.0 */
/* The one JSON shape of a request record (design.md 6). */
#ifndef EXPORT_RECORD_JSON_H
#define EXPORT_RECORD_JSON_H

#include "base/buf.h"
#include "track/record.h"

/* Appends one line of compact JSON, newline included; every key of the schema is always there. */
void record_json_write(struct buf *out, const struct request_record *r);

#endif
