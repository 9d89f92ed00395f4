/* SPDX-License-Identifier: Apache-2.0 */
/* What Prometheus scrapes, from a snapshot: text 0.0.4, OpenMetrics 1.0.0, or protobuf with native histograms. */
#ifndef EXPORT_PROMETHEUS_H
#define EXPORT_PROMETHEUS_H

#include "base/buf.h"
#include "metric/registry.h"

enum exposition {
	EXPOSITION_TEXT,	/* text/plain; version=0.0.4 */
	EXPOSITION_OPENMETRICS, /* application/openmetrics-text; version=1.0.0 */
	EXPOSITION_PROTOBUF,	/* application/vnd.google.protobuf; encoding=delimited */
};

/* The format to answer an Accept header with (NULL: none sent), by q-values; unknown -> text. */
enum exposition exposition_negotiate(const char *accept);
const char *exposition_content_type(enum exposition e);
/* Appends the whole exposition; out->err tells failure. */
void exposition_write(struct buf *out, enum exposition e, const struct snapshot *s);

#endif
