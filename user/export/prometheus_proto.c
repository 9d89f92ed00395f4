// SPDX-License-Identifier: Apache-2.0
/*
 * The protobuf exposition (client_model's metrics.proto): for each family its length and one MetricFamily. A histogram has its
 * classic buckets, and beside them the same observations as native histogram.
 *
 * A family is written in pieces, first its head, then metric by metric: the pieces of a message put together are the message
 * (protobuf.dev, "Encoding": repeated fields need not stand together). So one metric at a time is in memory.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/cleanup.h"
#include "export/prometheus_format.h"
#include "io/prometheus/client/metrics.pb-c.h"

typedef Io__Prometheus__Client__LabelPair Label;
typedef Io__Prometheus__Client__Exemplar Exemplar;
typedef Io__Prometheus__Client__Bucket Bucket;
typedef Io__Prometheus__Client__BucketSpan Span;
typedef Io__Prometheus__Client__Histogram Histogram;
typedef Io__Prometheus__Client__Metric Metric;
typedef Io__Prometheus__Client__MetricFamily Family;
typedef Google__Protobuf__Timestamp Timestamp;

/* The key of MetricFamily.metric: field 4, length-delimited. */
#define METRIC_KEY 0x22

/* What client_golang writes (prometheus/histogram.go, DefNativeHistogramZeroThreshold); 0 would say "no native histogram". */
#define ZERO_THRESHOLD 0x1p-128
/* Up to so many empty slots are written out, because a new span costs as much (client_golang, makeBuckets). */
#define GAP_MAX	  2

#define SLOTS_MAX (HIST_INDEX_MAX - HIST_INDEX_MIN + 1)
#define SPANS_MAX (SLOTS_MAX / (GAP_MAX + 2) + 1)

/* One bucket with its exemplar, if it has one. */
struct cell {
	Bucket bucket;
	Exemplar exemplar;
	Timestamp time;
	Label labels[2];
	Label *label_list[2];
};

struct writer {
	struct buf *out;
	struct buf family; /* the MetricFamily at hand */
	/* What the metric at hand points to. */
	Label labels[METRIC_LABELS_MAX + 1];
	Label *label_list[METRIC_LABELS_MAX + 1];
	Timestamp created;
	struct cell *cells; /* as many as the family has buckets */
	Bucket **buckets;
	Exemplar **exemplars;
	Span spans[SPANS_MAX];
	Span *span_list[SPANS_MAX];
	int64_t deltas[SLOTS_MAX];
};

/* ------------------------------------------------------------------ pieces of a message */

struct sink {
	ProtobufCBuffer base;
	struct buf *out;
};

static void sink_append(ProtobufCBuffer *base, size_t len, const uint8_t *data)
{
	buf_append(((struct sink *)base)->out, data, len);
}

static void append_message(struct buf *out, const void *message)
{
	struct sink sink = { .base = { .append = sink_append }, .out = out };

	protobuf_c_message_pack_to_buffer(message, &sink.base);
}

static void append_varint(struct buf *out, uint64_t v)
{
	unsigned char byte;

	for (; v >= 0x80; v >>= 7) {
		byte = v | 0x80;
		buf_append(out, &byte, 1);
	}
	byte = v;
	buf_append(out, &byte, 1);
}

static void append_metric(struct writer *w, const Metric *m)
{
	append_varint(&w->family, METRIC_KEY);
	append_varint(&w->family, io__prometheus__client__metric__get_packed_size(m));
	append_message(&w->family, m);
}

static void append_head(struct writer *w, const struct metric_family *f)
{
	static const struct {
		Io__Prometheus__Client__MetricType type;
		const char *suffix;
	} types[] = {
		[METRIC_COUNTER] = { IO__PROMETHEUS__CLIENT__METRIC_TYPE__COUNTER, "_total" },
		[METRIC_GAUGE] = { IO__PROMETHEUS__CLIENT__METRIC_TYPE__GAUGE, "" },
		[METRIC_HISTOGRAM] = { IO__PROMETHEUS__CLIENT__METRIC_TYPE__HISTOGRAM, "" },
		[METRIC_INFO] = { IO__PROMETHEUS__CLIENT__METRIC_TYPE__GAUGE, "_info" },
	};
	Family head = IO__PROMETHEUS__CLIENT__METRIC_FAMILY__INIT;

	head.name = (char *)f->prom_name;
	head.help = (char *)f->help;
	head.has_type = true;
	head.type = types[f->type].type;
	head.unit = (char *)exposition_unit(f, types[f->type].suffix);
	append_message(&w->family, &head);
}

/* ------------------------------------------------------------------ parts of a metric */

static Label *set_label(Label *l, const char *name, const char *value)
{
	*l = (Label)IO__PROMETHEUS__CLIENT__LABEL_PAIR__INIT;
	l->name = (char *)name;
	l->value = (char *)value;
	return l;
}

static Timestamp *set_time(Timestamp *t, uint64_t ns)
{
	*t = (Timestamp)GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	t->seconds = ns / NSEC_PER_SEC;
	t->nanos = ns % NSEC_PER_SEC;
	return t;
}

static void set_labels(struct writer *w, Metric *m, const struct metric_family *f,
		       const struct snapshot_series *s)
{
	size_t n = 0;

	if (s->overflow) {
		w->label_list[n] = set_label(&w->labels[n], "otel_metric_overflow", "true");
		n++;
	}
	for (size_t i = 0; i < f->label_count; i++) {
		if (!s->values[i])
			continue;
		w->label_list[n] = set_label(&w->labels[n], f->labels[i], s->values[i]);
		n++;
	}
	m->n_label = n;
	m->label = w->label_list;
}

static Exemplar *set_exemplar(struct cell *c, const struct exemplar *e)
{
	c->exemplar = (Exemplar)IO__PROMETHEUS__CLIENT__EXEMPLAR__INIT;
	c->label_list[0] = set_label(&c->labels[0], "trace_id", e->trace_id);
	c->label_list[1] = set_label(&c->labels[1], "span_id", e->span_id);
	c->exemplar.n_label = 2;
	c->exemplar.label = c->label_list;
	c->exemplar.has_value = true;
	c->exemplar.value = e->value;
	c->exemplar.timestamp = set_time(&c->time, e->time_ns);
	return &c->exemplar;
}

/* ------------------------------------------------------------------ histograms */

static void set_buckets(struct writer *w, Histogram *m, const struct snapshot_series *s)
{
	const struct hist *h = &s->hist;
	uint64_t cumulative = 0;

	for (size_t i = 0; i <= h->bounds->count; i++) {
		Bucket *b = &w->cells[i].bucket;

		cumulative += h->classic[i];
		*b = (Bucket)IO__PROMETHEUS__CLIENT__BUCKET__INIT;
		b->has_cumulative_count = b->has_upper_bound = true;
		b->cumulative_count = cumulative;
		b->upper_bound = i < h->bounds->count ? h->bounds->le[i] : INFINITY;
		w->buckets[i] = b;
		if (!s->exemplars || !*s->exemplars[i].trace_id)
			continue;
		b->exemplar = set_exemplar(&w->cells[i], &s->exemplars[i]);
		w->exemplars[m->n_exemplars++] = b->exemplar;
	}
	m->n_bucket = h->bounds->count + 1;
	m->bucket = w->buckets;
	m->exemplars = w->exemplars;
}

static void open_span(struct writer *w, Histogram *m, int32_t offset)
{
	Span *s = &w->spans[m->n_positive_span];

	*s = (Span)IO__PROMETHEUS__CLIENT__BUCKET_SPAN__INIT;
	s->has_offset = s->has_length = true;
	s->offset = offset;
	w->span_list[m->n_positive_span++] = s;
}

static void add_slot(struct writer *w, Histogram *m, uint64_t count, uint64_t *last)
{
	w->deltas[m->n_positive_delta++] = (int64_t)(count - *last);
	w->spans[m->n_positive_span - 1].length++;
	*last = count;
}

/* Slot i of the store covers (2^((i-1)/8), 2^(i/8)]: bucket i of schema 3. */
static void set_slots(struct writer *w, Histogram *m, const struct hist *h)
{
	int32_t next = 0; /* the slot behind the last one written */
	uint64_t last = 0;

	for (uint32_t i = 0; i < h->exp_len; i++) {
		int32_t slot = h->exp_first + (int32_t)i;

		if (!h->exp[i])
			continue;
		if (!m->n_positive_span || slot - next > GAP_MAX) {
			open_span(w, m, slot - next);
			next = slot;
		}
		for (; next < slot; next++)
			add_slot(w, m, 0, &last);
		add_slot(w, m, h->exp[i], &last);
		next++;
	}
	m->positive_span = w->span_list;
	m->positive_delta = w->deltas;
}

/* Prometheus refuses slots that do not add up to the count, as after an allocation that failed: then there are none. */
static bool slots_add_up(const struct hist *h)
{
	uint64_t sum = h->zero;

	for (uint32_t i = 0; i < h->exp_len; i++)
		sum += h->exp[i];
	return sum == h->count;
}

static void set_native(struct writer *w, Histogram *m, const struct hist *h)
{
	if (!slots_add_up(h))
		return;
	m->has_schema = m->has_zero_threshold = m->has_zero_count = true;
	m->schema = HIST_SCALE;
	m->zero_threshold = ZERO_THRESHOLD;
	m->zero_count = h->zero;
	set_slots(w, m, h);
}

/* ------------------------------------------------------------------ metrics */

static void write_histogram(struct writer *w, Metric *m, const struct snapshot_series *s)
{
	Histogram h = IO__PROMETHEUS__CLIENT__HISTOGRAM__INIT;

	h.has_sample_count = h.has_sample_sum = true;
	h.sample_count = s->hist.count;
	h.sample_sum = s->hist.sum;
	h.created_timestamp = set_time(&w->created, s->start_ns);
	set_buckets(w, &h, s);
	set_native(w, &h, &s->hist);
	m->histogram = &h;
	append_metric(w, m);
}

static void write_counter(struct writer *w, Metric *m, const struct snapshot_series *s)
{
	Io__Prometheus__Client__Counter c = IO__PROMETHEUS__CLIENT__COUNTER__INIT;

	c.has_value = true;
	c.value = s->value;
	c.created_timestamp = set_time(&w->created, s->start_ns);
	m->counter = &c;
	append_metric(w, m);
}

static void write_gauge(struct writer *w, Metric *m, const struct snapshot_series *s)
{
	Io__Prometheus__Client__Gauge g = IO__PROMETHEUS__CLIENT__GAUGE__INIT;

	g.has_value = true;
	g.value = s->value;
	m->gauge = &g;
	append_metric(w, m);
}

static void write_series(struct writer *w, const struct metric_family *f,
			 const struct snapshot_series *s)
{
	static void (*const writers[])(struct writer *, Metric *,
				       const struct snapshot_series *) = {
		[METRIC_COUNTER] = write_counter,
		[METRIC_GAUGE] = write_gauge,
		[METRIC_HISTOGRAM] = write_histogram,
		[METRIC_INFO] = write_gauge,
	};
	Metric m = IO__PROMETHEUS__CLIENT__METRIC__INIT;

	set_labels(w, &m, f, s);
	writers[f->type](w, &m, s);
}

/* False: out of memory. */
static bool make_room(struct writer *w, const struct hist_bounds *b)
{
	size_t count = b ? b->count + 1 : 1;

	free(w->cells);
	free(w->buckets);
	free(w->exemplars);
	w->cells = calloc(count, sizeof(*w->cells));
	w->buckets = calloc(count, sizeof(*w->buckets));
	w->exemplars = calloc(count, sizeof(*w->exemplars));
	return w->cells && w->buckets && w->exemplars;
}

static void write_family(void *writer, const struct snapshot_family *f)
{
	struct writer *w = writer;

	if (!make_room(w, f->family->bounds)) {
		w->out->err = w->out->err ?: -ENOMEM;
		return;
	}
	buf_reset(&w->family);
	append_head(w, f->family);
	for (size_t i = 0; i < f->count; i++)
		write_series(w, f->family, &f->series[i]);
	append_varint(w->out, w->family.len);
	buf_append(w->out, w->family.data, w->family.len);
	if (!w->out->err)
		w->out->err = w->family.err;
}

void exposition_write_protobuf(struct buf *out, const struct snapshot *s)
{
	_cleanup_free_ struct writer *w = calloc(1, sizeof(*w));

	if (!w) {
		out->err = out->err ?: -ENOMEM;
		return;
	}
	w->out = out;
	exposition_each(s, write_family, w);
	buf_free(&w->family);
	free(w->cells);
	free(w->buckets);
	free(w->exemplars);
}
