// SPDX-License-Identifier: Apache-2.0
/*
 * What it costs a process to tell of GPU work as libtokscope_cupti.so does: of one record, by how many are told in one hit, and
 * of a probe that nobody listens to. Probes itself; prints a JSON object, for each case an array with a value a round, in ns.
 *
 * usage: cupti_cost [ROUNDS]      needs root
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cost.h"
#include "load/loader.h"

#define ROUNDS 9 /* unless told otherwise */
/* At once, before they are read: of the largest batch 1 MiB, a quarter of the ring. */
#define HITS  128
#define TURNS 20
#define IDLE  20000000

/* A probe as the library has it. */
__asm__(".text\n"
	"place:	nop\n	ret\n");
void place(const struct tks_cupti_record *records, uint64_t count, uint64_t version);
static volatile unsigned short semaphore __attribute__((section(".probes")));

static struct tks_cupti_record records[TKS_CUPTI_BATCH];

static double ns_per_record(struct loader *l, uint32_t batch)
{
	uint64_t ns = 0;

	for (int turn = 0; turn < TURNS; turn++) {
		uint64_t start = clock_monotonic_ns();

		for (int i = 0; i < HITS; i++)
			place(records, batch, TKS_CUPTI_VERSION);
		ns += clock_monotonic_ns() - start;
		if (loader_consume(l) != HITS)
			die("records were lost");
	}
	return (double)ns / TURNS / HITS / batch;
}

static double ns_when_idle(void)
{
	uint64_t start = clock_monotonic_ns();

	for (int i = 0; i < IDLE; i++)
		if (semaphore)
			place(records, 1, TKS_CUPTI_VERSION);
	return (double)(clock_monotonic_ns() - start) / IDLE;
}

static void on_record(void *ctx, const struct tks_header *h)
{
	(void)ctx;
	(void)h;
}

static struct cupti_links *attach(struct loader *l)
{
	const struct uprobe_place places[CUPTI_PROBES] = {
		[CUPTI_PROBE_ACTIVITY] = { .offset = offset_of((uintptr_t)place),
					   .semaphore = offset_of((uintptr_t)&semaphore) }
	};
	struct cupti_links *links = loader_cupti_attach(l, getpid(), "/proc/self/exe", places,
							1u << CUPTI_PROBE_ACTIVITY);

	if (!links)
		die("attach");
	return links;
}

int main(int argc, char **argv)
{
	static const uint32_t batches[] = { 1, 8, 32, 64, TKS_CUPTI_BATCH };
	const struct loader_ops ops = { .record = on_record };
	const struct loader_config config = { 0 };
	int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS;
	struct loader *l = loader_new(&config, &ops, NULL);
	struct cupti_links *links;

	if (!l)
		die("loading");
	memset(records, 1, sizeof(records));
	printf("{\"idle\":");
	for (int r = 0; r < rounds; r++)
		printf("%s%.2f", r ? "," : "[", ns_when_idle());
	links = attach(l);
	for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++) {
		printf("],\"%" PRIu32 "\":", batches[i]);
		for (int r = 0; r < rounds; r++)
			printf("%s%.2f", r ? "," : "[", ns_per_record(l, batches[i]));
	}
	puts("]}");
	loader_cupti_detach(links);
	loader_free(l);
	return 0;
}
