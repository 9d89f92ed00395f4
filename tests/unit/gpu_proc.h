/* SPDX-License-Identifier: Apache-2.0 */
/* A /proc of a test's own, in which NVIDIA's driver lists its GPUs. */
#ifndef TESTS_GPU_PROC_H
#define TESTS_GPU_PROC_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "folder.h"

struct gpu_proc {
	char path[64];
};

static inline void gpu_proc_open(struct gpu_proc *p)
{
	strcpy(p->path, "/tmp/tokscope-gpu-XXXXXX");
	assert_non_null(mkdtemp(p->path));
}

/* address: "0000:01:00.0"; information: the file's text. */
static inline void gpu_proc_list(const struct gpu_proc *p, const char *address,
				 const char *information)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "mkdir -p %s/driver/nvidia/gpus/%s", p->path, address);
	assert_int_equal(system(path), 0);
	snprintf(path, sizeof(path), "%s/driver/nvidia/gpus/%s/information", p->path, address);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(information, f);
	fclose(f);
}

static inline void gpu_proc_close(const struct gpu_proc *p)
{
	assert_int_equal(folder_remove(p->path), 0);
}

#endif
