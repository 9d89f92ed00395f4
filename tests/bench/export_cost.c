// SPDX-License-Identifier: Apache-2.0
/*
 * What a scrape and an export cost: prints one JSON object a line for each form, with its milliseconds of each round, its size,
 * and the same of its gzip form. A snapshot stands alone; every other form starts from one.
 *
 * usage: export_cost SERIES [ROUNDS]: a series is one set of label values: a histogram makes about twenty samples of it. Six
 * in ten are histograms, as a server's are.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "export/gzip.h"
#include "export/otlp_encode.h"
#include "export/prometheus.h"
#include "metric/registry.h"

#define ROUNDS	     15 /* unless told otherwise */
#define OBSERVATIONS 50 /* of a histogram: as many slots as a latency fills */
#define PER_SET	     10 /* series of one label set: one of each family below */

static const enum metric_id histograms[] = { M_REQUEST_DURATION,      M_TIME_TO_FIRST_TOKEN,
					     M_TIME_PER_OUTPUT_TOKEN, M_INTER_TOKEN_LATENCY,
					     M_TIME_TO_HEADERS,	      M_REQUEST_TOKENS };
static const enum metric_id counters[] = { M_REQUESTS, M_TOKENS, M_TOKENS_CACHED, M_TOKENS_WASTED };

struct scene {
	struct snapshot *now, *base; /* base: one round of measurements earlier */
};

static void must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "export_cost: %s\n", what);
	exit(1);
}

static void measure_set(struct registry *r, uint32_t owner)
{
	char instance[64], model[64];
	const char *values[METRIC_LABELS_MAX] = { "vllm", instance,    "vllm",	 "0.0.0.0",
						  "8000", "inference", instance, "chat",
						  "vllm", model,       model };

	snprintf(instance, sizeof(instance), "inference.vllm-%u-7d9c8b5f4-x2x9k.vllm", owner);
	snprintf(model, sizeof(model), "meta-llama/Llama-3.1-8B-Instruct-%u", owner % 64);
	for (size_t i = 0; i < sizeof(histograms) / sizeof(histograms[0]); i++)
		for (int k = 1; k <= OBSERVATIONS; k++)
			registry_observe(r, histograms[i], owner, values, 0.003 * k * k);
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		registry_add(r, counters[i], owner, values, owner);
}

static void measure_all(struct registry *r, size_t series)
{
	for (uint32_t owner = 1; owner <= series / PER_SET; owner++)
		measure_set(r, owner);
}

static struct snapshot *snapshot(struct registry *r)
{
	struct snapshot *s = registry_snapshot(r);

	must(s != NULL, "out of memory");
	return s;
}

/* ------------------------------------------------------------------ forms */

static void text(struct buf *out, const struct scene *s)
{
	exposition_write(out, EXPOSITION_TEXT, s->now);
}

static void openmetrics(struct buf *out, const struct scene *s)
{
	exposition_write(out, EXPOSITION_OPENMETRICS, s->now);
}

static void protobuf(struct buf *out, const struct scene *s)
{
	exposition_write(out, EXPOSITION_PROTOBUF, s->now);
}

static void otlp(struct buf *out, const struct scene *s, const struct otlp_metrics_form *form)
{
	must(otlp_encode_metrics(out, form, s->now, form->delta ? s->base : NULL) > 0,
	     "no OTLP data points");
}

static void otlp_cumulative(struct buf *out, const struct scene *s)
{
	otlp(out, s, &(struct otlp_metrics_form){ 0 });
}

static void otlp_exponential(struct buf *out, const struct scene *s)
{
	otlp(out, s, &(struct otlp_metrics_form){ .exponential = true });
}

static void otlp_delta(struct buf *out, const struct scene *s)
{
	otlp(out, s, &(struct otlp_metrics_form){ .delta = true });
}

static const struct {
	const char *name;
	void (*write)(struct buf *out, const struct scene *s);
} forms[] = {
	{ "scrape: text", text },
	{ "scrape: OpenMetrics", openmetrics },
	{ "scrape: protobuf, native", protobuf },
	{ "OTLP: cumulative", otlp_cumulative },
	{ "OTLP: exponential", otlp_exponential },
	{ "OTLP: delta", otlp_delta },
};

/* ------------------------------------------------------------------ measuring */

static double ms_since(uint64_t start)
{
	return (clock_monotonic_ns() - start) / 1e6;
}

static void print_values(const char *key, const double *values, int rounds)
{
	printf(", \"%s\": [", key);
	for (int i = 0; i < rounds; i++)
		printf("%s%.3f", i ? ", " : "", values[i]);
	printf("]");
}

static void cost_of_snapshot(struct registry *r, int rounds)
{
	double ms[rounds];

	for (int i = 0; i < rounds; i++) {
		uint64_t start = clock_monotonic_ns();

		snapshot_free(snapshot(r));
		ms[i] = ms_since(start);
	}
	printf("{\"form\": \"snapshot, and its end\"");
	print_values("ms", ms, rounds);
	printf("}\n");
}

static void cost_of_form(size_t form, const struct scene *s, int rounds)
{
	double plain_ms[rounds], gzip_ms[rounds];
	size_t plain = 0, gzip = 0;

	for (int i = 0; i < rounds; i++) {
		struct buf out = BUF_INIT;
		uint64_t start = clock_monotonic_ns();

		forms[form].write(&out, s);
		plain_ms[i] = ms_since(start);
		must(!out.err && out.len, "nothing was written");
		plain = out.len;
		start = clock_monotonic_ns();
		must(!gzip_buf(&out), "gzip failed");
		gzip_ms[i] = ms_since(start);
		gzip = out.len;
		buf_free(&out);
	}
	printf("{\"form\": \"%s\", \"bytes\": %zu, \"gzip_bytes\": %zu", forms[form].name, plain,
	       gzip);
	print_values("ms", plain_ms, rounds);
	print_values("gzip_ms", gzip_ms, rounds);
	printf("}\n");
}

int main(int argc, char **argv)
{
	long series = argc > 1 ? atol(argv[1]) : 0, rounds = argc > 2 ? atol(argv[2]) : ROUNDS;
	struct registry_config config = { .max_series = (size_t)series + 1 };
	struct registry *r;
	struct scene s;

	must(series >= PER_SET && rounds > 0, "usage: export_cost SERIES [ROUNDS]");
	r = registry_new(&config);
	must(r != NULL, "out of memory");
	measure_all(r, (size_t)series);
	s.base = snapshot(r);
	measure_all(r, (size_t)series);
	s.now = snapshot(r);
	cost_of_snapshot(r, (int)rounds);
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		cost_of_form(i, &s, (int)rounds);
	printf("{\"form\": \"waiting record\", \"bytes\": %zu}\n", sizeof(struct kept_record));
	snapshot_free(s.base);
	snapshot_free(s.now);
	registry_free(r);
	return 0;
}
