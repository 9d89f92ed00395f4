// SPDX-License-Identifier: Apache-2.0
/*
 * One walk for both formats. They differ in the name of a counter's or info's family (OpenMetrics leaves the suffix
 * off), the UNIT line, the escaping of HELP, the `_created` samples and the `# EOF`.
 */
#include "export/prometheus.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "export/number.h"

/* Exposition only: a gauge in the text format. */
#define METRIC_INFO (METRIC_HISTOGRAM + 1)

static const struct {
	const char *text, *openmetrics;
	const char *suffix; /* of the sample name, not part of an OpenMetrics family name */
} types[] = {
	[METRIC_COUNTER] = { "counter", "counter", "_total" },
	[METRIC_GAUGE] = { "gauge", "gauge", "" },
	[METRIC_HISTOGRAM] = { "histogram", "histogram", "" },
	[METRIC_INFO] = { "gauge", "info", "_info" },
};

/* UCUM unit -> the word that ends the family name (OpenMetrics 1.0.0, "UNIT"). */
static const struct {
	const char *ucum, *word;
} units[] = {
	{ "s", "seconds" },
	{ "By", "bytes" },
	{ "1", "ratio" },
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

/* The agent itself; series of observed servers carry their identity as labels. */
static const struct metric_family target_info = {
	.prom_name = "target_info",
	.unit = "",
	.help = "The agent that exposes these metrics.",
	.type = (enum metric_type)METRIC_INFO,
	.labels = { "service_name", "service_version" },
	.label_count = 2,
};
static const char *const target_values[] = { "tokscope", TOKSCOPE_VERSION };

static const char *unit_word(const char *ucum)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(ucum, units[i].ucum))
			return units[i].word;
	return NULL;
}

static bool ends_in_word(const char *name, size_t len, const char *word)
{
	size_t n = strlen(word);

	return len > n && name[len - n - 1] == '_' && !memcmp(name + len - n, word, n);
}

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
	const char *word = unit_word(f->unit);

	write_metadata(w, "HELP", f->help);
	write_metadata(w, "TYPE",
		       w->openmetrics ? types[f->type].openmetrics : types[f->type].text);
	if (w->openmetrics && word && ends_in_word(f->prom_name, w->base_len, word))
		write_metadata(w, "UNIT", word);
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
	buf_append(w->out, "\n", 1);
}

static void write_histogram(struct writer *w, const struct hist *h)
{
	const char *le = w->le.data;
	uint64_t cumulative = 0;

	for (size_t i = 0; i <= h->bounds->count && le; i++) {
		cumulative += h->classic[i];
		write_count(w, "_bucket", le, cumulative);
		le += strlen(le) + 1;
	}
	write_count(w, "_count", NULL, h->count);
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

/* Seconds since the epoch, to the millisecond. */
static void write_created(struct writer *w, uint64_t start_ns)
{
	open_sample(w, w->base_len, "_created", NULL);
	buf_printf(w->out, "%" PRIu64 ".%03u\n", (uint64_t)(start_ns / NSEC_PER_SEC),
		   (unsigned int)(start_ns % NSEC_PER_SEC / NSEC_PER_MSEC));
}

static void write_series(struct writer *w, const struct snapshot_series *s)
{
	enum metric_type type = w->family->type;

	make_labels(w, s);
	if (type == METRIC_HISTOGRAM)
		write_histogram(w, &s->hist);
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

static void write_family(struct writer *w, const struct snapshot_family *f)
{
	if (!f->count)
		return;
	w->family = f->family;
	w->base_len = strlen(f->family->prom_name) - strlen(types[f->family->type].suffix);
	make_le(w);
	write_head(w);
	for (size_t i = 0; i < f->count; i++)
		write_series(w, &f->series[i]);
}

void exposition_write(struct buf *out, enum exposition e, const struct snapshot *s)
{
	struct writer w = { .out = out, .openmetrics = e == EXPOSITION_OPENMETRICS };
	struct snapshot_series target = { .values = target_values, .value = 1 };

	write_family(&w, &(struct snapshot_family){ &target_info, &target, 1 });
	for (int id = 0; id < M_MAX; id++)
		write_family(&w, &s->families[id]);
	if (w.openmetrics)
		buf_puts(out, "# EOF\n");
	if (!out->err)
		out->err = w.le.err ? w.le.err : w.labels.err;
	buf_free(&w.le);
	buf_free(&w.labels);
}
