/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GPUs as NVIDIA's management library tells of them. It is looked for, loaded and called on a thread of its own, again every
 * minute where it is not there (the driver may come later), and not where dcgm-exporter runs, which reads the same GPUs. A
 * call that hangs holds up that thread and nothing else. GPUs are read again when it returns: where one of them has failed the
 * driver waits 45 s for it (Xid 119), and an agent that was stopped for a while has been away from its calls.
 */
#ifndef GPU_NVML_H
#define GPU_NVML_H

#include <stdbool.h>
#include <stdint.h>

#include "gpu/nvml_sample.h"

struct nvml_config {
	bool always;	      /* also beside dcgm-exporter; and it is told where there is no NVML */
	const char *path;     /* the library or its folder; NULL: see nvml_library_open() */
	uint64_t interval_ns; /* between two looks; above 0 */
	const char *proc;     /* "/proc" */
};

struct nvml;

/* The texts must live as long as it does. NULL with errno. */
struct nvml *nvml_new(const struct nvml_config *config);
/* Waits for the thread for a second; one that hangs in the driver is left behind. */
void nvml_free(struct nvml *n);

/*
 * What is new since the last call, owned by the caller; NULL: nothing. When a call hangs at now_ns (CLOCK_MONOTONIC), this is
 * logged and counted, and an unread sample is the last one until that call has returned.
 */
struct nvml_sample *nvml_take(struct nvml *n, uint64_t now_ns);

#define NVML_DETAIL_MAX 128
/*
 * For `feature probe`: can GPUs be read here, and how many or why not. A process of its own calls NVML: one whose call never
 * returns cannot be killed, nor can a process of which it is a thread.
 */
bool nvml_probe(const struct nvml_config *config, char detail[NVML_DETAIL_MAX]);
/* The same on this thread, which may hang in it; watch tells another where. */
bool nvml_probe_here(const struct nvml_config *config, struct nvml_watch *watch,
		     char detail[NVML_DETAIL_MAX]);

#endif
