/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics as JSON, for people's scripts: the catalogue, a snapshot, and the schema that describes it. Each returns a new
 * reference.
 */
#ifndef EXPORT_METRIC_JSON_H
#define EXPORT_METRIC_JSON_H

#include <jansson.h>

#include "metric/registry.h"

/* What the catalogue says of a family: names, type, unit, labels, boundaries (null: no histogram), help. */
json_t *metric_json_family(const struct metric_family *f);
/* {"count":..,"sum":..,"min":..,"max":..,"p50":..,"p90":..,"p99":..,"zero":..,"buckets":[{"le":..,"count":..}]} */
json_t *metric_json_hist(const struct hist *h);
/* The labels of one series that are not absent. */
json_t *metric_json_labels(const struct metric_family *f, const struct snapshot_series *s);
/*
 * {"schema":1,"time":..,"metrics":{"tokscope_requests_total":{"otlp_name":..,"type":..,"unit":..,"help":..,
 *  "series":[{"labels":{..},"start":..,"value":..}]}}}; a histogram has the keys of metric_json_hist() for its value. Families
 * without a series are not there.
 */
json_t *metric_json(const struct snapshot *s);
/* The JSON Schema (draft 2020-12) of what metric_json() makes. */
json_t *metric_json_schema(void);

const char *metric_type_name(enum metric_type type); /* "counter", "gauge", "histogram" */

#endif
