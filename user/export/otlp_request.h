/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the OTLP encoders: what spans and log records of a request share. */
#ifndef EXPORT_OTLP_REQUEST_H
#define EXPORT_OTLP_REQUEST_H

#include "export/otlp_encode.h"
#include "export/otlp_message.h"

struct otlp_attributes otlp_request_attributes(struct arena *a, const struct kept_record *k);
/* Wall clock; where the duration is not known, the start. */
uint64_t otlp_request_end_ns(const struct request_record *r);
/* Of W3C trace context: the caller's, but for the sampled bit, which tells whether the span is exported. */
uint32_t otlp_trace_flags(const struct request_record *r);

/* The ExportTraceServiceRequest or ExportLogsServiceRequest of `count` records of one Resource. NULL: no memory. */
typedef ProtobufCMessage *(*otlp_group_fn)(struct arena *a,
					   const struct kept_record *const *records, size_t count);
/* Appends the request of each Resource in turn. 0, or -ENOMEM with out as it was. */
int otlp_encode_groups(struct buf *out, const struct kept_record *const *records, size_t count,
		       otlp_group_fn make);

#endif
