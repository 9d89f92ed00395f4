/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP messages (opentelemetry-proto 1.5) from snapshots and records, as bytes of protobuf. */
#ifndef EXPORT_OTLP_ENCODE_H
#define EXPORT_OTLP_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "metric/registry.h"
#include "track/record.h"

struct otlp_metrics_form {
	bool delta;	  /* sums and histograms as differences to `base` */
	bool exponential; /* histograms: base-2 exponential, at most 160 buckets, else explicit */
};

/*
 * ExportMetricsServiceRequest: a Resource for each observed server, and the agent's own (owner 0). base: the snapshot that was
 * delivered last, NULL before the first; used with `delta` only. A series that was made anew since then (another start time) is
 * told from its own start. Returns the number of data points, or -ENOMEM. 0 points: out stays empty.
 */
int otlp_encode_metrics(struct buf *out, const struct otlp_metrics_form *form,
			const struct snapshot *now, const struct snapshot *base);

/* A finished request that waits for its export. Owned; holds no pointer into the tracker. */
struct kept_record {
	struct request_record record;	  /* server and itl are NULL */
	char address[SERVER_ADDRESS_MAX]; /* the server's; "" : none known */
	uint16_t port;
	uint64_t itl_count;
	struct resource *resource;
};

/* ExportTraceServiceRequest, ExportLogsServiceRequest; records of one resource need not stand together. 0 or -ENOMEM. */
int otlp_encode_traces(struct buf *out, const struct kept_record *const *records, size_t count);
int otlp_encode_logs(struct buf *out, const struct kept_record *const *records, size_t count);

/* How many spans a sampled request makes: its own, and one for each phase that is known. */
size_t otlp_span_count(const struct request_record *r);

/* The answer of a collector: Export<Signal>ServiceResponse. Returns 0, or -EBADMSG for what is no such message. */
struct otlp_partial {
	int64_t rejected;
	char message[256]; /* printable; "" : none */
};
int otlp_decode_response(const uint8_t *data, size_t len, struct otlp_partial *out);
/* google.rpc.Status of an error's body or of grpc-status-details-bin. retry_s: of a RetryInfo in it; NAN: none. */
struct otlp_status {
	int32_t code;
	char message[256];
	double retry_s;
};
int otlp_decode_status(const uint8_t *data, size_t len, struct otlp_status *out);

#endif
