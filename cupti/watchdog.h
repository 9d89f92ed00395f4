/* SPDX-License-Identifier: Apache-2.0 */
/* When the library must end by itself: CUPTI has had leaks and runaway threads in many releases. Pure. */
#ifndef WATCHDOG_H
#define WATCHDOG_H

#include <stdint.h>

#include "tks_cupti.h"

#define WATCHDOG_WINDOW_NS 10000000000ull
/* Rounds are half a second apart. Of a longer gap, in which the process stood still, no more than this was watched. */
#define WATCHDOG_GAP_MAX_NS 2000000000ull
/* Fewer than these in a window say nothing about their share. */
#define WATCHDOG_INVALID_MIN 1000

/* What is looked at every round. All but spare_bytes only grow. */
struct watchdog_reading {
	uint64_t time_ns;
	uint64_t records, invalid;
	uint64_t spare_bytes; /* now */
	uint64_t refused;     /* buffers */
	uint64_t cpu_ns;
	uint64_t failed_flushes;
};

struct watchdog {
	struct watchdog_reading start, last; /* of this window */
	uint64_t refusing_ns;		     /* of this window */
};

/* TKS_CUPTI_REASON_NONE: all is well. Memory is judged at once, the rest at the end of a window. */
enum tks_cupti_reason watchdog_check(struct watchdog *w, const struct watchdog_reading *now);

#endif
