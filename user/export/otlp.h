/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OTLP push: metrics on a timer, spans and log records in batches, each signal on a thread of its own so that a collector that
 * is down, slow or hostile costs bounded memory and delays nobody.
 */
#ifndef EXPORT_OTLP_H
#define EXPORT_OTLP_H

#include <stdbool.h>
#include <stdint.h>

#include "export/otlp_settings.h"
#include "metric/registry.h"
#include "track/record.h"

struct otlp_ops {
	/* A fresh snapshot, on an exporter's thread; NULL: out of memory. */
	struct snapshot *(*snapshot)(void *ctx);
	/* `count` items (data points, spans, log records) will never be delivered. From any thread. */
	void (*dropped)(void *ctx, enum otlp_signal signal, const char *reason, uint64_t count);
};

struct otlp;

/*
 * Starts the signals that have an endpoint; with none of them it is idle, and valid. NULL with errno set after logging what is
 * wrong in the settings (-EINVAL) or what failed. ops is copied, settings are only read during the call.
 */
struct otlp *otlp_new(const struct otlp_settings *settings, const struct otlp_ops *ops, void *ctx);
/* Whether this signal is pushed. */
bool otlp_exports(const struct otlp *o, enum otlp_signal signal);
/*
 * A finished request: its span when r->sampled, and its log record. Never waits: what finds a full queue pushes the oldest out,
 * counted. resource describes r->server (NULL: the agent's own is used).
 */
void otlp_record(struct otlp *o, const struct request_record *r, struct resource *resource);
/* Sends what is queued and the last metrics, for at most 5 seconds; the rest is counted as dropped. NULL: nothing. */
void otlp_free(struct otlp *o);

#endif
