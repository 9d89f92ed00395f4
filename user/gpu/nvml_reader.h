/* SPDX-License-Identifier: Apache-2.0 */
/* One look at all GPUs through NVML. For the thread of nvml.c, which alone may hang in it. */
#ifndef GPU_NVML_READER_H
#define GPU_NVML_READER_H

#include <stdint.h>

#include "gpu/nvml_call.h"
#include "gpu/nvml_sample.h"

/* Keeps what it has counted from one start to the next. */
struct nvml_reader {
	struct nvml_caller caller; /* its watch is not owned */
	nvml_event_set events;	   /* NULL: no Xid is told of */
	struct nvml_known *known;  /* GPUs that Xids are asked for */
	unsigned int known_count;
	struct nvml_xid *xids;
	unsigned int xid_count;
};

/* Begins to use the library, which is the reader's from now on. 0, or NVML's status (> 0). */
int nvml_reader_start(struct nvml_reader *r, const struct nvml_api *api);
/* Ends it, the library included. */
void nvml_reader_stop(struct nvml_reader *r);
/* And everything it has counted. */
void nvml_reader_free(struct nvml_reader *r);

/* A new sample, or NULL with errno ENOMEM, or EIO: NVML answers no more, and is to be started anew. */
struct nvml_sample *nvml_reader_read(struct nvml_reader *r);
/* As the driver says it, "550.163.01"; "" where it does not. */
void nvml_reader_driver(struct nvml_reader *r, char version[NVML_TEXT_SIZE]);

#endif
