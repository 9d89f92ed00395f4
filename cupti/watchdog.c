// SPDX-License-Identifier: Apache-2.0
#include "watchdog.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct window {
	uint64_t invalid_permille, spare_bytes, seconds_refusing, cpu_permille, failed_flushes;
};

static const struct limit {
	enum tks_cupti_reason reason;
	size_t reading;
	uint64_t most;
} limits[] = {
#define LIMIT(reason, reading, most) \
	{ TKS_CUPTI_REASON_##reason, offsetof(struct window, reading), most },
#include "watchdog_limits.def"
#undef LIMIT
};

static uint64_t permille(uint64_t part, uint64_t whole)
{
	return whole ? part * 1000 / whole : 0;
}

static struct window measure(const struct watchdog *w, const struct watchdog_reading *now)
{
	const struct watchdog_reading *start = &w->start;
	uint64_t invalid = now->invalid - start->invalid;

	return (struct window){
		.invalid_permille =
			invalid < WATCHDOG_INVALID_MIN
				? 0
				: permille(invalid, now->records - start->records + invalid),
		.spare_bytes = now->spare_bytes,
		.seconds_refusing = w->refusing_ns / 1000000000,
		.cpu_permille =
			permille(now->cpu_ns - start->cpu_ns, now->time_ns - start->time_ns),
		.failed_flushes = now->failed_flushes - start->failed_flushes,
	};
}

static enum tks_cupti_reason breach(const struct window *window)
{
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		const struct limit *l = &limits[i];

		if (*(const uint64_t *)((const char *)window + l->reading) > l->most)
			return l->reason;
	}
	return TKS_CUPTI_REASON_NONE;
}

enum tks_cupti_reason watchdog_check(struct watchdog *w, const struct watchdog_reading *now)
{
	struct window window;
	uint64_t gap_ns;
	bool ended;

	if (!w->start.time_ns)
		w->start = w->last = *now;
	gap_ns = now->time_ns - w->last.time_ns;
	if (now->refused != w->last.refused)
		w->refusing_ns += gap_ns < WATCHDOG_GAP_MAX_NS ? gap_ns : WATCHDOG_GAP_MAX_NS;
	w->last = *now;
	ended = now->time_ns - w->start.time_ns >= WATCHDOG_WINDOW_NS;
	window = ended ? measure(w, now) : (struct window){ .spare_bytes = now->spare_bytes };
	if (ended)
		*w = (struct watchdog){ .start = *now, .last = *now };
	return breach(&window);
}
