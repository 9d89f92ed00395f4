/* SPDX-License-Identifier: Apache-2.0 */
/* Families and series as people name and read them. */
#ifndef CLI_METRIC_TEXT_H
#define CLI_METRIC_TEXT_H

#include "metric/registry.h"

/* "stage=decode  tokscope_server=llama.cpp ...", the family's own labels first. To be freed; NULL: out of memory. */
char *metric_labels_text(const struct metric_family *f, const struct snapshot_series *s);
/* By its OTLP or Prometheus name; M_MAX after saying that there is none, and which is near. */
enum metric_id metric_choose(const char *name);

#endif
