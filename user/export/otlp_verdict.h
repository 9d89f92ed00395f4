/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an attempt to send means, by the OTLP specification: HTTP 429, 502, 503, 504 and a connection that failed are worth
 * another try, and so are the gRPC codes of its table; RESOURCE_EXHAUSTED only where the collector says when. Any 2xx is
 * delivered, whatever its body: an answer that cannot be read is told, not sent again.
 */
#ifndef EXPORT_OTLP_VERDICT_H
#define EXPORT_OTLP_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OTLP_RESPONSE_MAX   (4U << 20) /* opentelemetry-proto 1.11 */
#define OTLP_GRPC_NO_STATUS (-1)

/* What came back of one attempt. */
struct otlp_answer {
	bool grpc;
	bool too_long;	     /* the collector sent more than the limit, and was cut off */
	const char *failure; /* why no answer came; NULL: one came */
	long http_status;
	double retry_after_s;	  /* Retry-After; NAN: none */
	int grpc_status;	  /* OTLP_GRPC_NO_STATUS: none */
	const char *grpc_message; /* percent-encoded as it came; NULL: none */
	const uint8_t *details;	  /* grpc-status-details-bin */
	size_t details_len;
	const uint8_t *body; /* of gRPC: frames */
	size_t body_len;
};

enum otlp_result {
	OTLP_DELIVERED,
	OTLP_RETRY,
	OTLP_REFUSED, /* for good */
};

struct otlp_verdict {
	enum otlp_result result;
	int64_t rejected;     /* delivered: how many items of it were not taken, never negative */
	double retry_after_s; /* to retry: not before; NAN: the collector did not say */
	char text
		[384]; /* for people, printable; of what was delivered: "" unless there is something odd */
};

void otlp_verdict(const struct otlp_answer *answer, struct otlp_verdict *out);

#endif
