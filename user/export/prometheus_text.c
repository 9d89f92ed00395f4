// SPDX-License-Identifier: Apache-2.0
/*
 * One walk for both text formats. They differ in the name of a counter's or info's family (OpenMetrics leaves the suffix
 * off), the UNIT line, the escaping of HELP, the exemplars, the `_created` samples and the `# EOF`.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "export/number.h"
#include "export/prometheus_format.h"

static const struct {
	const char *text, *openmetrics;
	const char *suffix; /* of the sample name, not part of an OpenMetrics family name */
} types[] = {
	[METRIC_COUNTER] = { "counter", "counter", "_total" },
	[METRIC_GAUGE] = { "gauge", "gauge", "" },
	[METRIC_HISTOGRAM] = { "histogram", "histogram", "" },
	[METRIC_INFO] = { "gauge", "info", "_info" },
};

struct writer {
	struct buf *out;
	bool openmetrics;
	const struct metric_family *family;
	size_t base_len; /* of prom_name without the type's suffix */
	struct buf
		le; /* the family's boundaries as text, each with its NUL: formatted once, used by every series */
	struct buf labels; /* of the series at hand, without braces */
};

/* Backslash and newline are escaped everywhere, the quote where `quote` says so. */
static void write_escaped(struct buf *out, const char *s, bool quote)
{
	const char *special = quote ? "\\\n\"" : "\\\n";

	for (;;) {
		size_t n = strcspn(s, special);

		buf_append(out, s, n);
		s += n;
		if (!*s)
			return;
		buf_puts(out, *s == '\n' ? "\\n" : *s == '"' ? "\\\"" : "\\\\");
		s++;
	}
}

static void write_metadata(struct writer *w, const char *keyword, const char *text)
{
	buf_puts(w->out, "# ");
	buf_puts(w->out, keyword);
	buf_append(w->out, " ", 1);
	buf_append(w->out, w->family->prom_name,
		   w->openmetrics ? w->base_len : strlen(w->family->prom_name));
	buf_append(w->out, " ", 1);
	write_escaped(w->out, text, w->openmetrics);
	buf_append(w->out, "\n", 1);
}

static void write_head(struct writer *w)
{
	const struct metric_family *f = w->family;
	const char *unit = w->openmetrics ? exposition_unit(f, types[f->type].suffix) : NULL;

	write_metadata(w, "HELP", f->help);
	write_metadata(w, "TYPE",
		       w->openmetrics ? types[f->type].openmetrics : types[f->type].text);
	if (unit)
		write_metadata(w, "UNIT", unit);
}

static void write_label(struct buf *out, const char *name, const char *value)
{
	if (out->len)
		buf_append(out, ",", 1);
	buf_puts(out, name);
	buf_append(out, "=\"", 2);
	write_escaped(out, value, true);
	buf_append(out, "\"", 1);
}

static void make_labels(struct writer *w, const struct snapshot_series *s)
{
	buf_reset(&w->labels);
	if (s->overflow)
		write_label(&w->labels, "otel_metric_overflow", "true");
	for (size_t i = 0; i < w->family->label_count; i++)
		if (s->values[i])
			write_label(&w->labels, w->family->labels[i], s->values[i]);
}

/* Name and labels of one sample, and the blank before its value. le: NULL for none. */
static void open_sample(struct writer *w, size_t name_len, const char *suffix, const char *le)
{
	struct buf *out = w->out;

	buf_append(out, w->family->prom_name, name_len);
	buf_puts(out, suffix);
	if (w->labels.len || le) {
		buf_append(out, "{", 1);
		buf_append(out, w->labels.data, w->labels.len);
	}
	if (le) {
		buf_puts(out, w->labels.len ? ",le=\"" : "le=\"");
		buf_puts(out, le);
		buf_append(out, "\"", 1);
	}
	buf_puts(out, w->labels.len || le ? "} " : " ");
}

static void write_count(struct writer *w, const char *suffix, const char *le, uint64_t count)
{
	open_sample(w, w->base_len, suffix, le);
	number_write_u64(w->out, count);
}

/* Seconds since the epoch, to the millisecond. */
static void write_time(struct buf *out, uint64_t time_ns)
{
	buf_printf(out, "%" PRIu64 ".%03u", (uint64_t)(time_ns / NSEC_PER_SEC),
		   (unsigned int)(time_ns % NSEC_PER_SEC / NSEC_PER_MSEC));
}

/* 63 characters of names and ids: of the 128 that OpenMetrics allows. */
static void write_exemplar(struct buf *out, const struct exemplar *e)
{
	buf_printf(out, " # {trace_id=\"%s\",span_id=\"%s\"} ", e->trace_id, e->span_id);
	number_write(out, e->value);
	buf_append(out, " ", 1);
	write_time(out, e->time_ns);
}

static void write_histogram(struct writer *w, const struct snapshot_series *s)
{
	const struct exemplar *e = w->openmetrics ? s->exemplars : NULL;
	const struct hist *h = &s->hist;
	const char *le = w->le.data;
	uint64_t cumulative = 0;

	for (size_t i = 0; i <= h->bounds->count && le; i++) {
		cumulative += h->classic[i];
		write_count(w, "_bucket", le, cumulative);
		if (e && *e[i].trace_id)
			write_exemplar(w->out, &e[i]);
		buf_append(w->out, "\n", 1);
		le += strlen(le) + 1;
	}
	write_count(w, "_count", NULL, h->count);
	buf_append(w->out, "\n", 1);
	open_sample(w, w->base_len, "_sum", NULL);
	number_write(w->out, h->sum);
	buf_append(w->out, "\n", 1);
}

static void write_value(struct writer *w, double value)
{
	open_sample(w, strlen(w->family->prom_name), "", NULL);
	number_write(w->out, value);
	buf_append(w->out, "\n", 1);
}

static void write_created(struct writer *w, uint64_t start_ns)
{
	open_sample(w, w->base_len, "_created", NULL);
	write_time(w->out, start_ns);
	buf_append(w->out, "\n", 1);
}

static void write_series(struct writer *w, const struct snapshot_series *s)
{
	enum metric_type type = w->family->type;

	make_labels(w, s);
	if (type == METRIC_HISTOGRAM)
		write_histogram(w, s);
	else
		write_value(w, s->value);
	if (w->openmetrics && (type == METRIC_HISTOGRAM || type == METRIC_COUNTER))
		write_created(w, s->start_ns);
}

static void make_le(struct writer *w)
{
	const struct hist_bounds *b = w->family->bounds;

	buf_reset(&w->le);
	for (size_t i = 0; b && i <= b->count; i++) {
		number_write_le(&w->le, i < b->count ? b->le[i] : INFINITY);
		buf_append(&w->le, "", 1);
	}
}

static void write_family(void *writer, const struct snapshot_family *f)
{
	struct writer *w = writer;

	w->family = f->family;
	w->base_len = strlen(f->family->prom_name) - strlen(types[f->family->type].suffix);
	make_le(w);
	write_head(w);
	for (size_t i = 0; i < f->count; i++)
		write_series(w, &f->series[i]);
}

static void write_all(struct writer *w, const struct snapshot *s)
{
	exposition_each(s, write_family, w);
	if (!w->out->err)
		w->out->err = w->le.err ?: w->labels.err;
	buf_free(&w->le);
	buf_free(&w->labels);
}

void exposition_write_text(struct buf *out, const struct snapshot *s)
{
	write_all(&(struct writer){ .out = out }, s);
}

void exposition_write_openmetrics(struct buf *out, const struct snapshot *s)
{
	write_all(&(struct writer){ .out = out, .openmetrics = true }, s);
	buf_puts(out, "# EOF\n");
}
