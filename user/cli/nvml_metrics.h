/* SPDX-License-Identifier: Apache-2.0 */
/* What NVML tells of the GPUs, as metrics of the registry: hw.*, clocks, Xids, and the join to dcgm-exporter's series. */
#ifndef CLI_NVML_METRICS_H
#define CLI_NVML_METRICS_H

#include "cli/config.h"
#include "metric/registry.h"

struct nvml_metrics;

/* NULL with errno; ENOENT: not wanted. */
struct nvml_metrics *nvml_metrics_new(struct registry *r, const struct config *c);
void nvml_metrics_free(struct nvml_metrics *m);
/* About once a second (now_ns: CLOCK_MONOTONIC): all but tokscope_gpu_info. NULL: does nothing. */
void nvml_metrics_update(struct nvml_metrics *m, uint64_t now_ns);
/* Does it tell which GPUs there are (tokscope_gpu_info)? Also when NVML has been read once, and is not any more. */
bool nvml_metrics_told(const struct nvml_metrics *m);
/* After each update, and after whoever else told tokscope_gpu_info has taken that back: it may be the same series. */
void nvml_metrics_tell_info(struct nvml_metrics *m);

#endif
