// SPDX-License-Identifier: Apache-2.0
/* tokscope_gpu_info: which rows there are while NVML comes, hangs and comes back, and CUPTI tells of the same GPU. */
#include <time.h>

#include "base/log.h"
#include "cli/nvml_metrics.h"
#include "gpu_proc.h"
#include "gpu_world.h"
#include "nvml_world.h"

#define HOUR_NS (3600 * NSEC_PER_SEC)

/* One GPU and an instance of it, as NVML and as CUPTI and the driver's list tell of them. */
#define ONE_GPU	 "count=1\n0.uuid=" UUID_1 "\n0.name=NVIDIA H100\n0.power=1000\n"
#define UUID_MIG "MIG-abcd0000-0000-0000-0000-000000000000"
#define MIG                                                        \
	"0.mig=1\n0.mig.0.uuid=" UUID_MIG "\n0.mig.0.instance=9\n" \
	"0.mig.0.name=NVIDIA H100 MIG 1g.10gb\n"

struct stage {
	struct gpu_proc proc;
	struct gpu_inventory *inventory;
	struct registry *r;
	struct activity *a;
	struct nvml_metrics *nvml;
};

static void nobody(void *ctx, uint32_t tgid, struct activity_owner *out)
{
	(void)ctx;
	(void)tgid;
	(void)out;
}

static void start(struct stage *s, const struct nvml_world *w)
{
	const struct registry_config rc = { 0 };
	const struct config c = { .nvml = NVML_ON, .nvml_path = w->library, .nvml_interval_ms = 1 };
	struct activity_config ac = { .owner = nobody };
	const struct tks_cupti_device_record instance = {
		.h = { .kind = TKS_KIND_CUPTI_DEVICE, .size = sizeof(instance), .tgid = 11 },
		.device = { .mig = 1, .pci_bus = 1, .uuid = { 0xab, 0xcd } },
	};

	gpu_proc_open(&s->proc);
	gpu_proc_list(&s->proc, "0000:01:00.0", "GPU UUID: \t " UUID_1 "\nDevice Minor: \t 0\n");
	log_set_level(LOG_LEVEL_ERROR);
	s->r = registry_new(&rc);
	s->inventory = ac.inventory = gpu_inventory_new(s->proc.path);
	s->a = activity_new(s->r, &ac);
	tell_device(s->a, 10, 0, 1);
	activity_record(s->a, &instance.h);
	s->nvml = nvml_metrics_new(s->r, &c);
	assert_non_null(s->nvml);
}

static void end(struct stage *s)
{
	nvml_metrics_free(s->nvml);
	activity_free(s->a);
	gpu_inventory_free(s->inventory);
	registry_free(s->r);
	gpu_proc_close(&s->proc);
}

/* What the meter does once a second. ahead_ns: by how much the clock is taken to be later. */
static void tick(struct stage *s, uint64_t ahead_ns)
{
	const struct timespec pause = { .tv_nsec = 5 * NSEC_PER_MSEC };

	nvml_metrics_update(s->nvml, clock_monotonic_ns() + ahead_ns);
	activity_tell_info(s->a, !nvml_metrics_told(s->nvml));
	activity_tick(s->a, NOW);
	nvml_metrics_tell_info(s->nvml);
	nanosleep(&pause, NULL);
}

static bool has_power(const struct stage *s)
{
	return value_of(s->r, M_HW_POWER, LABELS(0), NULL) != -1;
}

/* One row each, not two. */
static void check_rows(const struct stage *s)
{
	check_value(s->r, M_GPU_INFO, LABELS("hw_id", UUID_1), 1);
	check_value(s->r, M_GPU_INFO, LABELS("hw_id", UUID_MIG), 1);
}

static void tick_until_power(struct stage *s, bool want, uint64_t ahead_ns)
{
	for (int i = 0; i < 4000 && has_power(s) != want; i++) {
		tick(s, ahead_ns);
		check_rows(s);
	}
	assert_int_equal(has_power(s), want);
}

/* The row of the instance that only NVML can tell. */
static bool has_id(const struct stage *s)
{
	return value_of(s->r, M_GPU_INFO, LABELS("hw_id", UUID_MIG, "GPU_I_ID", "9"), NULL) == 1;
}

/* CUPTI has told of them first: NVML's rows take over, of which one is the same series, and leave no hole. */
static void test_nvml_comes_later(void **state)
{
	struct stage s;

	answer(*state, ONE_GPU MIG "hang=init\n");
	start(&s, *state);
	tick(&s, 0);
	assert_false(nvml_metrics_told(s.nvml));
	check_rows(&s);
	answer(*state, ONE_GPU MIG);
	tick_until_power(&s, true, 0);
	assert_true(has_id(&s));
	end(&s);
}

/* Its figures go; what the GPUs are called stays until it says that they are not there any more. */
static void test_nvml_hangs_for_a_while(void **state)
{
	struct stage s;

	answer(*state, ONE_GPU MIG);
	start(&s, *state);
	tick_until_power(&s, true, 0);
	answer(*state, ONE_GPU MIG "hang=power\n");
	for (int i = 0; i < 20; i++) /* what was under way ends */
		tick(&s, 0);
	tick_until_power(&s, false, HOUR_NS);
	assert_true(has_id(&s));
	answer(*state, ONE_GPU);
	for (int i = 0; i < 4000 && has_id(&s); i++)
		tick(&s, 0);
	assert_false(has_id(&s));
	check_value(s.r, M_GPU_INFO, LABELS("hw_id", UUID_1), 1);
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(test_nvml_comes_later),
		WITH_WORLD(test_nvml_hangs_for_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
