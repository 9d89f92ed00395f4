// SPDX-License-Identifier: Apache-2.0
/*
 * A FAKE of the CUDA driver with just what tests/gpu/workload.c calls, linked with tests/cupti/fake_cuda.c, to try the
 * acceptance list where there is no GPU: a "GPU" that takes as long as it was asked to, one thing after another, and tells
 * the fake CUPTI of it. It proves the list's own arithmetic and order, nothing of a GPU or of NVIDIA's libraries.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "driver.h"
#include "fake_cupti.h"

#define OUT_OF_MEMORY 2
#define TOTAL_BYTES   ((size_t)80 << 30)
#define NAMED_BYTES   ((size_t)1 << 20) /* below: real memory, above: an address only */
#define ANY	      ((void *)16)	/* a handle that nobody looks behind */
#define EXPORT	      __attribute__((visibility("default")))
#define API(name, ...)                \
	EXPORT int name(__VA_ARGS__); \
	EXPORT int name(__VA_ARGS__)

static struct {
	uint64_t idle_ns; /* when the GPU will be: CLOCK_REALTIME, as the fake CUPTI's */
	uint64_t *sum, kernel_ns;
	uint32_t nodes, correlation;
	bool capturing;
	size_t taken, held;
} gpu;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* When the GPU would begin with what it is given now. */
static uint64_t begin_ns(void)
{
	uint64_t now = now_ns();

	return now > gpu.idle_ns ? now : gpu.idle_ns;
}

/* The fake CUPTI, if it was loaded by the time that there is a module. */
static struct {
	struct fake_cupti *(*state)(void);
	bool (*record)(const void *, size_t, bool);
} cupti;

static void find_cupti(void)
{
	void *library = dlopen("libcupti.so.13", RTLD_NOW | RTLD_NOLOAD);

	if (!library)
		return;
	*(void **)&cupti.state = dlsym(library, "fake_cupti");
	*(void **)&cupti.record = dlsym(library, "fake_cupti_record");
}

static bool enabled(int kind)
{
	return cupti.state && (cupti.state()->enabled >> kind & 1);
}

static void tell(const void *record, size_t size)
{
	if (cupti.record)
		cupti.record(record, size, false);
}

static void run_kernel(uint64_t graph_node)
{
	struct activity_kernel k = { .kind = KIND_CONCURRENT_KERNEL,
				     .start = begin_ns(),
				     .correlation = gpu.correlation,
				     .grid = { 1, 1, 1 },
				     .graph_node = graph_node,
				     .name = "tokscope_decode" };

	k.end = gpu.idle_ns = k.start + gpu.kernel_ns;
	*gpu.sum += gpu.kernel_ns;
	if (!graph_node || !enabled(KIND_GRAPH_TRACE))
		tell(&k, sizeof(k));
}

static void tell_launch(uint32_t cbid, uint64_t start)
{
	struct activity_api a = { .kind = KIND_DRIVER,
				  .cbid = cbid,
				  .start = start,
				  .end = now_ns(),
				  .correlation = gpu.correlation };

	tell(&a, sizeof(a));
}

API(cuDriverGetVersion, int *version)
{
	*version = 13000;
	return 0;
}

API(cuGetErrorName, int result, const char **name)
{
	*name = result == OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR_UNKNOWN";
	return 0;
}

API(cuDevicePrimaryCtxRetain, void **context, int device)
{
	(void)device;
	*context = ANY;
	return 0;
}

API(cuCtxSetCurrent, void *context)
{
	return context != ANY;
}

API(cuModuleLoadData, void **module, const void *image)
{
	find_cupti();
	*module = ANY;
	return !strstr(image, ".entry tokscope_decode");
}

API(cuModuleGetFunction, void **function, void *module, const char *name)
{
	(void)module;
	*function = ANY;
	return strcmp(name, "tokscope_decode");
}

API(cuMemGetInfo_v2, size_t *left, size_t *total)
{
	*total = TOTAL_BYTES;
	*left = TOTAL_BYTES - gpu.taken;
	return 0;
}

API(cuMemAlloc_v2, uint64_t *memory, size_t size)
{
	if (size > TOTAL_BYTES - gpu.taken)
		return OUT_OF_MEMORY;
	gpu.taken += size;
	gpu.held = size;
	*memory = size < NAMED_BYTES ? (uintptr_t)calloc(1, size) : (uintptr_t)ANY;
	return 0;
}

/* Only what was allocated last is ever freed. */
API(cuMemFree_v2, uint64_t memory)
{
	(void)memory;
	gpu.taken -= gpu.held;
	gpu.held = 0;
	return 0;
}

API(cuMemsetD8_v2, uint64_t memory, unsigned char value, size_t size)
{
	memset((void *)(uintptr_t)memory, value, size);
	return 0;
}

API(cuMemcpyDtoH_v2, void *to, uint64_t from, size_t size)
{
	memcpy(to, (void *)(uintptr_t)from, size);
	return 0;
}

API(cuStreamCreate, void **stream, unsigned int flags)
{
	(void)flags;
	*stream = ANY;
	return 0;
}

API(cuStreamSynchronize, void *stream)
{
	(void)stream;
	for (uint64_t now; (now = now_ns()) < gpu.idle_ns;)
		nanosleep(&(struct timespec){ 0, (long)(gpu.idle_ns - now) % 1000000000 }, NULL);
	return 0;
}

API(cuStreamBeginCapture_v2, void *stream, int mode)
{
	(void)stream;
	(void)mode;
	gpu.capturing = true;
	gpu.nodes = 0;
	return 0;
}

API(cuStreamEndCapture, void *stream, void **graph)
{
	(void)stream;
	gpu.capturing = false;
	*graph = ANY;
	return 0;
}

API(cuGraphInstantiateWithFlags, void **exec, void *graph, unsigned long long flags)
{
	(void)flags;
	*exec = graph;
	return 0;
}

API(cuGraphLaunch, void *exec, void *stream)
{
	struct activity_graph g = { .kind = KIND_GRAPH_TRACE, .graph = 1 };
	uint64_t called = now_ns();

	(void)exec;
	(void)stream;
	g.correlation = ++gpu.correlation;
	g.start = begin_ns();
	for (uint32_t node = 1; node <= gpu.nodes; node++)
		run_kernel(node);
	g.end = gpu.idle_ns;
	tell(&g, sizeof(g));
	tell_launch(514, called);
	return 0;
}

API(cuLaunchKernel, void *function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z,
    unsigned int block_x, unsigned int block_y, unsigned int block_z, unsigned int shared,
    void *stream, void **args, void **extra)
{
	uint64_t called = now_ns();

	(void)grid_x, (void)grid_y, (void)grid_z, (void)block_x, (void)block_y, (void)block_z;
	(void)function, (void)shared, (void)stream, (void)extra;
	gpu.sum = *(uint64_t **)args[0];
	gpu.kernel_ns = *(uint64_t *)args[1];
	gpu.correlation++;
	if (gpu.capturing)
		gpu.nodes++;
	else
		run_kernel(0);
	tell_launch(307, called);
	return 0;
}

API(cuEventCreate, void **event, unsigned int flags)
{
	(void)flags;
	*event = calloc(1, sizeof(uint64_t));
	return !*event;
}

API(cuEventRecord, void *event, void *stream)
{
	(void)stream;
	*(uint64_t *)event = begin_ns();
	return 0;
}

API(cuEventElapsedTime, float *milliseconds, void *from, void *to)
{
	*milliseconds = (float)(*(uint64_t *)to - *(uint64_t *)from) / 1e6f;
	return 0;
}
