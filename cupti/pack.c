// SPDX-License-Identifier: Apache-2.0
#include "pack.h"

/* CUPTI's own overheads are numbered in the upper half (CUPTI_ACTIVITY_OVERHEAD_CUPTI_BUFFER_FLUSH = 1 << 16). */
#define OVERHEAD_OF_CUPTI 16

/* What all work of a device has. */
#define WORK(r)                                                                                   \
	.device = (uint16_t)(r)->device, .correlation = (r)->correlation, .start_ns = (r)->start, \
	.end_ns = (r)->end, .stream = (r)->stream, .context = (r)->context
#define NODE(r) .graph_node = (r)->graph_node, .graph = (r)->graph

/* Without its name, which takes a table. */
static struct tks_cupti_record pack_kernel(const void *record)
{
	const struct activity_kernel *k = record;
	uint64_t blocks =
		(uint64_t)(uint32_t)k->grid[0] * (uint32_t)k->grid[1] * (uint32_t)k->grid[2];

	return (struct tks_cupti_record){
		.kind = TKS_CUPTI_KERNEL, WORK(k), NODE(k), .bytes = blocks
	};
}

static struct tks_cupti_record pack_graph(const void *record)
{
	const struct activity_graph *g = record;

	return (struct tks_cupti_record){ .kind = TKS_CUPTI_GRAPH, WORK(g), .graph = g->graph };
}

static struct tks_cupti_record pack_memcpy(const void *record)
{
	const struct activity_memcpy *m = record;

	return (struct tks_cupti_record){
		.kind = TKS_CUPTI_MEMCPY, .sub = m->copy_kind, WORK(m), NODE(m), .bytes = m->bytes
	};
}

static struct tks_cupti_record pack_memcpy_peer(const void *record)
{
	const struct activity_memcpy_peer *m = record;

	return (struct tks_cupti_record){
		.kind = TKS_CUPTI_MEMCPY, .sub = m->copy_kind, WORK(m), .bytes = m->bytes
	};
}

static struct tks_cupti_record pack_memset(const void *record)
{
	const struct activity_memset *m = record;

	return (struct tks_cupti_record){
		.kind = TKS_CUPTI_MEMSET, WORK(m), NODE(m), .bytes = m->bytes
	};
}

static struct tks_cupti_record pack_launch(const void *record)
{
	const struct activity_api *a = record;

	return (struct tks_cupti_record){ .kind = TKS_CUPTI_LAUNCH,
					  .correlation = a->correlation,
					  .start_ns = a->start,
					  .end_ns = a->end,
					  .tid = a->thread,
					  .cbid = a->cbid };
}

static struct tks_cupti_record pack_overhead(const void *record)
{
	const struct activity_overhead *o = record;
	uint32_t of_cupti = o->overhead_kind >> OVERHEAD_OF_CUPTI;

	return (struct tks_cupti_record){ .kind = TKS_CUPTI_OVERHEAD,
					  .sub = of_cupti < UINT8_MAX ? (uint8_t)of_cupti : 0,
					  .start_ns = o->start,
					  .end_ns = o->end };
}

static const struct packer {
	uint32_t kind;
	uint32_t size; /* of what is read */
	struct tks_cupti_record (*pack)(const void *record);
} packers[] = {
	{ KIND_CONCURRENT_KERNEL, sizeof(struct activity_kernel), pack_kernel },
	{ KIND_KERNEL, sizeof(struct activity_kernel), pack_kernel },
	{ KIND_GRAPH_TRACE, sizeof(struct activity_graph), pack_graph },
	{ KIND_MEMCPY, sizeof(struct activity_memcpy), pack_memcpy },
	{ KIND_MEMCPY_PEER, sizeof(struct activity_memcpy_peer), pack_memcpy_peer },
	{ KIND_MEMSET, sizeof(struct activity_memset), pack_memset },
	{ KIND_DRIVER, sizeof(struct activity_api), pack_launch },
	{ KIND_OVERHEAD, sizeof(struct activity_overhead), pack_overhead },
};

static const struct packer *packer_of(uint32_t kind)
{
	for (size_t i = 0; i < sizeof(packers) / sizeof(*packers); i++)
		if (packers[i].kind == kind)
			return &packers[i];
	return NULL;
}

/* A time of 0 is "unknown"; CUPTI writes such, and reversed ones, when its device buffers run out. */
static bool possible(const struct tks_cupti_record *r)
{
	return r->start_ns && r->end_ns >= r->start_ns;
}

/* One record with `room` bytes from its beginning to the end of what is written. False: nothing to tell. */
static bool pack_one(struct pack *p, const struct activity *record, size_t room,
		     struct tks_cupti_record *out)
{
	const struct packer *packer = packer_of(record->kind);

	if (!packer || room < packer->size) {
		p->unknown++;
		return false;
	}
	*out = packer->pack(record);
	if (!possible(out)) {
		p->invalid++;
		return false;
	}
	if (out->kind == TKS_CUPTI_KERNEL)
		out->name = names_id(p->names, ((const struct activity_kernel *)record)->name);
	if (out->kind == TKS_CUPTI_OVERHEAD)
		p->overhead_ns += out->end_ns - out->start_ns;
	out->start_ns += (uint64_t)p->clock_offset;
	out->end_ns += (uint64_t)p->clock_offset;
	return true;
}

static void tell(struct pack *p, const struct tks_cupti_record *records, uint32_t count)
{
	if (!count)
		return;
	p->records += count;
	p->tell(records, count);
}

void pack_buffer(struct pack *p, uint8_t *buffer, size_t valid)
{
	struct tks_cupti_record batch[TKS_CUPTI_BATCH];
	struct activity *record = NULL;
	uint32_t count = 0;
	size_t from = 0;
	cupti_result result;

	while ((result = p->next(buffer, valid, &record)) == RESULT_OK) {
		size_t at = (uintptr_t)record - (uintptr_t)buffer;

		if (at < from || at > valid || valid - at < sizeof(*record) || at % 8) {
			p->unknown++;
			break;
		}
		count += pack_one(p, record, valid - at, &batch[count]);
		if (count == TKS_CUPTI_BATCH) {
			tell(p, batch, count);
			count = 0;
		}
		from = at + sizeof(*record);
	}
	p->unknown += result != RESULT_OK &&
		      result != RESULT_END; /* 11.8 says 999 of an unknown kind, later ones 21 */
	tell(p, batch, count);
}
