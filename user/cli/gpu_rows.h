/* SPDX-License-Identifier: Apache-2.0 */
/* What each GPU does, from the metrics of a session: the rows of `tokscope gpu show`. */
#ifndef CLI_GPU_ROWS_H
#define CLI_GPU_ROWS_H

#include "gpu/activity.h"

#define GPU_ROWS_MAX	  64
#define GPU_PROCESSES_MAX 64

/* One GPU or MIG instance; sums over servers, since the session began, or in a second. */
struct gpu_row {
	char gpu[GPU_INDEX_MAX], uuid[GPU_UUID_MAX + 1]; /* uuid "": not known */
	double busy_s, kernels[KERNEL_CLASSES], graphs, bytes[MEMCPY_KINDS];
	double reserved; /* bytes now; -1: not known */
	uint32_t processes[GPU_PROCESSES_MAX];
	size_t process_count;
};

struct gpu_rows {
	struct gpu_row rows[GPU_ROWS_MAX];
	size_t count;
	uint64_t time_ns; /* CLOCK_MONOTONIC */
};

void gpu_rows_take(struct gpu_rows *s, const struct snapshot *snap, const struct devices *d,
		   uint64_t now_ns);
/* Row i of `now`: what has come since `before` becomes what comes in a second. */
struct gpu_row gpu_rows_rate(const struct gpu_rows *now, const struct gpu_rows *before, size_t i);

#endif
