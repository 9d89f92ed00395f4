/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durations of GPU driver calls: what the kernel has counted (cumulative, cell by cell) becomes what is new since the
 * last look, as histograms and counts of failures in the registry.
 */
#ifndef GPU_LATENCY_H
#define GPU_LATENCY_H

#include "metric/registry.h"
#include "tks_gpu.h"

struct gpu_latency;

struct gpu_latency *gpu_latency_new(struct registry *r); /* NULL: out of memory */
void gpu_latency_free(struct gpu_latency *l);

/*
 * One cell as it is now. Exponential slots are exact; for the classic buckets all of a cell's values are taken to be
 * their mean, so one is off by a slot at most, and the sum is right. A cell that finds no memory is told again later.
 */
void gpu_latency_cell(struct gpu_latency *l, const struct tks_gpu_cell_key *key,
		      const struct tks_gpu_cell *now);

#endif
