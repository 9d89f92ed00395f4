// SPDX-License-Identifier: Apache-2.0
#include "gpu/memory.h"

#include <stdlib.h>
#include <utlist.h>

#include "gpu/process_rows.h"

/* Two million torch segments would fit no GPU; a server has some thousand. */
#define MAX_OBJECTS_DEFAULT 65536

/* Handles of clients are unique on the machine, those of other objects in their client. */
struct handle {
	uint32_t client;
	uint32_t object; /* the client itself: its own handle */
};

struct usage {
	struct gpu_usage row; /* first: gpu_memory_next() hands it out */
	UT_hash_handle hh;
};

/* Video memory and who refers to it, oldest first. */
struct block {
	uint64_t bytes;
	uint32_t gpu;
	struct object *holders;
	struct usage *charged; /* NULL: no memory for the row */
};

struct object {
	struct process_row of; /* clients: who made it */
	struct handle handle;
	UT_hash_handle hh;
	struct object *client; /* that it is in; a client: itself */
	struct object *parent, *children;
	struct object *prev, *next;   /* among its parent's children */
	struct object *older, *newer; /* among its block's holders */
	struct block *block;
	uint64_t file; /* clients */
	uint32_t gpu;  /* devices, and what is below them */
};

struct gpu_memory {
	size_t max_objects;
	struct object *objects;
	struct process_rows *processes; /* clients of each */
	struct usage *usage;
	struct gpu_memory_stats stats;
};

struct gpu_memory *gpu_memory_new(const struct gpu_memory_config *config)
{
	struct gpu_memory *m = calloc(1, sizeof(*m));

	if (m)
		m->max_objects = config->max_objects ? config->max_objects : MAX_OBJECTS_DEFAULT;
	return m;
}

static struct object *find(const struct gpu_memory *m, uint32_t client, uint32_t object)
{
	struct handle handle = { client, object };
	struct object *o;

	HASH_FIND(hh, m->objects, &handle, sizeof(handle), o);
	return o;
}

/* A number from user memory: what is no device of this machine is not believed. */
static uint32_t plausible_gpu(uint32_t gpu)
{
	return gpu < TKS_GPU_MAX ? gpu : TKS_GPU_UNKNOWN;
}

/* ------------------------------------------------------------------ who pays */

static struct usage *usage_get(struct gpu_memory *m, uint32_t tgid, uint32_t gpu)
{
	uint32_t key[2] = { tgid, gpu };
	struct usage *u;

	HASH_FIND(hh, m->usage, key, sizeof(key), u);
	if (u)
		return u;
	u = calloc(1, sizeof(*u));
	if (u) {
		u->row.tgid = tgid;
		u->row.gpu = gpu;
		HASH_ADD_KEYPTR(hh, m->usage, &u->row.tgid, sizeof(key), u);
	}
	if (u && u->hh.tbl)
		return u;
	free(u);
	m->stats.no_memory++;
	return NULL;
}

/* After any change of its holders. */
static void block_charge(struct gpu_memory *m, struct block *b)
{
	if (b->charged)
		b->charged->row.bytes -= b->bytes;
	b->charged = NULL;
	if (!b->holders) {
		free(b);
		return;
	}
	b->charged = usage_get(m, b->holders->client->of.process->tgid, b->gpu);
	if (b->charged)
		b->charged->row.bytes += b->bytes;
}

static void block_hold(struct gpu_memory *m, struct block *b, struct object *o)
{
	o->block = b;
	DL_APPEND2(b->holders, o, older, newer);
	block_charge(m, b);
}

static void block_release(struct gpu_memory *m, struct object *o)
{
	struct block *b = o->block;

	o->block = NULL;
	DL_DELETE2(b->holders, o, older, newer);
	block_charge(m, b);
}

/* ------------------------------------------------------------------ the tree */

static void object_delete(struct gpu_memory *m, struct object *leaf)
{
	if (leaf->block)
		block_release(m, leaf);
	if (leaf->parent)
		DL_DELETE(leaf->parent->children, leaf);
	if (leaf->of.process)
		process_rows_unlink(&m->processes, &leaf->of);
	HASH_DEL(m->objects, leaf);
	free(leaf);
}

/* Leaves first. Not by recursion: the depth is the traced process's choice. */
static void tree_delete(struct gpu_memory *m, struct object *root)
{
	struct object *o = root;

	for (;;) {
		struct object *parent;
		bool last;

		while (o->children)
			o = o->children;
		parent = o->parent;
		last = o == root;
		object_delete(m, o);
		if (last)
			return;
		o = parent;
	}
}

static struct object *object_add(struct gpu_memory *m, uint32_t client, uint32_t object)
{
	struct object *o = find(m, client, object);

	if (o) /* its end was not seen: the driver does not give out a handle twice */
		tree_delete(m, o);
	if (HASH_COUNT(m->objects) >= m->max_objects) {
		m->stats.refused++;
		return NULL;
	}
	o = calloc(1, sizeof(*o));
	if (o) {
		o->handle = (struct handle){ client, object };
		o->gpu = TKS_GPU_UNKNOWN;
		HASH_ADD(hh, m->objects, handle, sizeof(o->handle), o);
	}
	if (o && o->hh.tbl)
		return o;
	free(o);
	m->stats.no_memory++;
	return NULL;
}

static struct object *client_add(struct gpu_memory *m, const struct tks_gpu *r)
{
	struct object *o = object_add(m, r->client, r->client);

	if (!o)
		return NULL;
	o->client = o;
	o->file = r->file;
	if (process_rows_link(&m->processes, r->h.tgid, &o->of))
		return o;
	object_delete(m, o);
	m->stats.no_memory++;
	return NULL;
}

/* A client older than the agent is made when something is made in it. */
static struct object *client_get(struct gpu_memory *m, const struct tks_gpu *r)
{
	struct object *o = find(m, r->client, r->client);

	return o ? o : client_add(m, r);
}

/* Below its parent, or where that is not followed below its client. */
static struct object *child_add(struct gpu_memory *m, const struct tks_gpu *r)
{
	struct object *client = client_get(m, r), *parent, *o;

	if (!client || r->object == r->client)
		return NULL;
	o = object_add(m, r->client, r->object);
	if (!o)
		return NULL;
	parent = find(m, r->client, r->parent);
	if (!parent || parent == o)
		parent = client;
	o->client = client;
	o->parent = parent;
	o->gpu = parent->gpu;
	DL_APPEND(parent->children, o);
	return o;
}

uint32_t gpu_memory_gpu(const struct gpu_memory *m, const struct tks_gpu *r)
{
	const struct object *parent = find(m, r->client, r->parent);

	if (parent && parent->gpu != TKS_GPU_UNKNOWN)
		return parent->gpu;
	return plausible_gpu(r->gpu);
}

/* ------------------------------------------------------------------ records */

static void on_memory(struct gpu_memory *m, const struct tks_gpu *r)
{
	struct object *o = child_add(m, r);
	struct block *b;

	if (!o)
		return;
	b = calloc(1, sizeof(*b));
	if (!b) {
		m->stats.no_memory++;
		return;
	}
	b->bytes = r->bytes;
	b->gpu = gpu_memory_gpu(m, r);
	block_hold(m, b, o);
}

static void on_alloc(struct gpu_memory *m, const struct tks_gpu *r)
{
	struct object *o;

	switch (r->kind) {
	case TKS_GPU_KIND_CLIENT:
		client_add(m, r);
		break;
	case TKS_GPU_KIND_DEVICE:
		o = child_add(m, r);
		if (o)
			o->gpu = plausible_gpu(r->gpu);
		break;
	case TKS_GPU_KIND_SUBDEVICE:
		child_add(m, r);
		break;
	case TKS_GPU_KIND_VIDMEM:
		on_memory(m, r);
		break;
	}
}

static void on_free(struct gpu_memory *m, const struct tks_gpu *r)
{
	struct object *o = find(m, r->client, r->object);

	if (o)
		tree_delete(m, o);
}

/* Only memory is followed. Its source may be in a client that is not: then nothing is known of it. */
static void on_dup(struct gpu_memory *m, const struct tks_gpu *r)
{
	struct object *source = find(m, r->source_client, r->source_object), *o;
	struct block *b = source ? source->block : NULL;

	if (!b || (r->client == r->source_client && r->object == r->source_object))
		return;
	o = child_add(m, r);
	/* What the new handle stood for may have been above the source: then the block is gone. */
	source = find(m, r->source_client, r->source_object);
	if (o && source && source->block == b)
		block_hold(m, b, o);
}

/* Any process may have closed it, the last that had it. */
static void file_closed(struct gpu_memory *m, uint64_t file)
{
	struct process_rows *p, *next_process;
	struct process_row *row, *next;

	HASH_ITER(hh, m->processes, p, next_process) {
		for (row = p->oldest; row; row = next) {
			struct object *client = (struct object *)row;

			next = row->next;
			if (client->file == file)
				tree_delete(m, client);
		}
	}
}

void gpu_memory_record(struct gpu_memory *m, const struct tks_gpu *r)
{
	if (r->event == TKS_GPU_CLOSE) {
		file_closed(m, r->file);
		return;
	}
	if (r->ret < 0 || r->status)
		return;
	switch (r->event) {
	case TKS_GPU_ALLOC:
		on_alloc(m, r);
		break;
	case TKS_GPU_FREE:
		on_free(m, r);
		break;
	case TKS_GPU_DUP:
		on_dup(m, r);
		break;
	}
}

void gpu_memory_process_gone(struct gpu_memory *m, uint32_t tgid)
{
	const struct process_rows *p;
	struct usage *u, *next;

	while ((p = process_rows_find(m->processes, tgid)))
		tree_delete(m, (struct object *)p->oldest);
	HASH_ITER(hh, m->usage, u, next) {
		if (u->row.tgid != tgid)
			continue;
		HASH_DEL(m->usage, u);
		free(u);
	}
}

bool gpu_allocation_failed(const struct tks_gpu *r)
{
	return r->event == TKS_GPU_ALLOC && (r->ret < 0 || r->status) &&
	       (r->kind == TKS_GPU_KIND_VIDMEM || r->kind == TKS_GPU_KIND_SYSMEM);
}

const struct gpu_usage *gpu_memory_next(const struct gpu_memory *m, const struct gpu_usage *row)
{
	const struct usage *u = row ? ((const struct usage *)row)->hh.next : m->usage;

	return u ? &u->row : NULL;
}

void gpu_memory_get_stats(const struct gpu_memory *m, struct gpu_memory_stats *stats)
{
	*stats = m->stats;
	stats->objects = HASH_COUNT(m->objects);
}

void gpu_memory_free(struct gpu_memory *m)
{
	struct usage *u, *next;

	if (!m)
		return;
	while (m->objects)
		tree_delete(m, m->objects);
	HASH_ITER(hh, m->usage, u, next) {
		HASH_DEL(m->usage, u);
		free(u);
	}
	free(m);
}
