// SPDX-License-Identifier: Apache-2.0
/* One look at GPUs through a fake NVML: units, what is absent, what fails, Xids, MIG, libraries that are none. */
#include "nvml_world.h"

#include <errno.h>

#include "gpu/nvml_reader.h"

#define TWO_GPUS                                        \
	"count=2\n"                                     \
	"0.uuid=GPU-aa\n0.name=NVIDIA H100 80GB HBM3\n" \
	"1.uuid=GPU-bb\n1.name=NVIDIA H100 80GB HBM3\n"

struct stage {
	struct nvml_watch watch;
	struct nvml_reader reader;
	struct nvml_sample *sample;
};

static void start(struct stage *s, const struct nvml_world *w, bool second_memory)
{
	struct nvml_api api;
	char error[NVML_ERROR_MAX];

	memset(s, 0, sizeof(*s));
	s->reader.caller.watch = &s->watch;
	assert_int_equal(nvml_library_open(&api, w->library, error), 0);
	if (!second_memory)
		api.nvmlDeviceGetMemoryInfo_v2 = NULL;
	assert_int_equal(nvml_reader_start(&s->reader, &api), 0);
}

static const struct nvml_sample *look(struct stage *s)
{
	nvml_sample_free(s->sample);
	s->sample = nvml_reader_read(&s->reader);
	assert_non_null(s->sample);
	assert_true(s->sample->read);
	return s->sample;
}

static void end(struct stage *s)
{
	nvml_sample_free(s->sample);
	nvml_reader_stop(&s->reader);
	nvml_reader_free(&s->reader);
}

static uint64_t failures(const struct nvml_sample *s)
{
	uint64_t sum = 0;

	for (int i = 0; i < NVML_FAILURES; i++)
		sum += s->failures[i];
	return sum;
}

/* ------------------------------------------------------------------ values */

#define ALL_VALUES                                                                     \
	"0.utilization=37\n0.memory.total=85520809984\n0.memory.used=1073741824\n"     \
	"0.memory.reserved=536870912\n0.power=231500\n0.temperature=41\n0.ecc.0.0=7\n" \
	"0.ecc.1.0=2\n0.clock.0=1980\n0.clock.1=1755\n0.clock.2=2619\n0.clock.3=1545\n"

static void test_units(void **state)
{
	static const double want[NVML_READINGS] = {
		[NVML_UTILIZATION] = 0.37,	   [NVML_MEMORY_USAGE] = 1073741824,
		[NVML_MEMORY_LIMIT] = 85520809984, [NVML_POWER] = 231.5,
		[NVML_TEMPERATURE] = 41,	   [NVML_ERRORS_CORRECTED] = 7,
		[NVML_ERRORS_UNCORRECTED] = 2,	   [NVML_CLOCK_GRAPHICS] = 1980e6,
		[NVML_CLOCK_SM] = 1755e6,	   [NVML_CLOCK_MEMORY] = 2619e6,
		[NVML_CLOCK_VIDEO] = 1545e6,
	};
	const struct nvml_gpu *g;
	struct stage s;

	answer(*state, TWO_GPUS ALL_VALUES);
	start(&s, *state, true);
	g = &look(&s)->gpus[0];
	assert_int_equal(s.sample->gpu_count, 2);
	assert_int_equal(g->who.index, 0);
	assert_string_equal(g->who.uuid, "GPU-aa");
	assert_string_equal(g->who.name, "NVIDIA H100 80GB HBM3");
	assert_int_equal(g->has, (1 << NVML_READINGS) - 1);
	for (int i = 0; i < NVML_READINGS; i++)
		assert_true(g->values[i] == want[i]);
	assert_int_equal(failures(s.sample), 0);
	end(&s);
}

/* A percentage is a ratio to the last bit, as 37 / 100.0 is. */
static void test_percentages(void **state)
{
	struct stage s;

	start(&s, *state, true);
	for (int percent = 0; percent <= 100; percent++) {
		char text[64];

		snprintf(text, sizeof(text), "count=1\n0.uuid=GPU-aa\n0.utilization=%d\n", percent);
		answer(*state, text);
		assert_true(look(&s)->gpus[0].values[NVML_UTILIZATION] == percent / 100.0);
	}
	end(&s);
}

/* Before driver 510 what is reserved counts as used: the same figures as far as NVML tells them. */
static void test_first_version_of_memory(void **state)
{
	struct stage s;

	answer(*state, TWO_GPUS ALL_VALUES);
	start(&s, *state, false);
	assert_true(look(&s)->gpus[0].values[NVML_MEMORY_USAGE] == 1073741824.0 + 536870912);
	assert_true(s.sample->gpus[0].values[NVML_MEMORY_LIMIT] == 85520809984.0);
	end(&s);
}

static void test_unsupported_is_absent(void **state)
{
	struct stage s;

	answer(*state, TWO_GPUS ALL_VALUES "1.temperature=0\n1.power=!13\n");
	start(&s, *state, true);
	assert_int_equal(look(&s)->gpus[1].has, 1 << NVML_TEMPERATURE);
	assert_true(s.sample->gpus[1].values[NVML_TEMPERATURE] == 0);
	assert_int_equal(failures(s.sample), 0);
	end(&s);
}

/* ------------------------------------------------------------------ failures */

static void test_failures_are_counted(void **state)
{
	struct stage s;

	answer(*state, TWO_GPUS "0.power=!15\n0.temperature=!4\n0.clock.0=!999\n0.clock.1=!77\n");
	start(&s, *state, true);
	look(&s);
	assert_int_equal(look(&s)->gpus[0].has, 0);
	assert_int_equal(s.sample->failures[NVML_FAILED_GPU_IS_LOST], 2);
	assert_int_equal(s.sample->failures[NVML_FAILED_NO_PERMISSION], 2);
	assert_int_equal(s.sample->failures[NVML_FAILED_UNKNOWN], 2);
	assert_int_equal(s.sample->failures[NVML_FAILED_OTHER], 2);
	assert_int_equal(failures(s.sample), 8);
	assert_string_equal(nvml_failure_names[NVML_FAILED_GPU_IS_LOST], "gpu_is_lost");
	assert_string_equal(nvml_failure_names[NVML_FAILED_OTHER], "_OTHER");
	assert_string_equal(nvml_status_name(18), "version_mismatch");
	end(&s);
}

/* The others keep their index. */
static void test_lost_gpu_is_left_out(void **state)
{
	struct stage s;

	answer(*state, TWO_GPUS "0.handle=!15\n1.power=100\n");
	start(&s, *state, true);
	look(&s);
	assert_int_equal(s.sample->gpu_count, 1);
	assert_int_equal(s.sample->gpus[0].who.index, 1);
	assert_true(s.sample->gpus[0].values[NVML_POWER] == 0.1);
	assert_int_equal(s.sample->failures[NVML_FAILED_GPU_IS_LOST], 1);
	end(&s);
}

static void test_no_count_ends_it(void **state)
{
	struct stage s;

	answer(*state, "count=!1\n");
	start(&s, *state, true);
	assert_null(nvml_reader_read(&s.reader));
	assert_int_equal(errno, EIO);
	assert_int_equal(s.reader.caller.failures[NVML_FAILED_UNINITIALIZED], 1);
	end(&s);
}

static void test_init_may_fail(void **state)
{
	const struct nvml_world *w = *state;
	struct stage s = { 0 };
	struct nvml_api api;
	char error[NVML_ERROR_MAX];

	s.reader.caller.watch = &s.watch;
	answer(w, "init=!18\n");
	assert_int_equal(nvml_library_open(&api, w->library, error), 0);
	assert_int_equal(nvml_reader_start(&s.reader, &api), NVML_VERSION_MISMATCH);
	assert_null(s.reader.caller.api.nvmlShutdown);
	nvml_reader_free(&s.reader);
}

/* ------------------------------------------------------------------ Xids, MIG */

static void test_xids(void **state)
{
	const struct nvml_xid *x;
	struct stage s;

	answer(*state, TWO_GPUS);
	start(&s, *state, true);
	assert_int_equal(look(&s)->xid_count, 0);
	answer(*state, TWO_GPUS "xids=0:31,1:79,0:31\n");
	look(&s);
	answer(*state, TWO_GPUS "0.handle=!15\nxids=0:31,1:79,0:31,0:79\n");
	x = look(&s)->xids;
	assert_int_equal(s.sample->xid_count, 3);
	assert_string_equal(x[0].who.uuid, "GPU-aa");
	assert_int_equal(x[0].xid, 31);
	assert_int_equal(x[0].count, 2);
	assert_string_equal(x[1].who.uuid, "GPU-bb");
	assert_int_equal(x[1].xid, 79);
	assert_int_equal(x[1].count, 1);
	/* of a GPU that is lost by now */
	assert_string_equal(x[2].who.uuid, "GPU-aa");
	assert_int_equal(x[2].xid, 79);
	assert_int_equal(x[2].count, 1);
	end(&s);
}

static void test_instances(void **state)
{
	const struct nvml_gpu *g;
	struct stage s;

	answer(*state, TWO_GPUS
	       "0.mig=1\n"
	       "0.mig.0.uuid=MIG-11\n0.mig.0.instance=9\n0.mig.0.name=NVIDIA A100 MIG 1g.5gb\n"
	       "0.mig.2.uuid=MIG-22\n0.mig.2.instance=1\n0.mig.2.name=NVIDIA A100\n"
	       "1.mig=0\n1.mig.0.uuid=MIG-33\n1.mig.0.instance=1\n");
	start(&s, *state, true);
	g = &look(&s)->gpus[0];
	assert_int_equal(g->instance_count, 2);
	assert_string_equal(g->instances[0].uuid, "MIG-11");
	assert_int_equal(g->instances[0].id, 9);
	assert_string_equal(g->instances[0].profile, "1g.5gb");
	assert_string_equal(g->instances[1].uuid, "MIG-22");
	assert_int_equal(g->instances[1].id, 1);
	assert_string_equal(g->instances[1].profile, "");
	assert_int_equal(s.sample->gpus[1].instance_count, 0);
	assert_int_equal(failures(s.sample), 0);
	end(&s);
}

/* ------------------------------------------------------------------ libraries, the watch */

static void test_libraries(void **state)
{
	const struct nvml_world *w = *state;
	char error[NVML_ERROR_MAX], path[PATH_MAX + 32];
	struct nvml_api api;

	assert_int_equal(nvml_library_open(&api, w->folder, error), -ENOENT);
	assert_non_null(strstr(error, "/libnvidia-ml.so.1: cannot open shared object file"));
	assert_int_equal(nvml_library_open(&api, "libm.so.6", error), -ELIBBAD);
	assert_string_equal(error, "libm.so.6 has no nvmlInit_v2: it is no NVML, or too old");
	assert_null(api.handle);
	snprintf(path, sizeof(path), "%s/libnvidia-ml.so.1", w->library);
	assert_int_equal(nvml_library_open(&api, path, error), 0);
	assert_non_null(api.nvmlEventSetWait_v2);
	nvml_library_close(&api);
	assert_null(api.nvmlEventSetWait_v2);
}

static void test_watch(void **state)
{
	struct nvml_watch watch = { 0 };
	struct nvml_caller caller = { .watch = &watch };

	(void)state;
	assert_null(nvml_watch_stalled(&watch, UINT64_MAX));
	nvml_call_begin(&caller, NVML_CALL_nvmlDeviceGetPowerUsage);
	assert_null(nvml_watch_stalled(&watch, watch.deadline_ns));
	assert_string_equal(nvml_watch_stalled(&watch, watch.deadline_ns + 1),
			    "nvmlDeviceGetPowerUsage");
	assert_int_equal(nvml_call_end(&caller, 0), 0);
	assert_null(nvml_watch_stalled(&watch, UINT64_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(test_units),
		WITH_WORLD(test_percentages),
		WITH_WORLD(test_first_version_of_memory),
		WITH_WORLD(test_unsupported_is_absent),
		WITH_WORLD(test_failures_are_counted),
		WITH_WORLD(test_lost_gpu_is_left_out),
		WITH_WORLD(test_no_count_ends_it),
		WITH_WORLD(test_init_may_fail),
		WITH_WORLD(test_xids),
		WITH_WORLD(test_instances),
		WITH_WORLD(test_libraries),
		cmocka_unit_test(test_watch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
