// SPDX-License-Identifier: Apache-2.0
/* Whether return probes harm a process whose seccomp filter does not know how they come back, and what follows where they do. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "features.skel.h"
#include "load/internal.h"
#include "probe_stage.h"

__attribute__((noinline)) static void returns(void)
{
	__asm__ volatile("");
}

/* As a process does whose return goes astray. */
__attribute__((noinline)) static void goes_astray(void)
{
	raise(SIGSEGV);
}

static bool try(void (*function)(void), struct feature *out)
{
	struct features_bpf *skel = features_bpf__open();
	struct bpf_program *p;
	bool safe;

	assert_non_null(skel);
	bpf_map__set_autocreate(skel->maps.feature_ring, false);
	bpf_object__for_each_program(p, skel->obj)
		bpf_program__set_autoload(p, p == skel->progs.uretprobe ||
						     p == skel->progs.uretprobe_2);
	assert_int_equal(features_bpf__load(skel), 0);
	safe = return_probe_try(skel, function, probe_offset((const void *)function), out);
	features_bpf__destroy(skel);
	return safe;
}

static void test_a_crash_is_seen(void **state)
{
	struct feature out = { 0 };

	(void)state;
	assert_false(try(goes_astray, &out));
	assert_non_null(strstr(out.detail, "crash"));
}

/* Of the kernels that tests run on, none is of those that crash. */
static void test_a_filtered_process_survives(void **state)
{
	struct feature out = { 0 };

	(void)state;
	assert_true(try(returns, &out));
	assert_string_equal(out.detail, "");
}

static void test_places_are_refused(void **state)
{
	struct probe_stage *s = *state;
	const struct probe_place places[] = {
		{ .offset = probe_offset((const void *)target_twice), .site = 0 },
		{ .offset = probe_offset((const void *)target_twice),
		  .site = 1,
		  .at_return = true },
	};
	struct probe_links *links;
	int attached[2];

	s->loader->probes.returns = false;
	links = loader_probes_attach(s->loader, getpid(), 1, "/proc/self/exe", places, 2, attached);
	assert_non_null(links);
	assert_int_equal(attached[0], 0);
	assert_int_equal(attached[1], -EOPNOTSUPP);
	loader_probes_detach(links);
	assert_null(loader_probes_attach(s->loader, getpid(), 1, "/proc/self/exe", &places[1], 1,
					 attached));
	assert_int_equal(errno, EOPNOTSUPP);
}

int main(void)
{
	static const struct probe_test tests[] = {
		{ "a process that crashes at it", test_a_crash_is_seen },
		{ "a process with a seccomp filter", test_a_filtered_process_survives },
		{ "places where they would harm", test_places_are_refused },
	};

	return probe_run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
