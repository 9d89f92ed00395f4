/* SPDX-License-Identifier: Apache-2.0 */
/* What the OTLP exporter does by, and with whom: one const table, so that tests can have another one. */
#ifndef EXPORT_OTLP_RULES_H
#define EXPORT_OTLP_RULES_H

#include <stdint.h>

#include "export/otlp.h"
#include "export/otlp_encode.h"

struct otlp_rules {
	uint64_t retry_first_ms, retry_max_ms;
	uint64_t give_up_ms;	   /* on a batch of records, counted from its first attempt */
	uint64_t flush_ms;	   /* at the end, all in all */
	uint64_t flush_failing_ms; /* for a signal whose last attempt failed */
	/* otlp_encode.h */
	int (*metrics)(struct buf *out, const struct otlp_metrics_form *form,
		       const struct snapshot *now, const struct snapshot *base);
	int (*records[OTLP_SIGNALS])(struct buf *out, const struct kept_record *const *records,
				     size_t count);
	/* Items that one record is told in; NULL: one. */
	size_t (*items[OTLP_SIGNALS])(const struct request_record *r);
};

/* otlp_new() with other rules than its own. They must outlive the result. */
struct otlp *otlp_new_by(const struct otlp_settings *settings, const struct otlp_ops *ops,
			 void *ctx, const struct otlp_rules *rules);

#endif
