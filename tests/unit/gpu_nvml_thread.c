// SPDX-License-Identifier: Apache-2.0
/* When NVML is read at all, and what happens when it hangs. */
#include "nvml_world.h"

#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "gpu/nvml.h"
#include "gpu/nvml_dcgm.h"

#define ONE_GPU "count=1\n0.uuid=GPU-aa\n0.name=NVIDIA L4\n0.power=1000\n"
#define HOUR_NS (3600 * NSEC_PER_SEC)

/* Until there is one. now_ns is what the clock is taken for: far ahead, a call under way has hung. */
static struct nvml_sample *await(struct nvml *n, uint64_t ahead_ns)
{
	const struct timespec pause = { .tv_nsec = 5 * NSEC_PER_MSEC };

	for (int i = 0; i < 4000; i++) {
		struct nvml_sample *s = nvml_take(n, clock_monotonic_ns() + ahead_ns);

		if (s)
			return s;
		nanosleep(&pause, NULL);
	}
	fail_msg("no sample came");
	return NULL;
}

static struct nvml_sample *await_unread(struct nvml *n, uint64_t ahead_ns)
{
	struct nvml_sample *s = await(n, ahead_ns);

	while (s->read) {
		nvml_sample_free(s);
		s = await(n, ahead_ns);
	}
	return s;
}

static struct nvml *start(const struct nvml_world *w, bool always)
{
	const struct nvml_config config = { .always = always,
					    .path = w->library,
					    .interval_ns = NSEC_PER_MSEC,
					    .proc = w->folder };
	struct nvml *n;

	log_set_level(LOG_LEVEL_ERROR);
	n = nvml_new(&config);
	assert_non_null(n);
	return n;
}

static void test_reads_again_and_again(void **state)
{
	struct nvml_sample *s;
	struct nvml *n;

	answer(*state, ONE_GPU);
	n = start(*state, false);
	for (int i = 0; i < 3; i++) {
		s = await(n, 0);
		assert_true(s->read);
		assert_int_equal(s->gpu_count, 1);
		assert_true(s->gpus[0].values[NVML_POWER] == 1);
		nvml_sample_free(s);
	}
	nvml_free(n);
}

static void test_hang(void **state)
{
	struct nvml_sample *s;
	struct nvml *n;

	answer(*state, ONE_GPU);
	n = start(*state, false);
	nvml_sample_free(await(n, 0));
	answer(*state, ONE_GPU "hang=power\n");
	s = await_unread(n, HOUR_NS);
	assert_int_equal(s->gpu_count, 0);
	assert_int_equal(s->failures[NVML_FAILED_STALLED], 1);
	nvml_sample_free(s);
	nvml_free(n); /* returns although the thread never does */
}

/* A call that returns late did not hang for good: it is counted, and GPUs are read on. */
static void test_late(void **state)
{
	struct nvml_sample *s;
	struct nvml *n;

	answer(*state, ONE_GPU);
	n = start(*state, false);
	for (uint64_t times = 1; times <= 2; times++) {
		nvml_sample_free(await(n, 0));
		answer(*state, ONE_GPU "hang=power\n");
		s = await_unread(n, HOUR_NS);
		assert_int_equal(s->failures[NVML_FAILED_STALLED], times);
		nvml_sample_free(s);
		answer(*state, ONE_GPU);
		s = await(n, 0);
		assert_true(s->read);
		assert_int_equal(s->gpu_count, 1);
		assert_int_equal(s->failures[NVML_FAILED_STALLED], times);
		nvml_sample_free(s);
	}
	nvml_free(n);
}

/* It answers no more: what was known is withdrawn. */
static void test_gone(void **state)
{
	struct nvml_sample *s;
	struct nvml *n;

	answer(*state, ONE_GPU);
	n = start(*state, false);
	nvml_sample_free(await(n, 0));
	answer(*state, "count=!999\n");
	s = await_unread(n, 0);
	assert_int_equal(s->failures[NVML_FAILED_UNKNOWN], 1);
	nvml_sample_free(s);
	nvml_free(n);
}

/* ------------------------------------------------------------------ wanted or not */

static void test_dcgm_by_name(void **state)
{
	const struct nvml_world *w = *state;

	assert_false(dcgm_exporter_runs(w->folder));
	write_file(w, "77/comm", "dcgm-exporter2\n");
	write_file(w, "self/comm", "dcgm-exporter\n");
	assert_false(dcgm_exporter_runs(w->folder));
	write_file(w, "4711/comm", "dcgm-exporter\n");
	assert_true(dcgm_exporter_runs(w->folder));
}

#define HEAD "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt\n"

static void test_dcgm_by_port(void **state)
{
	const struct nvml_world *w = *state;

	/* connected to 9400 somewhere, from 9400, and a listener next to it */
	write_file(w, "net/tcp",
		   HEAD "   0: 0100007F:C350 0100007F:24B8 01 00000000:00000000 00:00000000 0\n"
			"   1: 0100007F:24B8 0100007F:C350 01 00000000:00000000 00:00000000 0\n"
			"   2: 00000000:24B9 00000000:0000 0A 00000000:00000000 00:00000000 0\n");
	assert_false(dcgm_exporter_runs(w->folder));
	write_file(w, "net/tcp6",
		   HEAD "  10: 00000000000000000000000000000000:24B8 "
			"00000000000000000000000000000000:0000 0A 00000000:00000000 0\n");
	assert_true(dcgm_exporter_runs(w->folder));
}

static void test_not_beside_dcgm(void **state)
{
	const struct nvml_world *w = *state;
	struct nvml_sample *s;
	struct nvml *n;

	answer(w, ONE_GPU "hang=init\n");
	write_file(w, "4711/comm", "dcgm-exporter\n");
	n = start(w, false);
	nvml_free(n); /* waits for the thread, which would hang */
	answer(w, ONE_GPU);
	n = start(w, true);
	s = await(n, 0);
	assert_int_equal(s->gpu_count, 1);
	nvml_sample_free(s);
	nvml_free(n);
}

static void test_probe(void **state)
{
	const struct nvml_world *w = *state;
	struct nvml_config config = { .proc = w->folder };
	char detail[NVML_DETAIL_MAX];

	assert_false(nvml_probe(&config, detail));
	assert_string_equal(detail, "no NVIDIA driver is loaded here");
	config.path = w->library;
	answer(w, "init=!9\n");
	assert_false(nvml_probe(&config, detail));
	assert_string_equal(detail, "its library is here, but no driver is loaded");
	answer(w, "init=!18\n");
	assert_false(nvml_probe(&config, detail));
	assert_string_equal(detail, "nvmlInit_v2 returned 18 (version_mismatch)");
	answer(w, ONE_GPU);
	assert_true(nvml_probe(&config, detail));
	assert_string_equal(detail, "1 GPUs, driver 999.1-fake");
	answer(w, ONE_GPU "hang=power\n");
	assert_false(nvml_probe(&config, detail));
	assert_string_equal(detail, "the driver hangs in nvmlDeviceGetPowerUsage");
	answer(w, ONE_GPU "crash=power\n");
	assert_false(nvml_probe(&config, detail));
	assert_non_null(strstr(detail, "NVML crashed: "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(test_reads_again_and_again),
		WITH_WORLD(test_late),
		WITH_WORLD(test_gone),
		WITH_WORLD(test_dcgm_by_name),
		WITH_WORLD(test_dcgm_by_port),
		WITH_WORLD(test_not_beside_dcgm),
		WITH_WORLD(test_probe),
		WITH_WORLD(
			test_hang), /* the last: its thread reads the fake's file no more, but stays */
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
