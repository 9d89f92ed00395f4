// SPDX-License-Identifier: Apache-2.0
/*
 * GPU records in any order, with handles, sizes and trees that a traced process chooses: each step of the input is one
 * record of 8 bytes. Sums stay those of the memory that is held, objects stay bounded, and nothing outlives its process.
 */
#include "fuzz.h"

#include "gpu/memory.h"

#define STEP_BYTES  8
#define PROCESSES   3
#define OBJECTS_MAX 12

static struct tks_gpu record_of(const uint8_t *b)
{
	return (struct tks_gpu){
		.h = { .tgid = 1 + b[1] % PROCESSES },
		.file = b[1] / PROCESSES % 4,
		.event = b[0] % 6,
		.kind = b[0] / 6 % 7,
		.client = b[2] % 5,
		.parent = b[3] % 8,
		.object = b[4] % 8,
		.source_client = b[5] % 5,
		.source_object = b[5] / 5 % 8,
		.gpu = b[6] % 4 ? b[6] % 40 : TKS_GPU_UNKNOWN,
		.bytes = b[7],
		.status = b[6] == 255 ? 0x51 : 0,
	};
}

static void check(const struct gpu_memory *m, uint64_t granted)
{
	const struct gpu_usage *row = NULL;
	struct gpu_memory_stats stats;
	uint64_t sum = 0;

	while ((row = gpu_memory_next(m, row))) {
		fuzz_check(row->gpu < TKS_GPU_MAX || row->gpu == TKS_GPU_UNKNOWN);
		fuzz_check(row->tgid >= 1 && row->tgid <= PROCESSES);
		sum += row->bytes;
	}
	gpu_memory_get_stats(m, &stats);
	fuzz_check(sum <= granted);
	fuzz_check(stats.objects <= OBJECTS_MAX);
	fuzz_check(stats.no_memory == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct gpu_memory_config config = { .max_objects = OBJECTS_MAX };
	struct gpu_memory *m = gpu_memory_new(&config);
	struct gpu_memory_stats stats;
	uint64_t granted = 0;

	for (; len >= STEP_BYTES; data += STEP_BYTES, len -= STEP_BYTES) {
		struct tks_gpu r = record_of(data);

		if (data[0] == 255) {
			gpu_memory_process_gone(m, r.h.tgid);
		} else {
			granted += r.event == TKS_GPU_ALLOC && !gpu_allocation_failed(&r) ? r.bytes
											  : 0;
			gpu_memory_record(m, &r);
		}
		check(m, granted);
	}
	for (uint32_t tgid = 1; tgid <= PROCESSES; tgid++)
		gpu_memory_process_gone(m, tgid);
	gpu_memory_get_stats(m, &stats);
	fuzz_check(stats.objects == 0 && !gpu_memory_next(m, NULL));
	gpu_memory_free(m);
	return 0;
}
