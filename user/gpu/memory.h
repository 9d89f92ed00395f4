/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Video memory that processes have reserved through driver calls, by process and GPU.
 *
 * A driver keeps a tree of objects for each client; freeing one frees all below it. Memory that was duplicated lives
 * until its last reference goes, and is counted once, for the process whose reference is the oldest. The sum is a lower
 * bound: what was reserved before the process was traced, and what the driver takes for itself (page tables, contexts,
 * managed memory), is not in it.
 */
#ifndef GPU_MEMORY_H
#define GPU_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tks_gpu.h"

struct gpu_memory_config {
	size_t max_objects; /* 0: 65536 */
};

struct gpu_memory;

struct gpu_memory *gpu_memory_new(const struct gpu_memory_config *config); /* NULL: out of memory */
void gpu_memory_free(struct gpu_memory *m);

/* One record, in ring order, whose `gpu` is whatever number the caller goes by, below TKS_GPU_MAX. */
void gpu_memory_record(struct gpu_memory *m, const struct tks_gpu *r);
/* The process has ended, or is not traced any more: its clients, objects and usage are forgotten. */
void gpu_memory_process_gone(struct gpu_memory *m, uint32_t tgid);

/* Did this record report memory that was refused? */
bool gpu_allocation_failed(const struct tks_gpu *r);
/* The GPU that the record is about, as far as the objects seen so far tell; else TKS_GPU_UNKNOWN. */
uint32_t gpu_memory_gpu(const struct gpu_memory *m, const struct tks_gpu *r);

/* A process and a GPU on which it has, or has had, memory. */
struct gpu_usage {
	uint32_t tgid;
	uint32_t gpu; /* as the records had it, or TKS_GPU_UNKNOWN */
	uint64_t bytes;
};
/* Iterates: NULL begins, and is the end. The row is valid until the next change. */
const struct gpu_usage *gpu_memory_next(const struct gpu_memory *m, const struct gpu_usage *row);

struct gpu_memory_stats {
	uint64_t objects; /* now */
	uint64_t refused; /* objects not followed because there were max_objects */
	uint64_t no_memory;
};
void gpu_memory_get_stats(const struct gpu_memory *m, struct gpu_memory_stats *stats);

#endif
