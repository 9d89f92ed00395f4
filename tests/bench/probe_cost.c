// SPDX-License-Identifier: Apache-2.0
/*
 * What one hit of a probe costs, by the class of the instruction under it and by what is done there. Probes itself; prints a
 * JSON object, for each case an array with a value a round: ns per call with the probe minus ns without it, measured right
 * before and after each other.
 *
 * usage: probe_cost [ROUNDS]      needs root
 */
#include <asm/ptrace.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "cost.h"
#include "load/loader.h"

#define ROUNDS 9 /* unless told otherwise */
#define CALLS  20000

#ifdef __x86_64__
#define ARG offsetof(struct pt_regs, rdi)

/* Never a 5-byte nop: design.md 4. */
__asm__(".text\n"
	"under_push:	push %rbp\n	pop %rbp\n	ret\n"
	"under_nop:	nop\n	ret\n"
	"under_endbr64:	endbr64\n	ret\n"
	"under_mov:	mov %rdi, %rax\n	ret\n"
	"under_ret:	ret\n");
#else
#error "write these functions for this architecture"
#endif

extern char under_push[], under_nop[], under_endbr64[], under_mov[], under_ret[];

static const struct {
	const char *name;
	const char *code;
} classes[] = {
	{ "push", under_push }, { "nop", under_nop }, { "endbr64", under_endbr64 },
	{ "mov", under_mov },	{ "ret", under_ret },
};

#define NUMBER(offset_)                                                                 \
	{                                                                               \
		.steps = { { .op = TKS_PROBE_REG, .imm = ARG },                         \
			   { .op = TKS_PROBE_ADD, .imm = offset_ },                     \
			   { .op = TKS_PROBE_LOAD, .size = 4 } },                       \
		.min = 0, .max = 1 << 20, .only_min = INT64_MIN, .only_max = INT64_MAX, \
	}

static const struct {
	const char *name;
	struct tks_probe_site spec;
} specs[] = {
	{ "nothing", { 0 } },
	{ "a counter",
	  { .actions = 1, .action = { { .kind = TKS_PROBE_COUNT, .value = TKS_PROBE_NO_READ } } } },
	{ "2 reads, 2 histograms",
	  { .reads = 2,
	    .actions = 2,
	    .read = { NUMBER(0), NUMBER(4) },
	    .action = { { .kind = TKS_PROBE_HISTOGRAM, .value = 0, .metric = 1 },
			{ .kind = TKS_PROBE_HISTOGRAM, .value = 1, .metric = 2 } } } },
};

static double ns_per_call(const char *code)
{
	static const uint32_t numbers[2] = { 4, 512 };
	void (*call)(const uint32_t *) = (void (*)(const uint32_t *))(uintptr_t)code;
	uint64_t start = clock_monotonic_ns();

	for (int i = 0; i < CALLS; i++)
		call(numbers);
	return (double)(clock_monotonic_ns() - start) / CALLS;
}

/* What the probe adds. Loader and site are the caller's. */
static double one_round(struct loader *l, const char *code)
{
	const struct probe_place place = { .offset = offset_of((uintptr_t)code), .site = 0 };
	double without = ns_per_call(code), with;
	struct probe_links *links;
	int attached;

	links = loader_probes_attach(l, getpid(), 1, "/proc/self/exe", &place, 1, &attached);
	if (!links)
		die("attach");
	with = ns_per_call(code);
	loader_probes_detach(links);
	return with - without;
}

int main(int argc, char **argv)
{
	const size_t n_specs = sizeof(specs) / sizeof(specs[0]);
	const size_t n = sizeof(classes) / sizeof(classes[0]) * n_specs;
	const struct loader_config config = { .ring_bytes = 1 };
	const struct loader_ops none = { 0 };
	int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS;
	struct loader *l = loader_new(&config, &none, NULL);

	if (!l || !loader_probes_supported(l))
		die("probes");
	for (size_t i = 0; i < n; i++) {
		const char *code = classes[i / n_specs].code;

		if (loader_probe_site(l, 0, &specs[i % n_specs].spec))
			die("spec");
		printf("%s\"%s, %s\":", i ? "," : "{", classes[i / n_specs].name,
		       specs[i % n_specs].name);
		for (int r = 0; r < rounds; r++)
			printf("%s%.1f", r ? "," : "[", one_round(l, code));
		printf("]");
		fflush(stdout);
	}
	puts("}");
	loader_free(l);
	return 0;
}
