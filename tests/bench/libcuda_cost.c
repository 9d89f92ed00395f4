// SPDX-License-Identifier: Apache-2.0
/*
 * What the probes of the pack `cuda` add to one call of a real libcuda: on the function's first instruction, and where the
 * resolver puts them. Probes itself; prints a JSON object, for each case an array with a value a round: ns per call with the
 * probes minus ns without them, measured right before and after each other.
 *
 * usage: libcuda_cost LIBRARY [ROUNDS]      needs root; without a GPU, which none of the calls gets to
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cost.h"
#include "load/loader.h"
#include "probe/pack.h"

#define ROUNDS 9 /* unless told otherwise */
#define CALLS  5000

typedef int (*function_t)(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t);

/* One of each kind; the last has only a return probe more than the third. */
static const struct {
	const char *api, *symbol;
	bool with_return;
} cases[] = {
	{ "cuLaunchKernel", "cuLaunchKernel", false },
	{ "cuGraphLaunch", "cuGraphLaunch", false },
	{ "cuStreamSynchronize", "cuStreamSynchronize", false },
	{ "cuStreamSynchronize", "cuStreamSynchronize", true },
	{ "cuMemAlloc", "cuMemAlloc_v2", true },
	{ "cuMemcpyAsync", "cuMemcpyAsync", true },
};

struct bench {
	const char *path;
	void *library;
	struct binary *binary;
	struct loader *loader;
	const struct pack *pack;
	int rounds;
};

static const struct pack_probe *probe_named(const struct pack *pack, const char *api,
					    const char *suffix)
{
	char name[2 * PACK_NAME_MAX];

	snprintf(name, sizeof(name), "%s%s", api, suffix);
	for (size_t i = 0; i < pack->probe_count; i++)
		if (!strcmp(pack->probes[i].name, name))
			return &pack->probes[i];
	die(name);
	return NULL;
}

static void set_spec(const struct bench *b, uint32_t number, const struct pack_probe *p,
		     const struct site *s)
{
	struct tks_probe_site spec;

	if (pack_site_spec(p, s, &spec) || loader_probe_site(b->loader, number, &spec))
		die("spec");
}

static double ns_per_call(function_t f)
{
	uint64_t start = clock_monotonic_ns();

	for (int i = 0; i < CALLS; i++)
		f(0, 0, 0, 0, 0, 0);
	return (double)(clock_monotonic_ns() - start) / CALLS;
}

/* What the probes at `offset` add. Their specs are those of sites 0 and 1. */
static double one_round(const struct bench *b, function_t f, uint64_t offset, size_t count)
{
	const struct probe_place places[] = {
		{ .offset = offset, .site = 0 },
		{ .offset = offset, .site = 1, .at_return = true },
	};
	double without = ns_per_call(f), with;
	struct probe_links *links;
	int attached[2];

	links = loader_probes_attach(b->loader, getpid(), 1, b->path, places, count, attached);
	if (!links || attached[0] || (count > 1 && attached[1]))
		die("attach");
	with = ns_per_call(f);
	loader_probes_detach(links);
	return with - without;
}

static void print_rounds(const struct bench *b, size_t number, const char *where, uint64_t offset)
{
	bool with_return = cases[number].with_return;
	function_t f;

	*(void **)&f = dlsym(b->library, cases[number].symbol);
	if (!f)
		die(cases[number].symbol);
	printf("\"%s%s, %s\":", cases[number].api, with_return ? " and its return" : "", where);
	for (int r = 0; r < b->rounds; r++)
		printf("%s%.1f", r ? "," : "[", one_round(b, f, offset, 1 + with_return));
	printf("]");
	fflush(stdout);
}

static void run_case(const struct bench *b, size_t number)
{
	const struct target t = { .kind = TARGET_SYMBOL, .pattern = cases[number].symbol };
	struct sites sites = { 0 };
	const struct site *s;
	char where[64];

	if (resolve(b->binary, &t, &sites) != 1 || sites.items[0].refused)
		die(t.pattern);
	s = &sites.items[0];
	set_spec(b, 0, probe_named(b->pack, cases[number].api, ""), s);
	if (cases[number].with_return)
		set_spec(b, 1, probe_named(b->pack, cases[number].api, ".return"), s);
	snprintf(where, sizeof(where), "%s at +%llu", s->insn,
		 (unsigned long long)(s->offset - s->function));
	print_rounds(b, number, "entry", s->function);
	printf(",");
	print_rounds(b, number, where, s->offset);
	sites_free(&sites);
}

int main(int argc, char **argv)
{
	const struct loader_config config = { .ring_bytes = 1 };
	const struct loader_ops none = { 0 };
	struct packs packs = { 0 };
	struct bench b = { .path = argv[1], .rounds = argc > 2 ? atoi(argv[2]) : ROUNDS };

	if (argc < 2) {
		fprintf(stderr, "usage: libcuda_cost LIBRARY [ROUNDS]\n");
		return 2;
	}
	b.library = dlopen(b.path, RTLD_NOW);
	b.binary = binary_open(b.path, "/");
	if (!b.library || !b.binary || packs_builtin(&packs))
		die(b.path);
	b.pack = packs_find(&packs, "cuda");
	b.loader = loader_new(&config, &none, NULL);
	if (!b.loader || !loader_probes_supported(b.loader))
		die("probes");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		printf("%s", i ? "," : "{");
		run_case(&b, i);
	}
	puts("}");
	loader_free(b.loader);
	binary_close(b.binary);
	packs_free(&packs);
	return 0;
}
