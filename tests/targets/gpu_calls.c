// SPDX-License-Identifier: Apache-2.0
/*
 * Calls functions of a GPU's library as often as it is told to, without a GPU: they fail at once, the probes see them all the
 * same. Listens on a port, so that it passes for a server.
 *
 * usage: gpu_calls LIBRARY PORT      then on stdin, a line each, answered by a line with the last result:
 *
 *   call NAME TIMES [ARGUMENT...]    the exported function; "missing" where there is none
 *   ask NAME TIMES [ARGUMENT...]     what cuGetProcAddress_v2 gives out for the name; "missing" likewise
 *   cost NAME                        ns a call, the fastest of some rounds
 *
 * The first answer comes unasked: "ready", once the library is loaded.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ARGUMENTS    7 /* of the longest: ncclAllReduce */
#define COST_CALLS   2000
#define COST_ROUNDS  7
#define CUDA_VERSION 12000 /* both 535 and 550 know it */

typedef int (*function_t)(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t,
			  uintptr_t);
typedef int (*ask_t)(const char *name, void **function, int version, uint64_t flags, int *found);

static void *find(void *library, const char *verb, const char *name)
{
	void *function = NULL;
	int found;
	ask_t ask;

	if (strcmp(verb, "ask") != 0)
		return dlsym(library, name);
	*(void **)&ask = dlsym(library, "cuGetProcAddress_v2");
	return ask && !ask(name, &function, CUDA_VERSION, 0, &found) ? function : NULL;
}

static int call(function_t f, unsigned long times, const uintptr_t *a)
{
	int result = 0;

	while (times--)
		result = f(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
	return result;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static double cost(function_t f)
{
	static const uintptr_t none[ARGUMENTS];
	double least = 0;

	for (int i = 0; i < COST_ROUNDS; i++) {
		uint64_t start = now_ns();
		double ns;

		call(f, COST_CALLS, none);
		ns = (double)(now_ns() - start) / COST_CALLS;
		if (!i || ns < least)
			least = ns;
	}
	return least;
}

static void obey(void *library, char *line)
{
	const char *verb = strtok(line, " \n"), *name = strtok(NULL, " \n"), *word;
	uintptr_t arguments[ARGUMENTS] = { 0 };
	unsigned long times = 0;
	function_t f = NULL;

	if (name)
		*(void **)&f = find(library, verb, name);
	word = strtok(NULL, " \n");
	if (word)
		times = strtoul(word, NULL, 0);
	for (int i = 0; i < ARGUMENTS && (word = strtok(NULL, " \n")); i++)
		arguments[i] = strtoull(word, NULL, 0);
	if (!f)
		puts("missing");
	else if (!strcmp(verb, "cost"))
		printf("%.1f\n", cost(f));
	else
		printf("%d\n", call(f, times, arguments));
}

static int listen_on(int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return bind(fd, (struct sockaddr *)&at, sizeof(at)) ? -1 : listen(fd, 16);
}

int main(int argc, char **argv)
{
	void *library = argc == 3 ? dlopen(argv[1], RTLD_NOW) : NULL;
	char line[256];

	setlinebuf(stdout);
	if (!library || listen_on(atoi(argv[2]))) {
		fprintf(stderr, "gpu_calls: %s\n", library ? "cannot listen" : dlerror());
		return 1;
	}
	puts("ready");
	while (fgets(line, sizeof(line), stdin))
		obey(library, line);
	return 0;
}
