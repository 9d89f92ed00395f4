/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One signal's connection to its collector: OTLP over HTTP/protobuf or gRPC by libcurl, kept alive between messages. Redirects
 * are not followed; the proxies of the environment (http_proxy, https_proxy, no_proxy) are used, as by curl. Of one thread,
 * but for otlp_sender_stop().
 */
#ifndef EXPORT_OTLP_SEND_H
#define EXPORT_OTLP_SEND_H

#include <stdint.h>

#include "base/buf.h"
#include "export/otlp_endpoint.h"
#include "export/otlp_verdict.h"

#define OTLP_REQUEST_MAX (64U << 20) /* opentelemetry-proto 1.11 */

struct otlp_sender;

/* The endpoint must outlive it. NULL: out of memory. */
struct otlp_sender *otlp_sender_new(const struct otlp_endpoint *e);
void otlp_sender_free(struct otlp_sender *s);
/*
 * Turns an encoded message into the body of a request: compressed and framed as the endpoint wants. Once for each message,
 * before its first attempt. 0, -EMSGSIZE (longer than OTLP_REQUEST_MAX) or -ENOMEM.
 */
int otlp_sender_wrap(const struct otlp_sender *s, struct buf *message);
/* One attempt with a wrapped body, which ends within timeout_ms. Its text holds no header of ours. */
void otlp_send(struct otlp_sender *s, const struct buf *body, uint64_t timeout_ms,
	       struct otlp_verdict *out);
/* From any thread: attempts, the one under way included, end at deadline_ns (CLOCK_MONOTONIC). */
void otlp_sender_stop(struct otlp_sender *s, uint64_t deadline_ns);

#endif
