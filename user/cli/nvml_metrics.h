/* SPDX-License-Identifier: Apache-2.0 */
/* What NVML tells of the GPUs, as metrics of the registry: hw.*, clocks, Xids, and the join to dcgm-exporter's series. */
#ifndef CLI_NVML_METRICS_H
#define CLI_NVML_METRICS_H

#include "cli/config.h"
#include "load/loader.h"
#include "metric/registry.h"

struct nvml_metrics;

/* NULL with errno; ENOENT: not wanted. */
struct nvml_metrics *nvml_metrics_new(struct registry *r, const struct config *c);
void nvml_metrics_free(struct nvml_metrics *m);
/* About once a second. NULL: does nothing. */
void nvml_metrics_update(struct nvml_metrics *m);
/* Does it tell which GPUs there are (tokscope_gpu_info)? */
bool nvml_metrics_told(const struct nvml_metrics *m);

/* The line of `feature probe`. */
void nvml_feature(struct feature *row);

#endif
