/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was asked for about OTLP: by the OTEL_* variables of the OpenTelemetry specification, the configuration file and the
 * command line. Texts belong to whoever filled it in, and outlive it.
 */
#ifndef EXPORT_OTLP_SETTINGS_H
#define EXPORT_OTLP_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

enum otlp_signal {
	OTLP_METRICS,
	OTLP_TRACES,
	OTLP_LOGS,
	OTLP_SIGNALS,
};
const char *otlp_signal_name(enum otlp_signal s); /* "metrics", "traces", "logs" */

/* 0 is "not given" in each of them, so that a zeroed struct has no opinion. */
enum otlp_protocol {
	OTLP_PROTOCOL_UNSET,
	OTLP_HTTP_PROTOBUF,
	OTLP_GRPC
};
enum otlp_compression {
	OTLP_COMPRESSION_UNSET,
	OTLP_COMPRESSION_NONE,
	OTLP_COMPRESSION_GZIP
};
enum otlp_temporality {
	OTLP_TEMPORALITY_UNSET,
	OTLP_CUMULATIVE,
	OTLP_DELTA,
	OTLP_LOWMEMORY
};
enum otlp_histogram {
	OTLP_HISTOGRAM_UNSET,
	OTLP_HISTOGRAM_EXPLICIT,
	OTLP_HISTOGRAM_EXPONENTIAL
};
enum otlp_exporter {
	OTLP_EXPORTER_UNSET,
	OTLP_EXPORTER_OTLP,
	OTLP_EXPORTER_NONE
};
enum tristate {
	UNSET,
	NO,
	YES
};

/* The words of the specification -> value; -EINVAL for another one. */
int otlp_protocol_parse(const char *word);    /* "http/protobuf", "grpc" */
int otlp_compression_parse(const char *word); /* "gzip", "none" */
int otlp_temporality_parse(const char *word); /* "cumulative", "delta", "lowmemory" */
int otlp_histogram_parse(
	const char *word); /* "explicit_bucket_histogram", "base2_exponential_bucket_histogram" */
/* OTEL_<SIGNAL>_EXPORTER: a list; "otlp" in it wins, "none", "prometheus" and "console" mean no push. */
int otlp_exporter_parse(const char *word);

/* OTEL_EXPORTER_OTLP_*, and its OTEL_EXPORTER_OTLP_<SIGNAL>_* override. */
struct otlp_signal_settings {
	const char *endpoint;	 /* NULL: not given */
	int protocol;		 /* enum otlp_protocol */
	const char *headers;	 /* "key=value,key=value", percent-encoded; NULL: not given */
	uint64_t timeout_ms;	 /* 0: not given (10 000) */
	int compression;	 /* enum otlp_compression */
	const char *certificate; /* PEM of trusted CAs; NULL: the system's */
	const char *client_key, *client_certificate;
	int insecure; /* enum tristate; gRPC without a scheme only */
};

/* OTEL_BSP_*, OTEL_BLRP_*; 0: not given */
struct otlp_batch_settings {
	uint64_t schedule_delay_ms; /* 5 000 for spans, 1 000 for logs */
	uint64_t export_timeout_ms; /* 30 000 */
	uint64_t max_queue_size;    /* 2 048 */
	uint64_t max_batch_size;    /* 512; not above the queue's */
};

struct otlp_settings {
	bool disabled; /* OTEL_SDK_DISABLED */
	struct otlp_signal_settings base, signal[OTLP_SIGNALS];
	int exporter[OTLP_SIGNALS]; /* enum otlp_exporter */
	const char *
		headers_file; /* lines of "key: value", for what must not stand in an environment */
	int temporality;      /* OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE */
	int histogram;	      /* OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION */
	uint64_t metric_interval_ms,
		metric_timeout_ms; /* OTEL_METRIC_EXPORT_INTERVAL, _TIMEOUT: 60 000, 30 000 */
	struct otlp_batch_settings batch[OTLP_SIGNALS]; /* metrics: unused */
	const char *resource_attributes,
		*service_name; /* the agent's own; OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME */
};

#endif
