// SPDX-License-Identifier: Apache-2.0
/*
 * The real libcupti as oracle, without a GPU: records made from NVIDIA's own structs, walked by NVIDIA's own iterator, read by
 * cupti/pack.c. KERNEL and so on are as in abi_check.c. Exit status 1 and a line for what differs.
 *
 * usage: oracle LIBCUPTI [another library whose iterator must do the same]
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include <cupti.h>

#include "pack.h"

#define ROUNDS 50 /* more than one batch */
#define KINDS  8

static struct tks_cupti_record told[ROUNDS * KINDS + 1];
static uint32_t count, wrong;
static struct names names;

static void tell(const struct tks_cupti_record *records, uint32_t n)
{
	memcpy(told + count, records, n * sizeof(*records));
	count += n;
}

#define expect(condition)                                            \
	do {                                                         \
		if (!(condition)) {                                  \
			printf("round %u: %s\n", round, #condition); \
			wrong++;                                     \
		}                                                    \
	} while (0)

#define ADD(type, ...)                                            \
	do {                                                      \
		*(type *)(buffer + used) = (type){ __VA_ARGS__ }; \
		used += sizeof(type);                             \
	} while (0)

#define TIMES .start = 1000 + round, .end = 3000 + 2 * round
#define WHERE .deviceId = 1, .contextId = 2, .streamId = 3, .correlationId = round

/* One of each kind, with a kind between them that pack.c does not know. */
static size_t add_round(uint8_t *buffer, uint32_t round)
{
	size_t used = 0;

	ADD(KERNEL, .kind = CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, TIMES, WHERE, .gridX = 7,
	    .gridY = 2, .gridZ = 3, .name = "_Z4gemmPf", .graphNodeId = 11, .graphId = 12);
	ADD(MEMCPY, .kind = CUPTI_ACTIVITY_KIND_MEMCPY, TIMES, WHERE,
	    .copyKind = CUPTI_ACTIVITY_MEMCPY_KIND_DTOH, .bytes = 4096, .graphNodeId = 13,
	    .graphId = 14);
	ADD(CUpti_ActivitySynchronization, .kind = CUPTI_ACTIVITY_KIND_SYNCHRONIZATION, TIMES);
	used += SYNCHRONIZATION_SIZE - sizeof(CUpti_ActivitySynchronization);
	ADD(MEMCPY_PEER, .kind = CUPTI_ACTIVITY_KIND_MEMCPY2, TIMES, WHERE,
	    .copyKind = CUPTI_ACTIVITY_MEMCPY_KIND_PTOP, .bytes = 99);
	ADD(MEMSET, .kind = CUPTI_ACTIVITY_KIND_MEMSET, TIMES, WHERE, .bytes = 512,
	    .graphNodeId = 15, .graphId = 16);
	ADD(GRAPH, .kind = CUPTI_ACTIVITY_KIND_GRAPH_TRACE, TIMES, WHERE, .graphId = 17);
	ADD(CUpti_ActivityAPI, .kind = CUPTI_ACTIVITY_KIND_DRIVER, TIMES,
	    .cbid = CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel, .threadId = 18, .correlationId = round);
	ADD(OVERHEAD, .kind = CUPTI_ACTIVITY_KIND_OVERHEAD, TIMES,
	    .overheadKind = CUPTI_ACTIVITY_OVERHEAD_CUPTI_INSTRUMENTATION);
	return used;
}

static void check_work(const struct tks_cupti_record *r, uint32_t round)
{
	expect(r->device == 1 && r->context == 2 && r->stream == 3 && r->correlation == round);
}

static void check_round(const struct tks_cupti_record *r, uint32_t round)
{
	for (int i = 0; i < 7; i++)
		expect(r[i].start_ns == 1000 + round && r[i].end_ns == 3000 + 2 * round);
	for (int i = 0; i < 5; i++)
		check_work(&r[i], round);
	expect(r[0].kind == TKS_CUPTI_KERNEL && r[0].bytes == 42 && r[0].name == 1);
	expect(r[0].graph_node == 11 && r[0].graph == 12);
	expect(r[1].kind == TKS_CUPTI_MEMCPY && r[1].sub == TKS_CUPTI_DTOH && r[1].bytes == 4096);
	expect(r[1].graph_node == 13 && r[1].graph == 14);
	expect(r[2].kind == TKS_CUPTI_MEMCPY && r[2].sub == TKS_CUPTI_PTOP && r[2].bytes == 99);
	expect(r[3].kind == TKS_CUPTI_MEMSET && r[3].bytes == 512);
	expect(r[3].graph_node == 15 && r[3].graph == 16);
	expect(r[4].kind == TKS_CUPTI_GRAPH && r[4].graph == 17);
	expect(r[5].kind == TKS_CUPTI_LAUNCH && r[5].cbid == 307 && r[5].tid == 18 &&
	       r[5].correlation == round);
	expect(r[6].kind == TKS_CUPTI_OVERHEAD && r[6].sub == 2);
}

/* 13.4 answers nothing at all where there is no driver; 13.0 Update 1 is the last that was seen to. */
static bool needs_a_gpu(const struct pack *p)
{
	static uint32_t kernel[256] = { KIND_CONCURRENT_KERNEL };
	struct activity *record = NULL;

	return CUPTI_API_VERSION > 130001 &&
	       p->next((uint8_t *)kernel, sizeof(kernel), &record) == RESULT_UNKNOWN;
}

static void check_library(const char *path)
{
	static uint8_t buffer[ROUNDS * 2048] __attribute__((aligned(8)));
	struct pack p = { .tell = tell, .names = &names };
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	size_t used = 0;
	uint32_t round = 0;

	if (library)
		*(void **)&p.next = dlsym(library, "cuptiActivityGetNextRecord");
	if (!p.next) {
		printf("%s: %s\n", path, dlerror());
		wrong++;
		return;
	}
	if (needs_a_gpu(&p)) {
		printf("%s walks no buffer without a GPU; ", strrchr(path, '/') + 1);
		return;
	}
	for (round = 0; round < ROUNDS; round++)
		used += add_round(buffer + used, round);
	count = 0;
	pack_buffer(&p, buffer, used);
	expect(count == ROUNDS * 7 && p.unknown == ROUNDS && !p.invalid);
	for (round = 0; round < ROUNDS && count == ROUNDS * 7; round++)
		check_round(&told[round * 7], round);
	p.unknown = count = 0;
	pack_buffer(&p, buffer, 100); /* the first record is cut off */
	expect(!count);
	*(uint32_t *)buffer = 9999; /* a kind that CUPTI does not know either */
	pack_buffer(&p, buffer, used);
	expect(!count && p.unknown >= 1 &&
	       p.unknown <= 2); /* the first record is handed out unseen by some */
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		check_library(argv[i]);
	printf("CUPTI %d: %d libraries, %u differences\n", CUPTI_API_VERSION, argc - 1, wrong);
	return wrong != 0 || argc < 2;
}
