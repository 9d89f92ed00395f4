// SPDX-License-Identifier: Apache-2.0
#include "clock.h"

#include <time.h>

#define SAMPLES 32

static uint64_t read_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t clock_monotonic_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_thread_cpu_ns(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

bool clock_offset(cupti_result (*timestamp)(uint64_t *ns), int64_t *offset)
{
	uint64_t shortest = UINT64_MAX;

	for (int i = 0; i < SAMPLES; i++) {
		uint64_t before = clock_monotonic_ns(), cupti, gap;

		if (timestamp(&cupti) != RESULT_OK)
			return false;
		gap = clock_monotonic_ns() - before;
		if (gap >= shortest)
			continue;
		shortest = gap;
		*offset = (int64_t)(before + gap / 2 - cupti);
	}
	return true;
}
