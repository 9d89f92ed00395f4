/* SPDX-License-Identifier: Apache-2.0 */
/* A stage for GPU driver calls: a child process calls, the parent (which is the agent here) selects it and reads. */
#ifndef TESTS_NATIVE_GPU_STAGE_H
#define TESTS_NATIVE_GPU_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "load/loader.h"

#define GPU_RECORDS_MAX 64
#define GPU_NODE	"/dev/nvidia0"
#define GPU_CTL		"/dev/nvidiactl"
/* Handles that the scenes use. */
#define CLIENT 0xc1d00001
#define DEVICE 0x5c000001
#define MEMORY 0x5c000002

struct gpu_stage {
	struct loader *loader;
	struct tks_gpu records[GPU_RECORDS_MAX];
	size_t n;
};

/* Is the fake driver of tests/vm loaded? A real one is left in peace. */
bool gpu_fake_loaded(void);
/* For a loader made by hand: keeps in the struct gpu_stage that is its ctx. */
extern const struct loader_ops gpu_ops;
/* NULL with errno set: this machine has not that hook. `stage` receives what the loader reads. */
struct loader *gpu_load(enum gpu_hook hook, uint32_t nvidia, uint32_t uvm, struct gpu_stage *stage);
/* Plays the scene in a process that is selected, or not, and reads what was recorded. */
void gpu_play(struct gpu_stage *s, void (*scene)(void), bool selected);
/* A failure counter. */
uint64_t gpu_lost(const struct gpu_stage *s, const char *label);
bool gpu_has_program(const struct loader *l, const char *name);

/* The kernel's histograms as sums over their cells. */
struct gpu_tally {
	uint64_t count[TKS_GPU_DEVICES][TKS_GPU_COMMANDS];
	uint64_t failed[TKS_GPU_DEVICES][TKS_GPU_COMMANDS];
	uint64_t all, sum_ns;
};
void gpu_tally(const struct gpu_stage *s, struct gpu_tally *t);

/* ------------------------------------------------------------------ for scenes */

int gpu_open(const char *node);
/* ioctl with a struct of that size. */
int gpu_call(int fd, unsigned int nr, void *arg, size_t size);
void put32(void *arg, size_t offset, uint32_t value);
void put64(void *arg, size_t offset, uint64_t value);
/* The head of RM_ALLOC: NVOS21, or NVOS64. */
void fill_alloc(void *arg, uint32_t object, uint32_t class_number, const void *params);
/* RM_ALLOC of NV01_MEMORY_LOCAL_USER. */
void alloc_memory(int fd, uint32_t flags, uint32_t attr, uint64_t bytes, uint32_t status);

#endif
