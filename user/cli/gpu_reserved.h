/* SPDX-License-Identifier: Apache-2.0 */
/* Reserved video memory by server and GPU: the processes of a server together, as pids are no labels. */
#ifndef CLI_GPU_RESERVED_H
#define CLI_GPU_RESERVED_H

#include "base/keyed_hash.h"
#include "discover/server.h"
#include "gpu/memory.h"

struct reserved {
	struct reserved_key {
		uint32_t server; /* id */
		uint32_t gpu;
	} key;
	const struct server *server;
	uint64_t bytes;
	size_t processes; /* that have, or have had, memory there */
	UT_hash_handle hh;
};

typedef const struct server *(*reserved_owner_fn)(const void *ctx, uint32_t tgid);

/* A uthash by key, to be freed. owner: asked once of each row. NULL: there is nothing, or no memory. */
struct reserved *reserved_new(const struct gpu_memory *m, reserved_owner_fn owner, const void *ctx);
const struct reserved *reserved_find(const struct reserved *all, const struct server *s,
				     uint32_t gpu);
void reserved_free(struct reserved **all);

#endif
