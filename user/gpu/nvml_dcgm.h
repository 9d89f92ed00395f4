/* SPDX-License-Identifier: Apache-2.0 */
/* Does NVIDIA's dcgm-exporter run on this host? It reads the same GPUs; one reader is enough. */
#ifndef GPU_NVML_DCGM_H
#define GPU_NVML_DCGM_H

#include <stdbool.h>

/* proc: "/proc". By its process's name, or by who listens on its port in our network namespace. */
bool dcgm_exporter_runs(const char *proc);

#endif
