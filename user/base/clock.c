// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <time.h>

static uint64_t read_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + t.tv_nsec;
}

uint64_t clock_monotonic_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

uint64_t clock_wall_ns(uint64_t monotonic_ns)
{
	return monotonic_ns + (read_ns(CLOCK_REALTIME) - read_ns(CLOCK_MONOTONIC));
}

/* The coarse clocks advance with the tick: their resolution is TICK_NSEC (kernel/time/posix-timers.c, KTIME_LOW_RES). */
uint64_t clock_tick_ns(void)
{
	struct timespec t;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &t))
		return 0;
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + t.tv_nsec;
}
