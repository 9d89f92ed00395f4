// SPDX-License-Identifier: Apache-2.0
/*
 * The real libcuda, 535 and 550, as far as the fake driver of tests/vm takes it through cuInit: its own calls decode. What
 * is expected is what the fake says in the kernel log (log=1); only in guests of tests/vm, which hold both.
 */
#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "gpu_stage.h"

#define VERSION_OF_FAKE "/sys/module/nvidia/parameters/version"
#define LIBRARIES	"build/cuda/*/libcuda1/usr/lib/*/nvidia/current/libcuda.so.%s.*"

struct wanted {
	const char *branch;
	const char *library;
	uint64_t features; /* 550 asks for them, and the fake has none to tell */
};
static const struct wanted *playing;

/* The fake answers with the library's own version: else cuInit ends at 803, system driver mismatch. */
static void scene_init(void)
{
	int (*init)(unsigned int) = NULL;
	void *library = dlopen(playing->library, RTLD_NOW);

	if (library)
		*(void **)&init = dlsym(library, "cuInit");
	if (!init)
		_exit(98);
	init(0);
}

static int tell_version(const char *library)
{
	_cleanup_fclose_ FILE *f = fopen(VERSION_OF_FAKE, "w");

	return f && fprintf(f, "%s\n", strstr(library, ".so.") + strlen(".so.")) > 0 ? 0 : -1;
}

static uint64_t count(const struct gpu_tally *t, enum tks_gpu_command command)
{
	return t->count[TKS_GPU_DEVICE_CTL][command];
}

static uint64_t all_failed(const struct gpu_tally *t)
{
	uint64_t n = 0;

	for (size_t device = 0; device < TKS_GPU_DEVICES; device++)
		for (size_t command = 0; command < TKS_GPU_COMMANDS; command++)
			n += t->failed[device][command];
	return n;
}

static void check_records(const struct gpu_stage *s)
{
	const struct tks_gpu *r = s->records;
	size_t clients = 0, frees = 0;

	for (size_t i = 0; i < s->n; i++) {
		clients += r[i].event == TKS_GPU_ALLOC && r[i].kind == TKS_GPU_KIND_CLIENT;
		frees += r[i].event == TKS_GPU_FREE && r[i].object == r[i].client;
		if (r[i].event == TKS_GPU_ALLOC)
			assert_true(r[i].object >= 0x5c000000); /* the fake's choice */
	}
	assert_int_equal(clients, 2);
	assert_int_equal(frees, 2);
}

static void play(const struct wanted *w)
{
	static struct gpu_stage stage;
	static struct gpu_tally t;

	memset(&stage, 0, sizeof(stage));
	playing = w;
	assert_int_equal(tell_version(w->library), 0);
	stage.loader = gpu_load(GPU_HOOK_KPROBE, 195, 0, &stage);
	assert_non_null(stage.loader);
	gpu_play(&stage, scene_init, true);
	gpu_tally(&stage, &t);
	print_message("# %s: %llu calls, %llu failed, %zu records\n", w->branch,
		      (unsigned long long)t.all, (unsigned long long)all_failed(&t), stage.n);
	check_records(&stage);
	assert_int_equal(count(&t, TKS_GPU_SYS_PARAMS), 2);
	assert_int_equal(count(&t, TKS_GPU_CARD_INFO), 2);
	assert_int_equal(count(&t, TKS_GPU_RM_FREE), 3);
	assert_int_equal(count(&t, TKS_GPU_CLASS_ROOT_CLIENT) + count(&t, TKS_GPU_CLASS_ROOT), 2);
	assert_int_equal(count(&t, TKS_GPU_CLASS_CONFIDENTIAL_COMPUTE), 1);
	assert_int_equal(count(&t, TKS_GPU_CONTROL_SYSTEM_GET_BUILD_VERSION), 1);
	assert_int_equal(count(&t, TKS_GPU_CONTROL_CLIENT_SET_INHERITED_SHARE_POLICY), 2);
	assert_int_equal(count(&t, TKS_GPU_CONTROL_SYSTEM_GET_FEATURES), w->features);
	assert_int_equal(t.all, 2 + 2 + 3 + 2 + 1 + 1 + 2 + w->features); /* all have names */
	assert_int_equal(all_failed(&t), w->features);
	loader_free(stage.loader);
}

static void play_branch(const char *branch, uint64_t features)
{
	char pattern[128];
	struct wanted w = { .branch = branch, .features = features };
	glob_t found;

	snprintf(pattern, sizeof(pattern), LIBRARIES, branch);
	if (access(VERSION_OF_FAKE, W_OK) || glob(pattern, 0, NULL, &found))
		skip();
	w.library = found.gl_pathv[0];
	play(&w);
	globfree(&found);
}

static void libcuda_535(void **state)
{
	(void)state;
	play_branch("535", 0);
}

static void libcuda_550(void **state)
{
	(void)state;
	play_branch("550", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(libcuda_535),
		cmocka_unit_test(libcuda_550),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
