/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CUDA program with libtokscope_cupti.so injected, made of fakes: each scenario is a process of its own, because a process
 * loads the library once. LIBRARY and FAKES (a folder) are set by the Makefile.
 */
#ifndef TESTS_CUPTI_WORLD_H
#define TESTS_CUPTI_WORLD_H

#include <stdio.h>
#include <unistd.h>

#include "fake_cupti.h"
#include "sink.h"

/* In a scenario's process, where cmocka's asserts cannot be used. */
#define check(condition)                                                                \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			_exit(1);                                                       \
		}                                                                       \
	} while (0)

/* Of fake_cupti's `enabled`. */
#define BIT(kind) (UINT64_C(1) << (kind))

/* The library looks around twice a second; the deadline is for a hang. */
#define eventually(condition)                                              \
	do {                                                               \
		for (int looks = 0; !(condition) && looks < 6000; looks++) \
			usleep(5000);                                      \
		check(condition);                                          \
	} while (0)

struct world {
	struct fake_cupti *cupti;
	bool (*record)(const void *record, size_t size, bool always);
	int (*init)(unsigned int flags);
	struct sink *sink;
};

/* Loads the fakes. The environment and w->cupti may be set between the two. */
void world_open(struct world *w, bool with_cupti);
void world_inject(struct world *w);

/* Attaches to all probes but `release`, and waits until records are made. */
void world_listen(struct world *w);

/* Attaches to `status` anew, upon which it is told again. */
struct tks_cupti_status world_status(struct world *w);

uint64_t world_realtime_ns(void);
uint64_t world_monotonic_ns(void);

/* CLOCK_MONOTONIC, the library's too: time passes without waiting, or only so. */
void world_pass(uint32_t seconds);
void world_stop_time(void);

/* Records as the device makes them, of 1000 ns each from `start` on (CUPTI's clock). */
bool world_kernel(struct world *w, uint32_t correlation, uint64_t start, const char *name);
bool world_memcpy(struct world *w, uint32_t correlation, uint64_t start, uint64_t bytes);
bool world_memset(struct world *w, uint32_t correlation, uint64_t start, uint64_t bytes);
bool world_graph(struct world *w, uint32_t correlation, uint64_t start);
bool world_launch(struct world *w, uint32_t correlation, uint64_t start, uint32_t thread);
bool world_overhead(struct world *w, uint32_t kind, uint64_t start);

/* cmocka's main part: each scenario is a process, which must end with status 0. */
struct scenario {
	const char *name;
	void (*run)(struct world *w);
};
int scenarios_run(const struct scenario *scenarios, size_t count);

#define SCENARIO(name)      \
	{                   \
#name, name \
	}

#endif
