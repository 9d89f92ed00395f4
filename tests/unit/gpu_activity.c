// SPDX-License-Identifier: Apache-2.0
/* GPU work as metrics: every figure exact, whoever told it, in whatever order. */
#include <stdlib.h>

#include "gpu_proc.h"
#include "gpu_world.h"

struct world {
	struct registry *r;
	struct gpu_inventory *inventory;
	struct activity *a;
	struct gpu_proc proc;
	uint64_t works;		   /* told to config.work */
	char name[64];		   /* of the last of them that had one */
	uint64_t batches, busy_ns; /* told to config.busy */
	uint64_t losses;	   /* told to config.lost */
	uint32_t loser;		   /* the last of them */
};

/* Processes 10 to 19 are server 1, 20 to 29 server 2, others nobody's. */
static void owner(void *ctx, uint32_t tgid, struct activity_owner *out)
{
	static const char *const names[] = { NULL, "one", "two" };

	(void)ctx;
	out->id = tgid >= 10 && tgid < 30 ? tgid / 10 : 0;
	out->labels[0] = names[out->id];
}

static void work(void *ctx, const struct activity_work *w)
{
	struct world *s = ctx;

	s->works++;
	if (w->name)
		snprintf(s->name, sizeof(s->name), "%s", w->name);
}

/* May change the items: nobody else sees it. */
static void busy(void *ctx, const struct gpu_use *u, struct interval *items, size_t count)
{
	struct world *s = ctx;

	assert_non_null(u->gpu);
	s->batches++;
	for (size_t i = 0; i < count; i++)
		s->busy_ns += items[i].end_ns - items[i].start_ns;
	memset(items, 0, count * sizeof(*items));
}

static void lost(void *ctx, uint32_t tgid, uint64_t now_ns)
{
	struct world *s = ctx;

	assert_true(now_ns == NOW);
	s->losses++;
	s->loser = tgid;
}

/* The driver says nothing of bus 9. */
static int open_world(void **state)
{
	const struct registry_config rc = { 0 };
	struct world *w = calloc(1, sizeof(*w));
	struct activity_config c = { .owner = owner,
				     .work = work,
				     .busy = busy,
				     .lost = lost,
				     .ctx = w,
				     .keep_names = true };

	gpu_proc_open(&w->proc);
	gpu_proc_list(&w->proc, "0000:01:00.0", "GPU UUID: \t " UUID_1 "\nDevice Minor: \t 3\n");
	gpu_proc_list(&w->proc, "0000:02:00.0", "GPU UUID: \t " UUID_2 "\nDevice Minor: \t 0\n");
	w->r = registry_new(&rc);
	w->inventory = c.inventory = gpu_inventory_new(w->proc.path);
	w->a = activity_new(w->r, &c);
	*state = w;
	return w->a ? 0 : -1;
}

static int close_world(void **state)
{
	struct world *w = *state;

	gpu_proc_close(&w->proc);
	activity_free(w->a);
	gpu_inventory_free(w->inventory);
	registry_free(w->r);
	free(w);
	return 0;
}

/* ------------------------------------------------------------------ durations */

static void test_durations(void **state)
{
	struct world *w = *state;

	tell_device(w->a, 10, 0, 1);
	tell_name(w->a, 10, 1, "_Z12rms_norm_f32ILi1024EEvPKfPfi");
	tell_name(w->a, 10, 2, "ampere_bf16_s16816gemm_bf16");
	TELL(w->a, 10, { .kind = TKS_CUPTI_KERNEL, .name = 1, .correlation = 1, SPAN(0, 2000) },
	     { .kind = TKS_CUPTI_KERNEL, .name = 2, .correlation = 2, SPAN(3000, 8000) },
	     { .kind = TKS_CUPTI_KERNEL, .name = 2, .correlation = 3, SPAN(9000, 10000) },
	     { .kind = TKS_CUPTI_KERNEL, .name = 9, .correlation = 4, SPAN(10000, 10500) },
	     { .kind = TKS_CUPTI_GRAPH, .graph = 1, .correlation = 5, SPAN(20000, 90000) },
	     { .kind = TKS_CUPTI_MEMCPY,
	       .sub = TKS_CUPTI_HTOD,
	       .bytes = 4096,
	       SPAN(100000, 101000) },
	     { .kind = TKS_CUPTI_MEMCPY,
	       .sub = TKS_CUPTI_HTOD,
	       .bytes = 100,
	       SPAN(102000, 102200) },
	     { .kind = TKS_CUPTI_MEMCPY, .sub = 200, .bytes = 7, SPAN(103000, 103100) },
	     { .kind = TKS_CUPTI_MEMSET, .bytes = 8, SPAN(104000, 104300) },
	     { .kind = TKS_CUPTI_OVERHEAD, SPAN(1, 2) });
	activity_tick(w->a, NOW);

	check_hist(w->r, M_GPU_KERNEL_DURATION, LABELS("class", "norm", "gpu", "0"), 1, 2e-6);
	check_hist(w->r, M_GPU_KERNEL_DURATION, LABELS("class", "gemm", "hw_id", UUID_1), 2, 6e-6);
	check_hist(w->r, M_GPU_KERNEL_DURATION, LABELS("class", "other"), 1, 0.5e-6);
	check_hist(w->r, M_GPU_GRAPH_DURATION, LABELS("service_name", "one"), 1, 70e-6);
	check_hist(w->r, M_GPU_MEMCPY_DURATION, LABELS("kind", "htod"), 2, 1.2e-6);
	check_hist(w->r, M_GPU_MEMCPY_DURATION, LABELS("kind", "unknown"), 1, 0.1e-6);
	check_value(w->r, M_GPU_MEMCPY_IO, LABELS("kind", "htod"), 4196);
	check_value(w->r, M_GPU_MEMCPY_IO, LABELS("kind", "unknown"), 7);
	check_value(w->r, M_GPU_BUSY, LABELS("gpu", "0", "hw_id", UUID_1),
		    (2000 + 5000 + 1500 + 70000 + 1000 + 200 + 100 + 300) / 1e9);
	check_value(w->r, M_GPU_RECORDS, LABELS("kind", "kernel"), 4);
	check_value(w->r, M_GPU_RECORDS, LABELS("kind", "overhead"), 1);
	check_value(w->r, M_GPU_RECORDS_DISCARDED, LABELS("reason", "unnamed"), 1);
	check_value(w->r, M_GPU_RECORDS_DISCARDED, LABELS("reason", "unknown_device"), -1);
	assert_int_equal(w->works, 9);
	assert_int_equal(w->batches, 1);
	assert_int_equal(w->busy_ns, 2000 + 5000 + 1000 + 500 + 70000 + 1000 + 200 + 100 + 300);
	assert_string_equal(w->name, "ampere_bf16_s16816gemm_bf16");

	/* What was published once is not published again. */
	activity_tick(w->a, NOW + MS);
	check_hist(w->r, M_GPU_GRAPH_DURATION, LABELS(0), 1, 70e-6);
	check_value(w->r, M_GPU_MEMCPY_IO, LABELS("kind", "htod"), 4196);
}

static void graph(struct world *w, uint32_t tgid, uint64_t told_ns, uint64_t start_ns,
		  uint64_t end_ns)
{
	const struct tks_cupti_record r = { .kind = TKS_CUPTI_GRAPH,
					    .start_ns = start_ns,
					    .end_ns = end_ns };

	tell_batch(w->a, tgid, told_ns, &r, 1);
}

static void test_busy_of_two_processes(void **state)
{
	struct world *w = *state;

	tell_device(w->a, 10, 0, 1);
	tell_device(w->a, 20, 1, 1); /* the same GPU by another number */
	TELL(w->a, 10, { .kind = TKS_CUPTI_GRAPH, SPAN(1000, 5000) },
	     { .kind = TKS_CUPTI_GRAPH, SPAN(8000, 9000) });
	TELL(w->a, 20, { .kind = TKS_CUPTI_GRAPH, .device = 1, SPAN(0, 3000) },
	     { .kind = TKS_CUPTI_GRAPH, .device = 1, SPAN(4500, 8500) });
	activity_tick(w->a, NOW);
	check_value(w->r, M_GPU_BUSY, LABELS("gpu", "0"), 9000 / 1e9);

	/* A batch that is five seconds late fills what was idle, and nothing else. */
	activity_tick(w->a, NOW + 5000 * MS);
	graph(w, 10, NOW + 5000 * MS, NOW - 1000 * MS, NOW - 1000 * MS + 20000);
	activity_tick(w->a, NOW + 5000 * MS);
	check_value(w->r, M_GPU_BUSY, LABELS("gpu", "0"), 20000 / 1e9);
	check_value(w->r, M_GPU_RECORDS_DISCARDED, LABELS("reason", "late"), -1);
	check_value(w->r, M_GPU_RECORDS_DISCARDED, LABELS("reason", "unordered"), 1);

	/* One that is too late to tell: only what lies behind the horizon counts. */
	activity_tick(w->a, NOW + 9000 * MS + 30000);
	graph(w, 10, NOW + 9000 * MS + 30000, NOW - 2000 * MS, NOW - 1000 * MS + 40000);
	activity_tick(w->a, NOW + 9000 * MS + 30000);
	check_value(w->r, M_GPU_BUSY, LABELS("gpu", "0"), 30000 / 1e9);
	check_value(w->r, M_GPU_RECORDS_DISCARDED, LABELS("reason", "late"), 1);
}

/* ------------------------------------------------------------------ which GPU */

/* CUDA_VISIBLE_DEVICES=1,0 in one process, 0,1 in the other. */
static void test_permuted_devices(void **state)
{
	struct world *w = *state;

	tell_device(w->a, 10, 0, 2);
	tell_device(w->a, 10, 1, 1);
	tell_device(w->a, 11, 0, 1);
	tell_device(w->a, 11, 1, 2);
	TELL(w->a, 10, { .kind = TKS_CUPTI_GRAPH, .device = 0, SPAN(0, 100) },
	     { .kind = TKS_CUPTI_GRAPH, .device = 1, SPAN(0, 1000) });
	TELL(w->a, 11, { .kind = TKS_CUPTI_GRAPH, .device = 1, SPAN(200, 210) },
	     { .kind = TKS_CUPTI_GRAPH, .device = 0, SPAN(2000, 2001) });
	activity_tick(w->a, NOW);
	check_value(w->r, M_GPU_BUSY, LABELS("gpu", "1", "hw_id", UUID_2), 110 / 1e9);
	check_value(w->r, M_GPU_BUSY, LABELS("gpu", "0", "hw_id", UUID_1), 1001 / 1e9);
	check_hist(w->r, M_GPU_GRAPH_DURATION, LABELS("gpu", "1"), 2, 110e-9);
	check_value(w->r, M_SERVER_GPUS, LABELS("service_name", "one"), 2);
	check_value(w->r, M_GPU_INFO, LABELS("gpu", "1", "hw_id", UUID_2), 1);
	check_value(w->r, M_GPU_INFO, LABELS("gpu", "0", "UUID", UUID_1), 1);
	activity_tell_info(w->a, false);
	activity_tick(w->a, NOW);
	check_value(w->r, M_GPU_INFO, LABELS(0), -1);
}

static void test_unknown_device(void **state)
{
	struct world *w = *state;

	TELL(w->a, 10, { .kind = TKS_CUPTI_GRAPH, SPAN(0, 100) });
	TELL(w->a, 20, { .kind = TKS_CUPTI_GRAPH, SPAN(50, 150) });
	tell_device(w->a, 30, 0, 9); /* the driver does not tell its minor */
	TELL(w->a, 30, { .kind = TKS_CUPTI_GRAPH, SPAN(0, 7) });
	activity_tick(w->a, NOW);
	/* Nobody knows that they are one GPU. */
	check_value(w->r, M_GPU_BUSY, LABELS("gpu", "unknown", "hw_id", ""), 200 / 1e9);
	check_value(w->r, M_GPU_BUSY,
		    LABELS("gpu", "unknown", "hw_id", "GPU-09090909-0909-0909-0909-090909090909"),
		    7 / 1e9);
	check_value(w->r, M_GPU_RECORDS_DISCARDED, LABELS("reason", "unknown_device"), 2);

	/* Once it is announced, what was counted stays. */
	tell_device(w->a, 10, 0, 1);
	TELL(w->a, 10, { .kind = TKS_CUPTI_GRAPH, SPAN(200, 300) });
	activity_tick(w->a, NOW);
	check_value(w->r, M_GPU_BUSY, LABELS("gpu", "unknown", "hw_id", ""), 200 / 1e9);
	check_value(w->r, M_GPU_BUSY, LABELS("gpu", "0"), 100 / 1e9);
	check_value(w->r, M_GPU_RECORDS_DISCARDED, LABELS("reason", "unknown_device"), 2);
}

static void test_mig(void **state)
{
	struct world *w = *state;
	struct tks_cupti_device_record r = {
		.h = { .kind = TKS_KIND_CUPTI_DEVICE, .size = sizeof(r), .tgid = 10 },
		.device = { .mig = 1, .pci_bus = 1, .uuid = { 0xab, 0xcd } },
	};
	const char *uuid = "MIG-abcd0000-0000-0000-0000-000000000000";

	activity_record(w->a, &r.h);
	TELL(w->a, 10, { .kind = TKS_CUPTI_GRAPH, SPAN(0, 100) });
	activity_tick(w->a, NOW);
	check_value(w->r, M_GPU_BUSY, LABELS("gpu", "0", "hw_id", uuid), 100 / 1e9);
	check_value(w->r, M_GPU_INFO, LABELS("hw_id", uuid, "UUID", UUID_1), 1);
}

static void test_gpus_of_servers(void **state)
{
	struct world *w = *state;

	/* Two workers on a GPU each, the first on both; another server on the second; one has not begun to work. */
	for (uint32_t tgid = 10; tgid <= 12; tgid++) {
		tell_device(w->a, tgid, 0, 1);
		tell_device(w->a, tgid, 1, 2);
	}
	tell_device(w->a, 20, 0, 2);
	tell_device(w->a, 99, 0, 2);
	TELL(w->a, 10, { .kind = TKS_CUPTI_GRAPH, .device = 0, SPAN(0, 100) },
	     { .kind = TKS_CUPTI_GRAPH, .device = 1, SPAN(0, 100) });
	TELL(w->a, 11, { .kind = TKS_CUPTI_GRAPH, .device = 1, SPAN(0, 100) });
	TELL(w->a, 20, { .kind = TKS_CUPTI_GRAPH, SPAN(0, 100) });
	TELL(w->a, 99, { .kind = TKS_CUPTI_GRAPH, SPAN(0, 50) });
	activity_tick(w->a, NOW);
	activity_tick(w->a, NOW);
	check_value(w->r, M_SERVER_GPUS, LABELS("service_name", "one"), 2);
	check_value(w->r, M_SERVER_GPUS, LABELS("service_name", "two"), 1);
	check_hist(w->r, M_GPU_GRAPH_DURATION, LABELS("service_name", ""), 1, 50e-9);
}

/* ------------------------------------------------------------------ launches and gaps */

static void test_launch_delay(void **state)
{
	struct world *w = *state;

	tell_device(w->a, 10, 0, 1);
	TELL(w->a, 10, { .kind = TKS_CUPTI_GRAPH, .correlation = 1, SPAN(9000, 9500) },
	     { .kind = TKS_CUPTI_LAUNCH, .correlation = 1, SPAN(2000, 3000) },
	     { .kind = TKS_CUPTI_LAUNCH, .correlation = 2, SPAN(2500, 2600) },
	     { .kind = TKS_CUPTI_LAUNCH, .correlation = 3, SPAN(2700, 2800) },
	     { .kind = TKS_CUPTI_LAUNCH, .correlation = 4, SPAN(5000, 5100) });
	TELL(w->a, 10,
	     { .kind = TKS_CUPTI_KERNEL, .correlation = 2, .graph_node = 1, SPAN(9500, 9600) },
	     { .kind = TKS_CUPTI_KERNEL, .correlation = 2, .graph_node = 2, SPAN(9700, 9800) },
	     { .kind = TKS_CUPTI_GRAPH, .correlation = 4, SPAN(4900, 4950) },
	     { .kind = TKS_CUPTI_GRAPH, .correlation = 5, SPAN(9900, 9950) },
	     /* Copies have no launching call. */
	     { .kind = TKS_CUPTI_MEMCPY, .correlation = 6, SPAN(9900, 9950) });
	/* The same number in another process is another call. */
	TELL(w->a, 11, { .kind = TKS_CUPTI_GRAPH, .correlation = 3, SPAN(9000, 9500) });
	activity_tick(w->a, NOW);
	check_hist(w->r, M_GPU_LAUNCH_DELAY, LABELS("service_name", "one"), 2, 14e-6);
	check_value(w->r, M_GPU_RECORDS_DISCARDED, LABELS("reason", "reversed"), 1);
	check_value(w->r, M_GPU_RECORDS_DISCARDED, LABELS("reason", "unmatched_work"), -1);
	activity_tick(w->a, NOW + 11000 * MS);
	check_value(w->r, M_GPU_RECORDS_DISCARDED, LABELS("reason", "unmatched_work"), 2);
	check_value(w->r, M_GPU_RECORDS_DISCARDED, LABELS("reason", "unmatched_launch"), 1);
}

static void test_step_gap(void **state)
{
	struct world *w = *state;

	tell_device(w->a, 10, 0, 1);
	/* Steps at 1, 2, 3 and 4 us. The second was launched when the GPU was idle, the third before that. */
	TELL(w->a, 10, { .kind = TKS_CUPTI_GRAPH, .correlation = 1, SPAN(1000, 1500) },
	     { .kind = TKS_CUPTI_GRAPH, .correlation = 3, SPAN(3000, 3400) },
	     { .kind = TKS_CUPTI_LAUNCH, .correlation = 3, SPAN(2100, 2600) });
	TELL(w->a, 10, { .kind = TKS_CUPTI_LAUNCH, .correlation = 2, SPAN(1600, 1700) },
	     { .kind = TKS_CUPTI_GRAPH, .correlation = 2, SPAN(2000, 2200) },
	     { .kind = TKS_CUPTI_GRAPH, .correlation = 4, SPAN(4000, 4500) },
	     { .kind = TKS_CUPTI_GRAPH, .correlation = 5, SPAN(5000, 5500) });
	/* The call is told after its work, and ends the gap before 4 us: launched in it. Of 5 us nothing is known. */
	TELL(w->a, 10, { .kind = TKS_CUPTI_LAUNCH, .correlation = 4, SPAN(3400, 3900) });
	activity_tick(w->a, NOW);
	check_hist(w->r, M_GPU_STEP_GAP, LABELS(0), -1, 0); /* not settled yet */
	activity_tick(w->a, NOW + 2000 * MS);
	check_hist(w->r, M_GPU_STEP_GAP, LABELS("gpu", "0"), 2, 500e-9 + 600e-9);
}

static void test_idle_is_no_step_gap(void **state)
{
	struct world *w = *state;

	tell_device(w->a, 10, 0, 1);
	TELL(w->a, 10, { .kind = TKS_CUPTI_GRAPH, .correlation = 1, SPAN(0, 100) },
	     { .kind = TKS_CUPTI_LAUNCH, .correlation = 2, SPAN(999999900, 999999950) },
	     { .kind = TKS_CUPTI_GRAPH, .correlation = 2, SPAN(1000000100, 1000000200) });
	activity_process_gone(w->a, 10);
	check_hist(w->r, M_GPU_STEP_GAP, LABELS(0), -1, 0);
}

/* ------------------------------------------------------------------ what cannot be */

static void test_impossible_times(void **state)
{
	struct world *w = *state;

	tell_device(w->a, 10, 0, 1);
	TELL(w->a, 10, { .kind = TKS_CUPTI_GRAPH, .start_ns = 0, .end_ns = 0 },
	     { .kind = TKS_CUPTI_GRAPH, SPAN(10, 9) },
	     { .kind = TKS_CUPTI_GRAPH, .start_ns = NOW, .end_ns = NOW + 101 * MS },
	     { .kind = TKS_CUPTI_LAUNCH, SPAN(10, 9) }, { .kind = 0, SPAN(1, 2) },
	     { .kind = 77, SPAN(1, 2) }, { .kind = TKS_CUPTI_GRAPH, SPAN(10, 10) });
	activity_tick(w->a, NOW);
	check_value(w->r, M_GPU_RECORDS_DISCARDED, LABELS("reason", "invalid_time"), 4);
	check_value(w->r, M_GPU_RECORDS_DISCARDED, LABELS("reason", "unknown_kind"), 2);
	assert_int_equal(w->losses, 3 + 2); /* a launch is no work */
	assert_int_equal(w->loser, 10);
	check_hist(w->r, M_GPU_GRAPH_DURATION, LABELS(0), 1, 0);
	check_value(w->r, M_GPU_BUSY, LABELS(0), -1);
}

static void test_sizes(void **state)
{
	struct world *w = *state;
	union gpu_record r = { 0 };

	r.batch.h =
		(struct tks_header){ .kind = TKS_KIND_CUPTI_ACTIVITY, .time_ns = NOW, .tgid = 10 };
	r.batch.h.size = sizeof(r.batch) + 2 * sizeof(r.batch.records[0]) - 1;
	r.batch.version = TKS_CUPTI_VERSION;
	r.batch.count = 2;
	activity_record(w->a, &r.h); /* more than fit */
	r.batch.count = UINT32_MAX / sizeof(r.batch.records[0]) + 2;
	activity_record(w->a, &r.h); /* the product wraps around */
	r.batch.count = 0;
	r.batch.version = 2;
	activity_record(w->a, &r.h);
	for (uint16_t kind = TKS_KIND_CUPTI_ACTIVITY; kind <= TKS_KIND_CUPTI_STATUS; kind++) {
		r.h.kind = kind;
		r.h.size = sizeof(r.h);
		activity_record(w->a, &r.h);
	}
	assert_int_equal(activity_discarded(w->a, DISCARD_MALFORMED), 7);
	assert_int_equal(w->losses, 7);
	r.h.kind = TKS_KIND_GPU;
	activity_record(w->a, &r.h);
	assert_int_equal(activity_discarded(w->a, DISCARD_MALFORMED), 7);
	tell_device(w->a, 10, GPU_ORDINALS_MAX, 1);
	assert_int_equal(activity_discarded(w->a, DISCARD_NO_ROOM), 1);
	TELL(w->a, 10, { .kind = TKS_CUPTI_GRAPH, .device = GPU_ORDINALS_MAX, SPAN(0, 100) });
	assert_int_equal(activity_discarded(w->a, DISCARD_NO_ROOM), 2);
	assert_int_equal(w->losses, 8);
}

/* ------------------------------------------------------------------ processes */

static void tell_status(struct world *w, uint32_t tgid, uint32_t state, uint64_t dropped,
			uint64_t cpu_ns)
{
	struct tks_cupti_status_record r = {
		.h = { .kind = TKS_KIND_CUPTI_STATUS,
		       .size = sizeof(r),
		       .time_ns = NOW,
		       .tgid = tgid },
		.status = { .state = state, .dropped = dropped, .cpu_ns = cpu_ns },
	};

	activity_record(w->a, &r.h);
}

static void test_status(void **state)
{
	struct world *w = *state;

	tell_status(w, 10, TKS_CUPTI_ACTIVE, 5, 1000);
	tell_status(w, 11, TKS_CUPTI_ACTIVE, 0, 500);
	tell_status(w, 20, TKS_CUPTI_ACTIVE, 1, 0);
	tell_status(w, 10, TKS_CUPTI_STOOD_DOWN, 7, 1500);
	activity_tick(w->a, NOW);
	check_value(w->r, M_GPU_CUPTI_PROCESSES, LABELS("state", "active", "service_name", "one"),
		    1);
	check_value(w->r, M_GPU_CUPTI_PROCESSES, LABELS("state", "active", "service_name", "two"),
		    1);
	check_value(w->r, M_GPU_CUPTI_PROCESSES,
		    LABELS("state", "stood_down", "service_name", "one"), 1);
	check_value(w->r, M_GPU_CUPTI_LOST, LABELS("reason", "dropped", "service_name", "one"), 7);
	check_value(w->r, M_GPU_CUPTI_LOST, LABELS("reason", "dropped", "service_name", "two"), 1);
	check_value(w->r, M_GPU_CUPTI_CPU, LABELS("service_name", "one"), 2e-6);

	/* Another program in the same process begins at 0. */
	tell_status(w, 10, TKS_CUPTI_IDLE, 2, 100);
	activity_process_gone(w->a, 11);
	activity_process_gone(w->a, 20);
	activity_tick(w->a, NOW);
	check_value(w->r, M_GPU_CUPTI_PROCESSES, LABELS("state", "active", "service_name", "one"),
		    0);
	check_value(w->r, M_GPU_CUPTI_PROCESSES, LABELS("state", "active", "service_name", "two"),
		    0);
	check_value(w->r, M_GPU_CUPTI_PROCESSES, LABELS("state", "idle", "service_name", "one"), 1);
	check_value(w->r, M_GPU_CUPTI_LOST, LABELS("reason", "dropped", "service_name", "one"), 9);
	check_value(w->r, M_GPU_CUPTI_CPU, LABELS("service_name", "one"), 2.1e-6);
}

/* Counters that tell of lost work, and those that do not. */
static void test_lost_work(void **state)
{
	struct world *w = *state;
	struct tks_cupti_status_record r = {
		.h = { .kind = TKS_KIND_CUPTI_STATUS,
		       .size = sizeof(r),
		       .time_ns = NOW,
		       .tgid = 11 },
	};
	__u64 *const losses[] = { &r.status.dropped, &r.status.invalid, &r.status.unknown,
				  &r.status.buffers_refused };

	for (size_t i = 0; i < 4; i++) {
		++*losses[i];
		activity_record(w->a, &r.h);
		assert_int_equal(w->losses, i + 1);
		assert_int_equal(w->loser, 11);
	}
	r.status.records++;
	r.status.unparsed++;
	r.status.names_lost++;
	r.status.cpu_ns++;
	r.status.overhead_ns++;
	activity_record(w->a, &r.h);
	assert_int_equal(w->losses, 4);
}

static uint64_t intervals_of_gpu(const struct world *w)
{
	const struct gpu *g = devices_next_gpu(activity_devices(w->a), NULL);
	struct busy_stats stats;

	assert_non_null(g);
	busy_get_stats(g->busy, &stats);
	return stats.intervals;
}

static void test_process_gone(void **state)
{
	struct world *w = *state;

	tell_device(w->a, 10, 0, 1);
	tell_name(w->a, 10, 1, "gemm");
	TELL(w->a, 10, { .kind = TKS_CUPTI_KERNEL, .name = 1, .correlation = 1, SPAN(0, 100) });
	activity_process_gone(w->a, 10);
	/* It is told before anything is forgotten. */
	check_hist(w->r, M_GPU_KERNEL_DURATION, LABELS("class", "gemm"), 1, 100e-9);
	assert_null(devices_next_use(activity_devices(w->a), NULL));
	activity_tick(w->a, NOW);
	check_value(w->r, M_GPU_BUSY, LABELS("gpu", "0"), 100 / 1e9);
	assert_int_equal(intervals_of_gpu(w), 1);
	activity_tick(w->a, NOW + 20000 * MS);
	assert_int_equal(intervals_of_gpu(w), 0);

	/* The next process of that number has neither names nor devices. */
	TELL(w->a, 10, { .kind = TKS_CUPTI_KERNEL, .name = 1, SPAN(0, 100) });
	activity_tick(w->a, NOW);
	check_hist(w->r, M_GPU_KERNEL_DURATION, LABELS("class", "other", "gpu", "unknown"), 1,
		   100e-9);
}

/* The driver has another GPU at that address, so nobody knows where this one is until somebody says what can be. */
static void test_index_found_later(void **state)
{
	struct world *w = *state;
	struct tks_cupti_device_record r = {
		.h = { .kind = TKS_KIND_CUPTI_DEVICE, .size = sizeof(r), .tgid = 30 },
		.device = { .pci_bus = 2 },
	};

	memset(r.device.uuid, 1, sizeof(r.device.uuid));
	activity_record(w->a, &r.h);
	TELL(w->a, 30, { .kind = TKS_CUPTI_GRAPH, SPAN(0, 100) });
	activity_tick(w->a, NOW);
	check_value(w->r, M_GPU_BUSY, LABELS("gpu", "unknown", "hw_id", UUID_1), 100 / 1e9);
	check_value(w->r, M_GPU_INFO, LABELS("gpu", "unknown", "hw_id", UUID_1), 1);
	check_value(w->r, M_GPU_BUSY, LABELS("gpu", "1"), -1);

	tell_device(w->a, 10, 0, 1);
	TELL(w->a, 10, { .kind = TKS_CUPTI_GRAPH, SPAN(200, 250) });
	activity_tick(w->a, NOW);
	/* One series has it all. */
	check_value(w->r, M_GPU_BUSY, LABELS("hw_id", UUID_1), 150 / 1e9);
	check_value(w->r, M_GPU_BUSY, LABELS("gpu", "0"), 150 / 1e9);
	check_value(w->r, M_GPU_INFO, LABELS("hw_id", UUID_1), 1);
	activity_record(w->a, &r.h);
	activity_tick(w->a, NOW);
	check_value(w->r, M_GPU_BUSY, LABELS("gpu", "0", "hw_id", UUID_1), 150 / 1e9);
}

static void tell_made_up(struct world *w, uint32_t tgid, uint32_t number)
{
	struct tks_cupti_device_record r = {
		.h = { .kind = TKS_KIND_CUPTI_DEVICE, .size = sizeof(r), .tgid = tgid },
		.device = { .pci_bus = 9 },
	};

	memcpy(r.device.uuid, &number, sizeof(number));
	activity_record(w->a, &r.h);
}

/* However many GPUs processes make up, those of others are known, and what one was busy is never less than it was. */
static void test_made_up_gpus(void **state)
{
	static const char uuid[] = "GPU-01000000-0000-0000-0000-000000000000";
	struct world *w = *state;

	tell_made_up(w, 30, 1);
	TELL(w->a, 30, { .kind = TKS_CUPTI_GRAPH, SPAN(0, 100) });
	activity_tick(w->a, NOW);
	for (uint32_t i = 2; i < 3000; i++) {
		activity_process_gone(w->a, 30);
		tell_made_up(w, 30, i);
	}
	activity_process_gone(w->a, 30);
	tell_made_up(w, 30, 1);
	TELL(w->a, 30, { .kind = TKS_CUPTI_GRAPH, SPAN(200, 210) });
	tell_device(w->a, 10, 0, 1);
	TELL(w->a, 10, { .kind = TKS_CUPTI_GRAPH, SPAN(0, 7) });
	activity_tick(w->a, NOW);
	check_value(w->r, M_GPU_BUSY, LABELS("hw_id", uuid), 110 / 1e9);
	check_value(w->r, M_GPU_BUSY, LABELS("gpu", "0"), 7 / 1e9);
	check_value(w->r, M_GPU_RECORDS_DISCARDED, LABELS("reason", "no_room"), -1);
	/* One process, one ordinal: a few. */
	for (uint32_t i = 3000; i < 3100; i++)
		tell_made_up(w, 20, i);
	activity_tick(w->a, NOW);
	check_value(w->r, M_GPU_RECORDS_DISCARDED, LABELS("reason", "no_room"), 95);
}

#define in_world(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_world(test_durations),
		in_world(test_busy_of_two_processes),
		in_world(test_permuted_devices),
		in_world(test_unknown_device),
		in_world(test_mig),
		in_world(test_gpus_of_servers),
		in_world(test_launch_delay),
		in_world(test_step_gap),
		in_world(test_idle_is_no_step_gap),
		in_world(test_impossible_times),
		in_world(test_sizes),
		in_world(test_status),
		in_world(test_lost_work),
		in_world(test_process_gone),
		in_world(test_index_found_later),
		in_world(test_made_up_gpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
