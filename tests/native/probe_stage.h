/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stage for probes: a child plays a scene that calls known functions with known arguments, the parent probes them in the
 * child alone and looks at what the kernel side has made of it. Both map this test's own file.
 */
#ifndef TESTS_NATIVE_PROBE_STAGE_H
#define TESTS_NATIVE_PROBE_STAGE_H

#include <asm/ptrace.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "load/loader.h"

#ifdef __aarch64__
#define REG_ARG(n) offsetof(struct user_pt_regs, regs[n])
#define REG_RESULT REG_ARG(0)
#define REG_STACK  offsetof(struct user_pt_regs, sp)
#else
#define REG_ARG(n) (const int[]){ REG_OF(rdi), REG_OF(rsi), REG_OF(rdx), REG_OF(rcx) }[n]
#define REG_RESULT REG_OF(rax)
#define REG_STACK  REG_OF(rsp)
#define REG_OF(r)  offsetof(struct pt_regs, r)
#endif

#define STEP(op_, imm_)                            \
	{                                          \
		.op = TKS_PROBE_##op_, .imm = imm_ \
	}
#define LOAD(size_)                                 \
	{                                           \
		.op = TKS_PROBE_LOAD, .size = size_ \
	}
#define LOAD_SIGNED(size_)                                          \
	{                                                           \
		.op = TKS_PROBE_LOAD, .size = size_, .is_signed = 1 \
	}
#define ARG(n) STEP(REG, REG_ARG(n))
#define WITHIN(min_, max_, ...)                                                            \
	{                                                                                  \
		.steps = { __VA_ARGS__ }, .min = min_, .max = max_, .only_min = INT64_MIN, \
		.only_max = INT64_MAX                                                      \
	}
#define ONLY(min_, max_, ...)                                                                   \
	{                                                                                       \
		.steps = { __VA_ARGS__ }, .min = INT64_MIN, .max = INT64_MAX, .only_min = min_, \
		.only_max = max_                                                                \
	}
#define READ(...) WITHIN(INT64_MIN, INT64_MAX, __VA_ARGS__)

#define ACT(kind_, metric_, value_)                                            \
	{                                                                      \
		.kind = TKS_PROBE_##kind_, .metric = metric_, .value = value_, \
		.key = TKS_PROBE_NO_READ                                       \
	}
#define TIME(kind_, metric_, timer_, key_)                                                \
	{                                                                                 \
		.kind = TKS_PROBE_##kind_, .metric = metric_, .value = TKS_PROBE_NO_READ, \
		.key = key_, .timer = timer_                                              \
	}
#define NONE TKS_PROBE_NO_READ

/* One place of a play, with what is done there. The site's number is its index. */
struct probe_at {
	const void *code;
	struct tks_probe_site spec;
	bool at_return;
};

#define PROBE_EVENTS_MAX 64

struct probe_stage {
	struct loader *loader;
	bool multi;
	uint32_t group; /* another one for each play: counts begin at 0 */
	struct tks_probe_event events[PROBE_EVENTS_MAX];
	size_t n;
	pid_t child;
};

struct probe_test {
	const char *name;
	void (*run)(void **state);
};
/* Every test by each way to attach that this kernel has; initial state is the stage. Returns the number of failures. */
int probe_run_tests(const struct probe_test *tests, size_t n);

/* Where code of this program lies in its file. */
uint64_t probe_offset(const void *code);
/* Probes a child while it plays; all places must be attached. */
void probe_play(struct probe_stage *s, void (*scene)(void), const struct probe_at *at, size_t n);
#define PLAY(s, scene, at) probe_play(s, scene, at, sizeof(at) / sizeof((at)[0]))

/* The parts of probe_play, for tests that do something in between. */
pid_t probe_child(void (*scene)(void)); /* waits until it is let go */
struct probe_links *probe_attach(struct probe_stage *s, pid_t pid, const char *path,
				 const struct probe_at *at, size_t n);
void probe_child_go(void);
#define PROBE_CHILD_FD 9	   /* where the child is let go; kept over exec */
void probe_child_end(pid_t child); /* lets it end, which must be with status 0 */
void probe_read(struct probe_stage *s);

struct tks_probe_hits probe_hits(const struct probe_stage *s, uint32_t site);
/* Of this play's group. `cell` -1: all cells of the metric together. */
struct tks_probe_cell probe_cell(const struct probe_stage *s, uint32_t metric, int cell);
/* False: it was never set. */
bool probe_gauge(const struct probe_stage *s, uint32_t metric, struct tks_probe_gauge *g);
uint64_t probe_lost(const struct probe_stage *s, const char *stage);

/* ------------------------------------------------------------------ what is probed (probe_target.c) */

struct target_inner {
	uint16_t a;
	int32_t negative;
	uint8_t byte;
	int8_t small;
};
struct target_vector {
	const uint32_t *begin, *end;
};
struct target_outer {
	uint64_t pad;
	struct target_inner *inner;
	struct target_vector vector;
};
struct target_big {
	uint64_t a, b;
	int32_t c;
	uint32_t d[5];
};

void target_object(const struct target_outer *o);
void target_value(uint64_t value);
void target_value_2(uint64_t value);
void target_pair(uint64_t value, const void *object);
void target_by_value(struct target_big big);
long target_twice(long n); /* 2n, by way of target_twice_ret, its only return */
extern const char target_twice_ret[];
void target_call(void (*fn)(void)); /* calls it; its only return is target_call_ret */
extern const char target_call_ret[];
/* TARGET_MANY functions, one byte of nop and a return each */
#define TARGET_MANY 1000
#define TARGET_STEP 2
extern const char target_many[];
void target_many_call(size_t first, size_t count);

#endif
