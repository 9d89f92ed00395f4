// SPDX-License-Identifier: Apache-2.0
/*
 * Drivers other than the one of gpu_driver_test.c: nvidia-uvm, one from before 545, and one whose functions have names that
 * nobody knows. All are fakes of tests/vm, which this program loads and unloads: it does so only where the fake is loaded
 * already, in guests of tests/vm.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "gpu_stage.h"
#include "scene.h"

#define UVM_NODE "/dev/nvidia-uvm"

/* ------------------------------------------------------------------ modules */

/* The folder between is the kernel's label, of which a guest has one. */
static int load_module(const char *file, const char *parameters)
{
	char pattern[64];
	glob_t found;
	int fd, err;

	snprintf(pattern, sizeof(pattern), "build/vm/module/*/%s", file);
	if (glob(pattern, 0, NULL, &found))
		return -1;
	fd = open(found.gl_pathv[0], O_RDONLY | O_CLOEXEC);
	err = syscall(SYS_finit_module, fd, parameters, 0);
	close(fd);
	globfree(&found);
	return err;
}

static int unload_module(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK);
}

/* log=1: as tests/vm/run_tests loads it, for those who look into the guest's kernel log. */
static int replace_driver(const char *file)
{
	return unload_module("nvidia") ?: load_module(file, "log=1");
}

/* A line of /proc/devices is "511 nvidia-uvm". 0: not there. */
static uint32_t uvm_major(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/devices", "re");
	unsigned int major;
	char line[64], name[64];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%u %63s", &major, name) == 2 && !strcmp(name, "nvidia-uvm"))
			return major;
	return 0;
}

/* ------------------------------------------------------------------ what was said */

static char said[8192];

static struct loader *load_listening(const struct loader_config *config,
				     const struct loader_ops *ops, void *ctx)
{
	int log = memfd_create("log", MFD_CLOEXEC), usual = dup(STDERR_FILENO);
	struct loader *l;

	assert_true(log >= 0 && usual >= 0);
	dup2(log, STDERR_FILENO);
	l = loader_new(config, ops, ctx);
	dup2(usual, STDERR_FILENO);
	said[sizeof(said) - 1] = '\0';
	said[pread(log, said, sizeof(said) - 1, 0)] = '\0';
	close(log);
	close(usual);
	return l;
}

/* ------------------------------------------------------------------ nvidia-uvm */

static void scene_uvm(void)
{
	char arg[128] = { 0 };
	int fd = gpu_open(UVM_NODE);

	if (ioctl(fd, 0x30000001, arg) || ioctl(fd, 73, arg) || ioctl(fd, 51, arg))
		_exit(98);
	ioctl(fd, 4096, arg); /* refused */
}

/* The result of each call is 0 but for the last one's; the status of the third says no. */
static void test_uvm(void **state)
{
	static struct gpu_tally t;
	struct gpu_stage *s = *state;
	const uint64_t *count = t.count[TKS_GPU_DEVICE_UVM], *failed = t.failed[TKS_GPU_DEVICE_UVM];

	s->loader = gpu_load(GPU_HOOK_KPROBE, 195, uvm_major(), s);
	assert_non_null(s->loader);
	gpu_play(s, scene_uvm, true);
	gpu_tally(s, &t);
	assert_int_equal(s->n, 0);
	assert_int_equal(t.all, 4);
	assert_int_equal(count[TKS_GPU_UVM_INITIALIZE], 1);
	assert_int_equal(count[TKS_GPU_UVM_CREATE_EXTERNAL_RANGE], 1);
	assert_int_equal(count[TKS_GPU_UVM_MIGRATE], 1);
	assert_int_equal(count[TKS_GPU_OTHER], 1);
	assert_int_equal(failed[TKS_GPU_UVM_INITIALIZE], 0);
	assert_int_equal(failed[TKS_GPU_UVM_CREATE_EXTERNAL_RANGE], 0);
	assert_int_equal(failed[TKS_GPU_UVM_MIGRATE], 1);
	assert_int_equal(failed[TKS_GPU_OTHER], 1);
}

static int load_uvm(void **state)
{
	(void)state;
	return load_module("nvidia-uvm.ko", "")
		       ?: mknod(UVM_NODE, S_IFCHR | 0600, makedev(uvm_major(), 0));
}

static int unload_uvm(void **state)
{
	struct gpu_stage *s = *state;

	loader_free(s->loader);
	s->loader = NULL;
	return unlink(UVM_NODE) ?: unload_module("nvidia_uvm");
}

/* ------------------------------------------------------------------ before 545 */

static void scene_client(void)
{
	uint32_t client[12] = { 0, 0, 0, 0x41 }, gone[4] = { 0 };
	int fd = gpu_open(GPU_CTL);

	if (gpu_call(fd, 0x2b, client, sizeof(client)))
		_exit(98);
	gone[0] = gone[2] = client[2];
	gpu_call(fd, 0x29, gone, sizeof(gone));
	close(fd);
}

/* Calls and the release of the file are hooked under the names of those versions; nvidia-uvm is missed aloud. */
static void test_frontend(void **state)
{
	struct gpu_stage *s = *state;
	const struct loader_config config = { .gpu_hook = GPU_HOOK_AUTO, .gpu_majors = { 195 } };
	const struct tks_gpu *r = s->records;

	s->loader = load_listening(&config, &gpu_ops, s);
	assert_non_null(s->loader);
	assert_int_equal(loader_gpu_hook(s->loader), GPU_HOOK_KPROBE);
	assert_non_null(strstr(
		said, "calls of nvidia-uvm are not traced: kprobe on uvm_unlocked_ioctl_entry: "));
	assert_null(strstr(said, "memory counts until freed"));
	gpu_play(s, scene_client, true);
	assert_int_equal(s->n, 3);
	assert_int_equal(r[0].event, TKS_GPU_ALLOC);
	assert_int_equal(r[0].kind, TKS_GPU_KIND_CLIENT);
	assert_true(r[0].object >= 0x5c000000); /* the driver's choice */
	assert_int_equal(r[1].event, TKS_GPU_FREE);
	assert_int_equal(r[1].object, r[0].object);
	assert_int_equal(r[2].event, TKS_GPU_CLOSE);
	assert_int_equal(r[2].file, r[0].file);
}

static int load_frontend(void **state)
{
	(void)state;
	return replace_driver("frontend/nvidia.ko");
}

static int load_usual(void **state)
{
	struct gpu_stage *s = *state;

	loader_free(s->loader);
	s->loader = NULL;
	return replace_driver("nvidia.ko");
}

/* ------------------------------------------------------------------ functions of unknown names */

static uint64_t moved[2]; /* by enum tks_dir */

static void count_moved(void *ctx, const struct tks_header *h)
{
	const struct tks_data *d = (const struct tks_data *)h;

	(void)ctx;
	assert_int_not_equal(h->kind, TKS_KIND_GPU);
	if (h->kind == TKS_KIND_DATA)
		moved[d->dir & 1] += d->len;
}

static void scene_both(void)
{
	int fd[2];

	scene_client();
	connected_pair(AF_INET, fd);
	write_all(fd[0], 0, 1000);
	read_all(fd[1], 1000);
}

static const struct loader_ops count_ops = { count_moved };

static int open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* auto goes without, says so, and the kprobes on sockets are as if nobody had tried: none is left of the first try. */
static void test_unknown_by_auto(void **state)
{
	struct gpu_stage *s = *state;
	const struct loader_config config = { .backend = SOCKET_BACKEND_KPROBE,
					      .gpu_hook = GPU_HOOK_AUTO,
					      .gpu_majors = { 195 } };
	int descriptors = open_descriptors();

	s->loader = load_listening(&config, &count_ops, NULL);
	assert_non_null(s->loader);
	assert_int_equal(loader_gpu_hook(s->loader), GPU_HOOK_OFF);
	assert_int_equal(loader_backend(s->loader), SOCKET_BACKEND_KPROBE);
	assert_false(gpu_has_program(s->loader, "gpu_ioctl"));
	assert_non_null(strstr(
		said, "the nvidia driver loaded here has no ioctl function of a known name"));
	assert_non_null(strstr(
		said,
		"GPU driver calls are not traced: a driver is loaded, but kprobe hooks cannot be had"));
	gpu_play(s, scene_both, true);
	assert_int_equal(moved[TKS_SEND], 1000);
	assert_int_equal(moved[TKS_RECV], 1000);
	assert_int_equal(gpu_lost(s, "return_missed"), 0);
	loader_free(s->loader);
	s->loader = NULL;
	assert_int_equal(open_descriptors(), descriptors);
}

/* Asked for by name, it is not left out in silence. */
static void test_unknown_by_name(void **state)
{
	const struct loader_config config = { .gpu_hook = GPU_HOOK_KPROBE, .gpu_majors = { 195 } };

	(void)state;
	assert_null(load_listening(&config, &count_ops, NULL));
	assert_int_equal(errno, ENODEV);
	assert_non_null(strstr(
		said, "the nvidia driver loaded here has no ioctl function of a known name"));
	assert_null(strstr(said, "socket backend"));
}

static int load_unknown(void **state)
{
	(void)state;
	return replace_driver("unknown/nvidia.ko");
}

/* ------------------------------------------------------------------ main */

static void no_fake_driver(void **state)
{
	(void)state;
	skip();
}

int main(void)
{
	static struct gpu_stage stage;
	const struct CMUnitTest absent[] = { cmocka_unit_test(no_fake_driver) };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate_setup_teardown(test_uvm, load_uvm, unload_uvm, &stage),
		cmocka_unit_test_prestate_setup_teardown(test_frontend, load_frontend, load_usual,
							 &stage),
		cmocka_unit_test_prestate_setup_teardown(test_unknown_by_auto, load_unknown,
							 load_usual, &stage),
		cmocka_unit_test_prestate_setup_teardown(test_unknown_by_name, load_unknown,
							 load_usual, &stage),
	};

	if (!gpu_fake_loaded())
		return cmocka_run_group_tests(absent, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
