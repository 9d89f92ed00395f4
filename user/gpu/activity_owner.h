/* SPDX-License-Identifier: Apache-2.0 */
/* The server that a process belongs to, as series are labelled: S of metrics.def. */
#ifndef GPU_ACTIVITY_OWNER_H
#define GPU_ACTIVITY_OWNER_H

#include <stdint.h>

#define OWNER_LABELS 7

struct activity_owner {
	uint32_t id; /* of the server; 0: none is known */
	const char *labels[OWNER_LABELS];
	char port[12]; /* for labels[] to point to */
};

/* Fills *out, which is zeroed; its texts must live until the next call. */
typedef void (*activity_owner_fn)(void *ctx, uint32_t tgid, struct activity_owner *out);

#endif
