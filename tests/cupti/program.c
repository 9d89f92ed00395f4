// SPDX-License-Identifier: Apache-2.0
/*
 * A CUDA program made of fakes, for tests that trace it from outside: CUDA_INJECTION64_PATH is as the caller set it. Prints
 * "ready"; each number N that it reads makes N kernels (named kernel0 to kernel9 in turn), one copy of 4096 bytes to the host
 * and one graph, correlated from 1 on, and prints how many of them CUPTI took. Ends with its input; a word that is no number
 * makes it execute itself anew.
 */
#include "world.h"

static uint32_t correlation;

static uint32_t work(struct world *w, uint32_t kernels)
{
	uint64_t now = world_realtime_ns();
	uint32_t taken = 0;
	char name[] = "kernel0";

	for (uint32_t i = 0; i < kernels; i++) {
		name[6] = (char)('0' + i % 10);
		taken += world_kernel(w, ++correlation, now + i * 2000, name);
	}
	taken += world_memcpy(w, ++correlation, now, 4096);
	taken += world_graph(w, ++correlation, now);
	return taken;
}

int main(int argc, char **argv)
{
	struct world w = { 0 };
	uint32_t kernels;
	int read;

	(void)argc;
	world_open(&w, true);
	check(w.init(0) == 0);
	puts("ready");
	fflush(stdout);
	while ((read = scanf("%u", &kernels)) == 1) {
		printf("%u\n", work(&w, kernels));
		fflush(stdout);
	}
	if (read == 0)
		execv("/proc/self/exe", argv);
	return read == 0;
}
