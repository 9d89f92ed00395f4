// SPDX-License-Identifier: Apache-2.0
#include "export/otlp.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "export/otlp_push_metrics.h"
#include "export/otlp_push_records.h"
#include "export/otlp_rules.h"

struct otlp {
	struct otlp_push_metrics metrics;
	struct otlp_push_records traces, logs;
	bool exports[OTLP_SIGNALS];
};

/* Of the OpenTelemetry Collector's exporters (configretry) the first three. */
static const struct otlp_rules default_rules = {
	.retry_first_ms = 5000,
	.retry_max_ms = 30000,
	.give_up_ms = 300000,
	.flush_ms = 5000,
	.flush_failing_ms = 1000,
	.metrics = otlp_encode_metrics,
	.records = { [OTLP_TRACES] = otlp_encode_traces, [OTLP_LOGS] = otlp_encode_logs },
	.items = { [OTLP_TRACES] = otlp_span_count },
};

static struct otlp_worker *worker_of(struct otlp *o, enum otlp_signal signal)
{
	switch (signal) {
	case OTLP_TRACES:
		return &o->traces.worker;
	case OTLP_LOGS:
		return &o->logs.worker;
	default:
		return &o->metrics.worker;
	}
}

static int start_signal(struct otlp *o, const struct otlp_settings *settings,
			enum otlp_signal signal)
{
	switch (signal) {
	case OTLP_TRACES:
		return otlp_push_records_start(&o->traces, settings, signal);
	case OTLP_LOGS:
		return otlp_push_records_start(&o->logs, settings, signal);
	default:
		return otlp_push_metrics_start(&o->metrics, settings);
	}
}

/* 0 or a negative errno, logged. */
static int start(struct otlp *o, const struct otlp_settings *settings, const struct otlp_ops *ops,
		 void *ctx, const struct otlp_rules *rules)
{
	for (enum otlp_signal i = 0; i < OTLP_SIGNALS; i++) {
		struct otlp_worker *w = worker_of(o, i);
		int rc;

		w->rules = rules;
		w->ops = *ops;
		w->ctx = ctx;
		rc = start_signal(o, settings, i);
		if (rc < 0)
			return rc;
		o->exports[i] = rc;
		if (rc)
			log_info("OTLP %s go to %s", otlp_signal_name(i), w->endpoint.shown);
	}
	return 0;
}

struct otlp *otlp_new_by(const struct otlp_settings *settings, const struct otlp_ops *ops,
			 void *ctx, const struct otlp_rules *rules)
{
	struct otlp *o = calloc(1, sizeof(*o));
	int err = o ? 0 : -ENOMEM;

	if (!err && curl_global_init(CURL_GLOBAL_DEFAULT)) {
		log_error("cannot set up libcurl for OTLP: out of memory");
		free(o);
		o = NULL;
		err = -ENOMEM;
	}
	if (!err)
		err = start(o, settings, ops, ctx, rules);
	if (!err)
		return o;
	otlp_free(o);
	errno = -err;
	return NULL;
}

struct otlp *otlp_new(const struct otlp_settings *settings, const struct otlp_ops *ops, void *ctx)
{
	return otlp_new_by(settings, ops, ctx, &default_rules);
}

bool otlp_exports(const struct otlp *o, enum otlp_signal signal)
{
	return o->exports[signal];
}

void otlp_record(struct otlp *o, const struct request_record *r, struct resource *resource)
{
	if (o->exports[OTLP_TRACES] && r->sampled)
		otlp_push_records_add(&o->traces, r, resource);
	if (o->exports[OTLP_LOGS])
		otlp_push_records_add(&o->logs, r, resource);
}

/* All signals end at once, so that their times to flush run side by side. */
void otlp_free(struct otlp *o)
{
	uint64_t now = clock_monotonic_ns();

	if (!o)
		return;
	for (enum otlp_signal i = 0; i < OTLP_SIGNALS; i++)
		if (o->exports[i])
			otlp_worker_stop(worker_of(o, i), now);
	if (o->exports[OTLP_METRICS])
		otlp_push_metrics_free(&o->metrics);
	if (o->exports[OTLP_TRACES])
		otlp_push_records_free(&o->traces);
	if (o->exports[OTLP_LOGS])
		otlp_push_records_free(&o->logs);
	curl_global_cleanup();
	free(o);
}
