// SPDX-License-Identifier: Apache-2.0
/* The library as a tracer sees it, with fakes of libcuda and libcupti: every record, every figure. */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "dump.h"
#include "world.h"

#define WANTED                                                                    \
	(BIT(KIND_CONCURRENT_KERNEL) | BIT(KIND_MEMCPY) | BIT(KIND_MEMCPY_PEER) | \
	 BIT(KIND_MEMSET) | BIT(KIND_OVERHEAD) | BIT(KIND_DRIVER))
#define KERNELS 1000

/* The library's thread does not wake up. */
static _Atomic bool asleep;
static _Atomic uint32_t sleeps;

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *t, struct timespec *left)
{
	sleeps++;
	while (asleep)
		usleep(1000);
	return syscall(SYS_clock_nanosleep, clock, flags, t, left) ? errno : 0;
}

static void start(struct world *w)
{
	world_open(w, true);
	world_inject(w);
}

/* ------------------------------------------------------------------ records */

/* Each record's own fields, and that its time on CLOCK_MONOTONIC is the one it was made with. */
static void check_record(const struct tks_cupti_record *r, uint32_t n, uint64_t start_ns)
{
	int64_t error = (int64_t)(r->start_ns - start_ns);

	check(r->correlation == n);
	check(r->end_ns - r->start_ns == 1000);
	check(error > -1000000 && error < 1000000);
}

static void every_kind_is_told(struct world *w)
{
	static const char *const names[] = { "_Z4gemmPf", "_ZN5flash4attnE", "_Z7rmsnorm" };
	uint64_t real, mono;
	struct tks_cupti_status status;
	const struct tks_cupti_record *r;

	start(w);
	world_listen(w);
	check(w->cupti->enabled == (WANTED | BIT(KIND_GRAPH_TRACE)) && w->cupti->launches == 8);
	real = world_realtime_ns();
	mono = world_monotonic_ns();
	for (uint32_t i = 0; i < KERNELS; i++)
		check(world_kernel(w, i, real, names[i % 3]));
	check(world_memcpy(w, KERNELS, real, 4096));
	check(world_memset(w, KERNELS + 1, real, 512));
	check(world_graph(w, KERNELS + 2, real));
	check(world_launch(w, KERNELS + 3, real, 77));
	check(world_overhead(w, 1 << 16, real));
	eventually(w->sink->count == KERNELS + 5);
	check(w->sink->batches == 8 && w->sink->largest == TKS_CUPTI_BATCH && !w->sink->wrong);
	check(w->sink->names_told == 3 && !w->sink->commands);
	r = w->sink->records;
	for (uint32_t i = 0; i < KERNELS; i++, r++) {
		check_record(r, i, mono);
		check(r->kind == TKS_CUPTI_KERNEL && r->device == 1 && r->context == 2 &&
		      r->stream == 3 && r->bytes == 120 && !r->graph && !r->graph_node);
		check(!strcmp(w->sink->names[r->name], names[i % 3]));
	}
	check_record(&r[0], KERNELS, mono);
	check(r[0].kind == TKS_CUPTI_MEMCPY && r[0].sub == TKS_CUPTI_DTOH && r[0].bytes == 4096);
	check_record(&r[1], KERNELS + 1, mono);
	check(r[1].kind == TKS_CUPTI_MEMSET && r[1].bytes == 512);
	check_record(&r[2], KERNELS + 2, mono);
	check(r[2].kind == TKS_CUPTI_GRAPH && r[2].graph == 9 && r[2].stream == 3);
	check_record(&r[3], KERNELS + 3, mono);
	check(r[3].kind == TKS_CUPTI_LAUNCH && r[3].tid == 77 && r[3].cbid == 307);
	check_record(&r[4], 0, mono);
	check(r[4].kind == TKS_CUPTI_OVERHEAD && r[4].sub == 1);
	status = world_status(w);
	check(status.records == KERNELS + 5);
	check(status.cupti_version == 130001 && status.overhead_ns == 1000 && status.cpu_ns);
	check(!status.dropped && !status.invalid && !status.unknown && !status.names_lost &&
	      !status.buffers_refused && !status.result && !status.reason && !status.node_level);
}

static void impossible_times_are_counted_not_told(struct world *w)
{
	struct activity_kernel reversed = { .kind = KIND_CONCURRENT_KERNEL, .start = 9, .end = 8 };
	uint64_t now = world_realtime_ns();

	start(w);
	world_listen(w);
	check(world_kernel(w, 1, now, "k"));
	check(w->record(&(struct activity_kernel){ .kind = KIND_CONCURRENT_KERNEL },
			sizeof(struct activity_kernel), false));
	check(w->record(&reversed, sizeof(reversed), false));
	check(world_kernel(w, 2, now, "k"));
	eventually(w->sink->count == 2);
	check(w->sink->records[0].correlation == 1 && w->sink->records[1].correlation == 2);
	check(world_status(w).invalid == 2);
}

static void unknown_kinds_are_stepped_over(struct world *w)
{
	uint32_t synchronization[16] = { 38 }, alien[16] = { 60 };

	start(w);
	world_listen(w);
	check(w->record(synchronization, sizeof(synchronization), true));
	check(world_kernel(w, 1, world_realtime_ns(), "k"));
	eventually(w->sink->count == 1);
	check(w->record(alien, sizeof(alien), true)); /* the rest of its buffer is lost */
	check(world_kernel(w, 2, world_realtime_ns(), "k"));
	eventually(world_status(w).unknown == 2);
	check(world_kernel(w, 3, world_realtime_ns(), "k"));
	eventually(w->sink->count == 2);
	check(w->sink->records[1].correlation == 3);
}

static void longer_records_of_a_newer_cupti(struct world *w)
{
	world_open(w, true);
	w->cupti->longer = 48;
	world_inject(w);
	world_listen(w);
	for (uint32_t i = 0; i < KERNELS; i++)
		check(world_kernel(w, i, world_realtime_ns(), "k"));
	eventually(w->sink->count == KERNELS);
	for (uint32_t i = 0; i < KERNELS; i++)
		check(w->sink->records[i].correlation == i);
}

static void names_missing_and_long(struct world *w)
{
	char name[2000];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	start(w);
	world_listen(w);
	check(world_kernel(w, 1, world_realtime_ns(), NULL));
	check(world_kernel(w, 2, world_realtime_ns(), ""));
	check(world_kernel(w, 3, world_realtime_ns(), name));
	eventually(w->sink->count == 3);
	check(!w->sink->records[0].name && !w->sink->records[1].name);
	check(strlen(w->sink->names[w->sink->records[2].name]) == TKS_CUPTI_NAME_MAX);
}

/* Chunks of dump.h: a stride, two names, then a buffer whose records hold their numbers. */
static void buffers_can_be_dumped(struct world *w)
{
	char path[] = "/tmp/tokscope-cupti-dump-XXXXXX", name[16] = "";
	struct activity_kernel kernel;
	struct dump_chunk chunk;
	struct dump_stride stride;
	int fd = mkstemp(path);

	setenv("TOKSCOPE_CUPTI_DUMP", path, 1);
	start(w);
	unlink(path);
	world_listen(w);
	check(world_kernel(w, 7, world_realtime_ns(), "first"));
	check(world_kernel(w, 7, world_realtime_ns(), "second"));
	eventually(w->sink->count == 2);
	check(world_status(w).records == 2); /* takes the lock under which the buffer was written */
	check(read(fd, &chunk, sizeof(chunk)) == sizeof(chunk) && chunk.magic == DUMP_MAGIC);
	check(chunk.kind == DUMP_STRIDE && chunk.size == sizeof(stride));
	check(read(fd, &stride, sizeof(stride)) == sizeof(stride));
	check(stride.kind == KIND_CONCURRENT_KERNEL && stride.bytes == 216);
	check(read(fd, &chunk, sizeof(chunk)) == sizeof(chunk));
	check(chunk.kind == DUMP_NAME && chunk.size == 5 && chunk.cupti_version == 130001);
	check(read(fd, name, 5) == 5 && !strcmp(name, "first"));
	check(read(fd, &chunk, sizeof(chunk)) == sizeof(chunk) && chunk.kind == DUMP_NAME);
	check(read(fd, name, 6) == 6 && !strcmp(name, "second"));
	check(read(fd, &chunk, sizeof(chunk)) == sizeof(chunk) && chunk.kind == DUMP_BUFFER);
	check(chunk.size == 2 * 216 && chunk.clock_offset < 0);
	check(read(fd, &kernel, sizeof(kernel)) == sizeof(kernel));
	check(kernel.correlation == 7 && (uintptr_t)kernel.name == 1);
}

static void a_late_tracer_gets_all_names(struct world *w)
{
	start(w);
	sink_attach("want_activity");
	eventually(w->cupti->enabled & BIT(KIND_CONCURRENT_KERNEL));
	check(world_kernel(w, 1, world_realtime_ns(), "first"));
	check(world_kernel(w, 2, world_realtime_ns(), "second"));
	sink_attach("status");
	eventually(world_status(w).records == 2);
	check(!w->sink->names_told && !w->sink->count);
	sink_attach("kernel_name");
	eventually(w->sink->names_told == 2);
	sink_detach("kernel_name");
	usleep(1100000);
	sink_attach("kernel_name");
	eventually(w->sink->names_told_twice == 2);
	check(!w->sink->wrong);
}

/* ------------------------------------------------------------------ what is on, and when */

static void nothing_is_called_while_cuda_starts(struct world *w)
{
	asleep = true;
	start(w);
	sink_attach("status");
	eventually(sleeps);
	check(!w->cupti->flushes && !w->sink->statuses);
	asleep = false;
	eventually(w->cupti->flushes && w->sink->statuses);
}

static void unattached_it_traces_graphs_only_and_reads_nothing(struct world *w)
{
	start(w);
	check(w->cupti->enabled == BIT(KIND_GRAPH_TRACE) && !w->cupti->launches);
	check(!world_kernel(w, 1, world_realtime_ns(), "k"));
	for (uint32_t i = 0; i < 100; i++)
		check(world_graph(w, i, world_realtime_ns()));
	eventually(w->cupti->flushes >= 1);
	sink_attach("status");
	sink_attach("activity");
	eventually(w->sink->statuses);
	eventually(world_status(w).unparsed == 100 * 56);
	check(!w->sink->count && sink_status().state == TKS_CUPTI_IDLE && !sink_status().records);
}

static void each_flush_is_told(struct world *w)
{
	start(w);
	sink_attach("activity");
	usleep(1100000);
	check(!w->sink->flushes); /* nobody wants records */
	world_listen(w);
	eventually(w->sink->flushes >= 3);
	check(!w->sink->count && !w->sink->batches && !w->sink->wrong);
}

static void detaching_ends_the_records(struct world *w)
{
	start(w);
	world_listen(w);
	sink_detach("want_activity");
	eventually(w->cupti->enabled == BIT(KIND_GRAPH_TRACE));
	check(!w->cupti->launches);
	eventually(world_status(w).state == TKS_CUPTI_IDLE);
	check(world_graph(w, 1, world_realtime_ns()));
	eventually(world_status(w).unparsed == 56);
	check(!w->sink->count);
}

static void older_cupti(struct world *w, uint32_t version, uint64_t enabled)
{
	world_open(w, true);
	w->cupti->version = version;
	world_inject(w);
	world_listen(w);
	check(w->cupti->enabled == enabled);
	sink_detach("want_activity");
	eventually(w->cupti->enabled == (BIT(KIND_GRAPH_TRACE) | BIT(KIND_CONCURRENT_KERNEL)));
}

static void what_12_4_would_not_survive_stays_off(struct world *w)
{
	older_cupti(w, 22,
		    BIT(KIND_GRAPH_TRACE) | BIT(KIND_CONCURRENT_KERNEL) | BIT(KIND_OVERHEAD));
	check(!w->cupti->launches);
}

static void unattached_an_old_cupti_is_not_flushed(struct world *w)
{
	world_open(w, true);
	w->cupti->version = 130000;
	world_inject(w);
	check(world_graph(w, 1, world_realtime_ns()));
	sink_attach("status");
	check(world_status(w).state == TKS_CUPTI_IDLE && !w->cupti->flushes);
	world_listen(w); /* what lay there is of the time before */
	check(world_kernel(w, 2, world_realtime_ns(), "k"));
	eventually(w->sink->count);
	check(w->sink->count == 1 && w->sink->records[0].correlation == 2);
	check(world_status(w).unparsed == 56);
}

static void kernels_are_never_turned_off_before_13_0_1(struct world *w)
{
	older_cupti(w, 130000, BIT(KIND_GRAPH_TRACE) | WANTED);
}

static void nodes_of_graphs_on_request(struct world *w)
{
	setenv("TOKSCOPE_CUPTI_MODE", "node", 1);
	start(w);
	check(w->cupti->enabled == BIT(KIND_CONCURRENT_KERNEL));
	world_listen(w);
	check(w->cupti->enabled == WANTED && sink_status().node_level == 1);
}

/* ------------------------------------------------------------------ states */

static void wait_for_state(struct world *w, enum tks_cupti_state state, int result)
{
	sink_attach("status");
	eventually(w->sink->statuses);
	check(sink_status().state == (uint32_t)state && sink_status().result == result);
	check(!w->sink->count);
}

static void another_subscriber_is_left_alone(struct world *w)
{
	world_open(w, true);
	w->cupti->busy = true;
	world_inject(w);
	sink_attach("want_activity");
	wait_for_state(w, TKS_CUPTI_BUSY, RESULT_BUSY);
	check(!w->cupti->enabled && !w->cupti->subscriptions);
}

static void it_tries_again_each_half_a_minute(struct world *w)
{
	world_open(w, true);
	w->cupti->busy = true;
	world_inject(w);
	sink_attach("want_activity");
	wait_for_state(w, TKS_CUPTI_BUSY, RESULT_BUSY);
	world_pass(31);
	check(world_status(w).state == TKS_CUPTI_BUSY);
	w->cupti->busy = false;
	check(world_status(w).state == TKS_CUPTI_BUSY);
	world_pass(31);
	eventually(w->cupti->subscribed && w->cupti->enabled & BIT(KIND_CONCURRENT_KERNEL));
	check(world_status(w).state == TKS_CUPTI_ACTIVE);
}

static void without_a_gpu_it_says_so(struct world *w)
{
	world_open(w, true);
	w->cupti->subscribe_error = RESULT_UNKNOWN;
	world_inject(w);
	wait_for_state(w, TKS_CUPTI_ABSENT, RESULT_UNKNOWN);
	check(!w->cupti->enabled);
}

static void without_graph_trace_nothing_is_traced(struct world *w)
{
	world_open(w, true);
	w->cupti->graph_trace_error = RESULT_INVALID_KIND;
	world_inject(w);
	sink_attach("want_activity");
	wait_for_state(w, TKS_CUPTI_ABSENT, RESULT_INVALID_KIND);
	check(!w->cupti->enabled && !w->cupti->subscribed);
}

static void without_cupti_it_says_so(struct world *w)
{
	setenv("TOKSCOPE_CUPTI_LIBRARY", "/nonexistent/libcupti.so", 1);
	world_open(w, false);
	world_inject(w);
	wait_for_state(w, TKS_CUPTI_ABSENT, 0);
	check(!sink_status().cupti_version);
}

static void a_cupti_too_old_is_not_used(struct world *w)
{
	world_open(w, true);
	w->cupti->version = 17;
	world_inject(w);
	wait_for_state(w, TKS_CUPTI_ABSENT, 0);
	check(sink_status().cupti_version == 17 && !w->cupti->subscriptions);
}

static void disabled_it_does_nothing(struct world *w)
{
	setenv("TOKSCOPE_CUPTI_DISABLE", "1", 1);
	start(w);
	sink_attach("status");
	usleep(1100000);
	check(!w->cupti->subscriptions && !w->sink->statuses);
}

/* ------------------------------------------------------------------ devices */

static void devices_by_their_own_uuids(struct world *w)
{
	setenv("CUDA_VISIBLE_DEVICES", "2,0", 1);
	setenv("FAKE_CUDA_MIG", "1", 1);
	start(w);
	sink_attach("device");
	eventually(w->sink->devices_told == 2);
	check(w->sink->devices[0].ordinal == 0 && w->sink->devices[0].mig == 1);
	check(w->sink->devices[0].uuid[0] == 0x82 && w->sink->devices[0].uuid[15] == 0x82);
	check(w->sink->devices[0].pci_bus == 3 && w->sink->devices[1].pci_bus == 1);
	check(w->sink->devices[1].uuid[0] == 0x80);
	check(!strcmp(w->sink->devices[0].name, "Fake GPU 2"));
	usleep(1100000);
	check(w->sink->devices_told == 2);
}

int main(void)
{
	static const struct scenario scenarios[] = {
		SCENARIO(every_kind_is_told),
		SCENARIO(impossible_times_are_counted_not_told),
		SCENARIO(unknown_kinds_are_stepped_over),
		SCENARIO(longer_records_of_a_newer_cupti),
		SCENARIO(names_missing_and_long),
		SCENARIO(buffers_can_be_dumped),
		SCENARIO(a_late_tracer_gets_all_names),
		SCENARIO(nothing_is_called_while_cuda_starts),
		SCENARIO(unattached_it_traces_graphs_only_and_reads_nothing),
		SCENARIO(each_flush_is_told),
		SCENARIO(detaching_ends_the_records),
		SCENARIO(what_12_4_would_not_survive_stays_off),
		SCENARIO(unattached_an_old_cupti_is_not_flushed),
		SCENARIO(kernels_are_never_turned_off_before_13_0_1),
		SCENARIO(nodes_of_graphs_on_request),
		SCENARIO(another_subscriber_is_left_alone),
		SCENARIO(it_tries_again_each_half_a_minute),
		SCENARIO(without_a_gpu_it_says_so),
		SCENARIO(without_graph_trace_nothing_is_traced),
		SCENARIO(without_cupti_it_says_so),
		SCENARIO(a_cupti_too_old_is_not_used),
		SCENARIO(disabled_it_does_nothing),
		SCENARIO(devices_by_their_own_uuids),
	};

	return scenarios_run(scenarios, sizeof(scenarios) / sizeof(*scenarios));
}
