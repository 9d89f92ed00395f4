// SPDX-License-Identifier: Apache-2.0
#include "cli/gpu_reserved.h"

#include <stdlib.h>

static struct reserved *find(struct reserved *all, const struct server *s, uint32_t gpu)
{
	const struct reserved_key key = { s->id, gpu };
	struct reserved *r;

	HASH_FIND(hh, all, &key, sizeof(key), r);
	return r;
}

static struct reserved *get(struct reserved **all, const struct server *s, uint32_t gpu)
{
	struct reserved *r = find(*all, s, gpu);

	if (r)
		return r;
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->key = (struct reserved_key){ s->id, gpu };
	r->server = s;
	HASH_ADD(hh, *all, key, sizeof(r->key), r);
	if (r->hh.tbl)
		return r;
	free(r);
	return NULL;
}

struct reserved *reserved_new(const struct gpu_memory *m, reserved_owner_fn owner, const void *ctx)
{
	const struct gpu_usage *row = NULL;
	struct reserved *all = NULL;

	while ((row = gpu_memory_next(m, row))) {
		const struct server *s = owner(ctx, row->tgid);
		struct reserved *r = s ? get(&all, s, row->gpu) : NULL;

		if (!s)
			continue;
		if (!r) { /* no sum rather than one that lacks somebody */
			reserved_free(&all);
			return NULL;
		}
		r->bytes += row->bytes;
		r->processes++;
	}
	return all;
}

const struct reserved *reserved_find(const struct reserved *all, const struct server *s,
				     uint32_t gpu)
{
	return find((struct reserved *)all, s, gpu);
}

void reserved_free(struct reserved **all)
{
	struct reserved *r, *next;

	HASH_ITER(hh, *all, r, next) {
		HASH_DEL(*all, r);
		free(r);
	}
}
