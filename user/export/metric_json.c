// SPDX-License-Identifier: Apache-2.0
#include "export/metric_json.h"

#include <math.h>

#include "export/json_value.h"

#define SCHEMA_VERSION 1

const char *metric_type_name(enum metric_type type)
{
	static const char *const names[] = {
		[METRIC_COUNTER] = "counter",
		[METRIC_GAUGE] = "gauge",
		[METRIC_HISTOGRAM] = "histogram",
	};

	return names[type];
}

/* ------------------------------------------------------------------ catalogue */

static json_t *boundaries(const struct hist_bounds *b)
{
	json_t *list = b ? json_array() : json_null();

	for (size_t i = 0; b && i < b->count; i++)
		json_array_append_new(list, json_real(b->le[i]));
	return list;
}

json_t *metric_json_family(const struct metric_family *f)
{
	json_t *labels = json_array();

	for (size_t i = 0; i < f->label_count; i++)
		json_array_append_new(labels, json_string(f->labels[i]));
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:s}", "name", f->prom_name, "otlp_name",
			 f->otlp_name, "type", metric_type_name(f->type), "unit", f->unit, "labels",
			 labels, "boundaries", boundaries(f->bounds), "help", f->help);
}

/* ------------------------------------------------------------------ snapshot */

json_t *metric_json_hist(const struct hist *h)
{
	json_t *buckets = json_array();

	for (uint32_t i = 0; i < h->exp_len; i++)
		if (h->exp[i])
			json_array_append_new(buckets,
					      json_pack("{s:f,s:I}", "le",
							hist_upper(h->exp_first + (int32_t)i),
							"count", (json_int_t)h->exp[i]));
	return json_pack(
		"{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o}", "count", (json_int_t)h->count,
		"sum", json_number(h->sum), "min", json_number(h->min), "max", json_number(h->max),
		"p50", json_number(hist_quantile(h, 0.5)), "p90",
		json_number(hist_quantile(h, 0.9)), "p99", json_number(hist_quantile(h, 0.99)),
		"zero", (json_int_t)h->zero, "buckets", buckets);
}

json_t *metric_json_labels(const struct metric_family *f, const struct snapshot_series *s)
{
	json_t *labels = json_object();

	for (size_t i = 0; i < f->label_count; i++)
		if (s->values[i])
			json_object_set_new(labels, f->labels[i], json_string(s->values[i]));
	if (s->overflow)
		json_object_set_new(labels, "otel_metric_overflow", json_string("true"));
	return labels;
}

/* Counts stay whole however large. */
static json_t *exact(double v)
{
	return v == trunc(v) && fabs(v) < 0x1p53 ? json_integer((json_int_t)v) : json_number(v);
}

static json_t *series_json(const struct metric_family *f, const struct snapshot_series *s)
{
	json_t *o = json_object();

	json_object_set_new(o, "labels", metric_json_labels(f, s));
	json_object_set_new(o, "start", json_wall_time(s->start_ns));
	if (f->type == METRIC_HISTOGRAM)
		json_object_update_new(o, metric_json_hist(&s->hist));
	else
		json_object_set_new(o, "value", exact(s->value));
	return o;
}

static json_t *family_json(const struct snapshot_family *sf)
{
	const struct metric_family *f = sf->family;
	json_t *series = json_array();

	for (size_t i = 0; i < sf->count; i++)
		json_array_append_new(series, series_json(f, &sf->series[i]));
	return json_pack("{s:s, s:s, s:s, s:s, s:o}", "otlp_name", f->otlp_name, "type",
			 metric_type_name(f->type), "unit", f->unit, "help", f->help, "series",
			 series);
}

json_t *metric_json(const struct snapshot *s)
{
	json_t *metrics = json_object();

	for (int id = 0; id < M_MAX; id++)
		if (s->families[id].count)
			json_object_set_new(metrics, s->families[id].family->prom_name,
					    family_json(&s->families[id]));
	return json_pack("{s:i, s:o, s:o}", "schema", SCHEMA_VERSION, "time",
			 json_wall_time(s->time_ns), "metrics", metrics);
}

/* ------------------------------------------------------------------ schema */

/* What does not depend on the catalogue, put in by the assembler; built from the root of the tree. */
__asm__(".pushsection .rodata\n"
	"metric_schema_frame:\n"
	".incbin \"user/export/metric_schema.json\"\n"
	".byte 0\n"
	".popsection\n");
extern const char metric_schema_frame[];

/* The labels that a series of this family may have. */
static json_t *labels_schema(const struct metric_family *f)
{
	json_t *labels = json_object();

	for (size_t i = 0; i < f->label_count; i++)
		json_object_set_new(labels, f->labels[i], json_pack("{s:s}", "type", "string"));
	json_object_set_new(labels, "otel_metric_overflow", json_pack("{s:s}", "const", "true"));
	return json_pack("{s:s, s:b, s:o}", "type", "object", "additionalProperties", false,
			 "properties", labels);
}

static json_t *series_schema(const struct metric_family *f)
{
	json_t *series = json_pack("{s:o, s:{s:o}}", "$ref",
				   json_sprintf("#/$defs/%s", metric_type_name(f->type)),
				   "properties", "labels", labels_schema(f));

	return json_pack("{s:s, s:i, s:o}", "type", "array", "minItems", 1, "items", series);
}

static json_t *family_schema(const struct metric_family *f)
{
	return json_pack(
		"{s:s, s:s, s:[s,s,s,s,s], s:b, s:{s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}, s:o}}",
		"description", f->help, "type", "object", "required", "otlp_name", "type", "unit",
		"help", "series", "additionalProperties", false, "properties", "otlp_name", "const",
		f->otlp_name, "type", "const", metric_type_name(f->type), "unit", "const", f->unit,
		"help", "const", f->help, "series", series_schema(f));
}

json_t *metric_json_schema(void)
{
	json_t *schema = json_loads(metric_schema_frame, 0, NULL);
	json_t *metrics = json_object_get(
		json_object_get(json_object_get(schema, "properties"), "metrics"), "properties");

	for (int id = 0; id < M_MAX; id++)
		json_object_set_new(metrics, metric_family(id)->prom_name,
				    family_schema(metric_family(id)));
	return schema;
}
