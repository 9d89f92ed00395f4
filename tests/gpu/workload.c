// SPDX-License-Identifier: Apache-2.0
/*
 * A decode-like loop that needs the CUDA driver and nothing else: a step is one graph of many short kernels, replayed, and a
 * wait for it. usage() below. Each kernel runs for a time that the GPU's own clock measures, and adds it up: a figure to
 * compare CUPTI's with that comes from neither CUPTI nor the CPU.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "driver.h"

#define EXIT_NO_GPU 77
#define WARM_UP	    20

/* Runs for `ns` nanoseconds of the GPU's clock, and adds what it took to *sum. Drivers compile it for their GPU. */
static const char kernel_ptx[] =
	".version 6.3\n"
	".target sm_50\n"
	".address_size 64\n"
	".visible .entry tokscope_decode(.param .u64 sum, .param .u64 ns)\n"
	"{\n"
	"	.reg .pred %again;\n"
	"	.reg .u64 %sum, %ns, %from, %took, %old;\n"
	"	ld.param.u64 %sum, [sum];\n"
	"	ld.param.u64 %ns, [ns];\n"
	"	mov.u64 %from, %globaltimer;\n"
	"WAIT:\n"
	"	mov.u64 %took, %globaltimer;\n"
	"	sub.u64 %took, %took, %from;\n"
	"	setp.lt.u64 %again, %took, %ns;\n"
	"	@%again bra WAIT;\n"
	"	atom.global.add.u64 %old, [%sum], %took;\n"
	"	ret;\n"
	"}\n";

struct workload {
	struct driver cuda;
	unsigned int kernels;		 /* a step */
	uint64_t kernel_ns;		 /* what each is asked to take */
	void *stream, *function, *graph; /* the executable graph */
	void *from, *to;		 /* events */
	uint64_t sum, held;		 /* device memory: the kernels' sum, that of `alloc` */
};

struct step {
	uint64_t enter_ns, leave_ns; /* CLOCK_MONOTONIC: before the launch, after the wait */
};

static void usage(FILE *to)
{
	fputs("usage: workload [OPTION...] [COMMAND...]      commands are read from standard input if there is none\n"
	      "\n"
	      "  --kernels N        kernels a step (140)\n"
	      "  --kernel-us N      how long each runs (5)\n"
	      "  --settle-ms N      from cuInit() to the first launch (2000): what is injected looks around twice a second\n"
	      "  --subscribe-first  subscribe to CUPTI before cuInit(), as another profiler would\n"
	      "\n"
	      "A line of JSON says that it is ready, with the port it listens on, and one answers each command:\n"
	      "  'replay N [FILE]'  N steps; FILE gets enter and leave of each, ns of CLOCK_MONOTONIC\n"
	      "  'launch N'         N steps whose kernels are launched one by one\n"
	      "  'alloc BYTES', 'free', 'fork', 'subscribe', 'sleep MS'\n"
	      "Exit status 77: no GPU can be used here, the last line says why.\n",
	      to);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void sleep_ms(unsigned long ms)
{
	struct timespec t = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };

	nanosleep(&t, NULL);
}

static const char *error_name(const struct workload *w, int result)
{
	const char *name = NULL;

	w->cuda.cuGetErrorName(result, &name);
	return name ? name : "?";
}

static _Noreturn void fail(const struct workload *w, const char *call, int result)
{
	printf("{\"error\": \"%s: %d %s\"}\n", call, result, error_name(w, result));
	fflush(stdout);
	exit(EXIT_FAILURE);
}

#define MUST(w, call, ...)                                 \
	do {                                               \
		int result_ = (w)->cuda.call(__VA_ARGS__); \
		if (result_)                               \
			fail(w, #call, result_);           \
	} while (0)

/* ------------------------------------------------------------------ the GPU's part */

static _Noreturn void no_gpu(const char *what, int result, const char *why)
{
	printf("{\"skip\": \"%s: %d %s\"}\n", what, result, why);
	fflush(stdout);
	exit(EXIT_NO_GPU);
}

static void launch_step(struct workload *w)
{
	void *args[] = { &w->sum, &w->kernel_ns };

	for (unsigned int i = 0; i < w->kernels; i++)
		MUST(w, cuLaunchKernel, w->function, 1, 1, 1, 1, 1, 1, 0, w->stream, args, NULL);
}

static void replay_step(struct workload *w)
{
	MUST(w, cuGraphLaunch, w->graph, w->stream);
}

static void open_gpu(struct workload *w)
{
	const char *wrong = driver_load(&w->cuda);
	void *context, *module;
	int device, result;

	if (wrong)
		no_gpu("libcuda.so.1", -1, wrong);
	result = w->cuda.cuInit(0);
	if (result)
		no_gpu("cuInit", result, error_name(w, result));
	result = w->cuda.cuDeviceGet(&device, 0);
	if (result)
		no_gpu("cuDeviceGet", result, error_name(w, result));
	MUST(w, cuDevicePrimaryCtxRetain, &context, device);
	MUST(w, cuCtxSetCurrent, context);
	MUST(w, cuModuleLoadData, &module, kernel_ptx);
	MUST(w, cuModuleGetFunction, &w->function, module, "tokscope_decode");
	MUST(w, cuStreamCreate, &w->stream, NON_BLOCKING);
	MUST(w, cuEventCreate, &w->from, 0);
	MUST(w, cuEventCreate, &w->to, 0);
	MUST(w, cuMemAlloc_v2, &w->sum, sizeof(uint64_t));
	MUST(w, cuMemsetD8_v2, w->sum, 0, sizeof(uint64_t));
}

static void make_graph(struct workload *w)
{
	void *graph;

	MUST(w, cuStreamBeginCapture_v2, w->stream, CAPTURE_THREAD_LOCAL);
	launch_step(w);
	MUST(w, cuStreamEndCapture, w->stream, &graph);
	MUST(w, cuGraphInstantiateWithFlags, &w->graph, graph, 0);
}

static uint64_t free_bytes(const struct workload *w)
{
	size_t free = 0, total;

	MUST(w, cuMemGetInfo_v2, &free, &total);
	return free;
}

static uint64_t sum_ns(const struct workload *w)
{
	uint64_t sum = 0;

	MUST(w, cuMemcpyDtoH_v2, &sum, w->sum, sizeof(sum));
	return sum;
}

/* ------------------------------------------------------------------ steps */

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* What CUDA's events say that the GPU took, in nanoseconds. */
static double one_step(struct workload *w, void (*step)(struct workload *), struct step *times)
{
	float ms;

	MUST(w, cuEventRecord, w->from, w->stream);
	times->enter_ns = now_ns();
	step(w);
	MUST(w, cuEventRecord, w->to, w->stream);
	MUST(w, cuStreamSynchronize, w->stream);
	times->leave_ns = now_ns();
	MUST(w, cuEventElapsedTime, &ms, w->from, w->to);
	return (double)ms * 1e6;
}

static void write_steps(const char *path, const struct step *steps, unsigned long count)
{
	FILE *file = path ? fopen(path, "w") : NULL;

	if (!file)
		return;
	for (unsigned long i = 0; i < count; i++)
		fprintf(file, "%" PRIu64 " %" PRIu64 "\n", steps[i].enter_ns, steps[i].leave_ns);
	fclose(file);
}

/* times: room for `count`, is sorted. */
static void print_times(const struct step *steps, uint64_t *times, unsigned long count)
{
	uint64_t sum = 0;

	for (unsigned long i = 0; i < count; i++)
		sum += times[i] = steps[i].leave_ns - steps[i].enter_ns;
	qsort(times, count, sizeof(*times), by_size);
	printf("\"steps\": %lu, \"mean_us\": %.3f, \"p50_us\": %.3f, \"p99_us\": %.3f, \"steps_per_s\": %.3f, ",
	       count, (double)sum / 1e3 / (double)count, (double)times[count / 2] / 1e3,
	       (double)times[count * 99 / 100] / 1e3, (double)count * 1e9 / (double)sum);
}

static void run_steps(struct workload *w, void (*step)(struct workload *), unsigned long count,
		      const char *path)
{
	struct step *steps = calloc(count + 1, sizeof(*steps)); /* the last is to warm up */
	uint64_t *times = calloc(count, sizeof(*times));
	uint64_t warm_free, half_free = 0, clock_ns;
	double event_ns = 0;

	for (int i = 0; i < WARM_UP; i++)
		one_step(w, step, &steps[count]);
	warm_free = free_bytes(w);
	clock_ns = sum_ns(w);
	for (unsigned long i = 0; i < count; i++) {
		event_ns += one_step(w, step, &steps[i]);
		if (i == count / 2)
			half_free = free_bytes(w);
	}
	clock_ns = sum_ns(w) - clock_ns;
	write_steps(path, steps, count);
	printf("{");
	print_times(steps, times, count);
	printf("\"event_ns\": %.0f, \"clock_ns\": %" PRIu64 ", \"kernels\": %lu, \"warm_up\": %d, ",
	       event_ns, clock_ns, count * w->kernels, WARM_UP);
	printf("\"free_bytes\": [%" PRIu64 ", %" PRIu64 ", %" PRIu64 "]}\n", warm_free, half_free,
	       free_bytes(w));
	free(steps);
	free(times);
}

/* ------------------------------------------------------------------ commands */

/* As another profiler: CUPTI's answer is printed. Nothing is asked of it. */
static void subscribe(void)
{
	const char *path = getenv("TOKSCOPE_CUPTI_LIBRARY");
	void *cupti = dlopen(path && *path ? path : "libcupti.so", RTLD_NOW | RTLD_LOCAL),
	     *subscriber;
	int (*subscribe_to)(void **, void (*)(void *, int, uint32_t, const void *), void *) = NULL;
	static void (*no_callback)(void *, int, uint32_t, const void *);

	if (cupti)
		*(void **)&subscribe_to = dlsym(cupti, "cuptiSubscribe");
	printf("{\"subscribe\": %d}\n",
	       subscribe_to ? subscribe_to(&subscriber, no_callback, NULL) : -1);
}

/* A child that ends without exec(), by exit(), which runs what is registered for that. */
static void fork_child(void)
{
	int status = -1;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		sleep_ms(1200);
		exit(7);
	}
	if (child > 0)
		waitpid(child, &status, 0);
	printf("{\"child\": %d}\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static void allocate(struct workload *w, uint64_t bytes)
{
	uint64_t memory = 0, before = free_bytes(w);
	int result = w->cuda.cuMemAlloc_v2(&memory, bytes);

	if (!result)
		w->held = memory;
	printf("{\"result\": %d, \"taken\": %" PRId64 "}\n", result,
	       (int64_t)(before - free_bytes(w)));
}

static void command(struct workload *w, char *line)
{
	char verb[16] = "", path[1024] = "";
	unsigned long long n = 0;

	if (sscanf(line, "%15s %llu %1023s", verb, &n, path) < 1)
		return;
	if (!strcmp(verb, "replay") && n)
		run_steps(w, replay_step, n, *path ? path : NULL);
	else if (!strcmp(verb, "launch") && n)
		run_steps(w, launch_step, n, *path ? path : NULL);
	else if (!strcmp(verb, "alloc"))
		allocate(w, n);
	else if (!strcmp(verb, "free"))
		printf("{\"result\": %d}\n", w->cuda.cuMemFree_v2(w->held));
	else if (!strcmp(verb, "fork"))
		fork_child();
	else if (!strcmp(verb, "subscribe"))
		subscribe();
	else if (!strcmp(verb, "sleep"))
		sleep_ms(n), printf("{}\n");
	else
		printf("{\"error\": \"no command: %s\"}\n", verb);
	fflush(stdout);
}

/* A server is what listens. The port, 0: none. */
static int listen_anywhere(void)
{
	struct sockaddr_in where = { .sin_family = AF_INET,
				     .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(where);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&where, size) || listen(fd, 8) ||
	    getsockname(fd, (struct sockaddr *)&where, &size))
		return 0;
	return ntohs(where.sin_port);
}

static void begin(struct workload *w, unsigned long settle_ms)
{
	char name[128] = "";
	int version = 0;
	uint64_t free;

	open_gpu(w);
	sleep_ms(settle_ms);
	free = free_bytes(w);
	make_graph(w);
	w->cuda.cuDriverGetVersion(&version);
	w->cuda.cuDeviceGetName(name, sizeof(name), 0);
	printf("{\"ready\": true, \"pid\": %d, \"port\": %d, \"gpu\": \"%s\", \"cuda\": %d, \"free_bytes\": %" PRIu64
	       "}\n",
	       getpid(), listen_anywhere(), name, version, free);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "kernels", 1, NULL, 'k' },   { "kernel-us", 1, NULL, 'u' },
		{ "settle-ms", 1, NULL, 's' }, { "subscribe-first", 0, NULL, 'f' },
		{ "help", 0, NULL, 'h' },      { 0 }
	};
	struct workload w = { .kernels = 140, .kernel_ns = 5000 };
	unsigned long settle_ms = 2000;
	char line[1200];
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 'k')
			w.kernels = (unsigned int)strtoul(optarg, NULL, 10);
		else if (option == 'u')
			w.kernel_ns = strtoull(optarg, NULL, 10) * 1000;
		else if (option == 's')
			settle_ms = strtoul(optarg, NULL, 10);
		else if (option == 'f')
			subscribe();
		else
			return usage(option == 'h' ? stdout : stderr), option == 'h' ? 0 : 2;
	}
	begin(&w, settle_ms);
	for (int i = optind; i < argc; i++)
		command(&w, argv[i]);
	while (optind == argc && fgets(line, sizeof(line), stdin))
		command(&w, line);
	return 0;
}
