// SPDX-License-Identifier: Apache-2.0
/*
 * Every program under every setting that the loader knows: the verifier takes it, or the loader says what the kernel lacks.
 * Prints what the verifier walked for each, `# instructions PROGRAM VARIANT COUNT`: tests/vm/matrix compares that with before.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "load/loader.h"

#define FEATURES_MAX 64

static struct feature features[FEATURES_MAX];
static int feature_count;

static const struct feature *feature_named(const char *name)
{
	for (int i = 0; i < feature_count; i++)
		if (!strcmp(features[i].name, name))
			return &features[i];
	return NULL;
}

/* What `feature probe` says of a socket backend. */
static const struct feature *feature_of(enum socket_backend backend)
{
	char name[64];

	snprintf(name, sizeof(name), "socket_backend_%s", socket_backend_name(backend));
	return feature_named(name);
}

/* Ids only grow: programs above it were loaded since. */
static uint32_t newest_program(void)
{
	uint32_t id = 0;

	while (!bpf_prog_get_next_id(id, &id))
		;
	return id;
}

/* Programs whose first 15 letters, all that the kernel keeps, are the same are told together. 0 before Linux 5.16. */
static void print_instructions(uint32_t after, const char *variant)
{
	struct {
		char name[BPF_OBJ_NAME_LEN];
		unsigned int count;
	} seen[64] = { 0 };
	size_t n = 0, i;

	for (uint32_t id = after; n < 64 && !bpf_prog_get_next_id(id, &id);) {
		struct bpf_prog_info info = { 0 };
		uint32_t size = sizeof(info);
		int fd = bpf_prog_get_fd_by_id(id);

		if (fd < 0)
			continue;
		if (!bpf_prog_get_info_by_fd(fd, &info, &size) && info.verified_insns) {
			for (i = 0; i < n && strcmp(seen[i].name, info.name); i++)
				;
			n += i == n;
			memcpy(seen[i].name, info.name, sizeof(info.name));
			seen[i].count += info.verified_insns;
		}
		close(fd);
	}
	for (i = 0; i < n; i++)
		printf("# instructions %s %s %u\n", seen[i].name, variant, seen[i].count);
}

/*
 * A refusal by the verifier is EACCES or EINVAL, a program too large E2BIG: bugs of ours. What a kernel lacks is found
 * before anything is loaded.
 */
static void check_unsupported(enum socket_backend backend, int err)
{
	const struct feature *f = feature_of(backend);

	print_message("# not in this kernel: %s\n", f ? f->detail : strerror(err));
	assert_int_not_equal(err, EACCES);
	assert_int_not_equal(err, EINVAL);
	assert_int_not_equal(err, E2BIG);
	assert_non_null(f);
	assert_false(f->available);
	assert_string_not_equal(f->detail, "");
}

/* The loader goes on without probes where their program is refused: that must be for want of the helper alone. */
static void check_probes(const struct loader *l, bool events)
{
	static struct loader_program rows[64];
	const char *wanted = events || !feature_named("uprobe_multi_pid")->available
				     ? "probe_single"
				     : "probe_multi";
	size_t n = loader_programs(l, rows, 64), found = 0;

	assert_int_equal(loader_probes_supported(l), feature_named("uprobe_cookie")->available);
	assert_true(n < 64);
	for (size_t i = 0; i < n; i++)
		if (!strncmp(rows[i].name, "probe_", 6)) {
			assert_string_equal(rows[i].name, wanted);
			assert_true(rows[i].attached);
			found++;
		}
	assert_int_equal(found, loader_probes_supported(l));
}

static void check(enum socket_backend backend, enum gpu_hook hook)
{
	const struct loader_ops ops = { 0 };
	struct loader_config config = { .backend = backend, .gpu_hook = hook, .ring_bytes = 1 };
	uint32_t before = newest_program();
	struct loader *l;
	char variant[64];
	int err;

	/* Majors that no driver has: the programs are loaded as for real and see nothing. */
	for (size_t i = 0; hook != GPU_HOOK_OFF && i < TKS_GPU_FAMILIES; i++)
		config.gpu_majors[i] = 4000 + i;
	snprintf(variant, sizeof(variant), "%s,gpu=%s", socket_backend_name(backend),
		 gpu_hook_name(hook));
	l = loader_new(&config, &ops, NULL);
	err = errno;
	if (!l)
		return check_unsupported(backend, err);
	assert_int_equal(loader_backend(l), backend);
	assert_int_equal(loader_gpu_hook(l), hook);
	print_instructions(before, variant);
	check_probes(l, false);
	loader_free(l);
}

#define VARIANT(backend, BACKEND, hook, HOOK)                     \
	static void backend##_gpu_##hook(void **state)            \
	{                                                         \
		(void)state;                                      \
		check(SOCKET_BACKEND_##BACKEND, GPU_HOOK_##HOOK); \
	}
VARIANT(fentry, FENTRY, off, OFF)
VARIANT(kprobe, KPROBE, off, OFF)
VARIANT(sock, SOCK, off, OFF)
VARIANT(syscall, SYSCALL, off, OFF)
VARIANT(syscall, SYSCALL, tracepoint, TRACEPOINT)

/* Where a driver is loaded, as in the guests of tests/vm. */
static void syscall_gpu_kprobe(void **state)
{
	(void)state;
	if (access("/sys/module/nvidia", F_OK))
		skip();
	check(SOCKET_BACKEND_SYSCALL, GPU_HOOK_KPROBE);
}

/* The program for perf events, where uprobe_multi has the other one loaded. */
static void probes_by_events(void **state)
{
	const struct loader_ops ops = { 0 };
	const struct loader_config config = { .ring_bytes = 1, .probe_events = true };
	uint32_t before = newest_program();
	struct loader *l = loader_new(&config, &ops, NULL);

	(void)state;
	assert_non_null(l);
	print_instructions(before, "probe_events");
	check_probes(l, true);
	loader_free(l);
}

/* The loader takes it only where tp_btf is refused; `feature probe` loads it everywhere. */
static void syscall_raw(void **state)
{
	(void)state;
	for (int i = 0; i < feature_count; i++)
		if (!strcmp(features[i].name, "socket_backend_syscall_raw")) {
			assert_true(features[i].available);
			return;
		}
	fail_msg("feature probe does not tell");
}

static int probe(void **state)
{
	(void)state;
	feature_count = feature_probe(features, FEATURES_MAX);
	return feature_count > 0 ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fentry_gpu_off),	  cmocka_unit_test(kprobe_gpu_off),
		cmocka_unit_test(sock_gpu_off),		  cmocka_unit_test(syscall_gpu_off),
		cmocka_unit_test(syscall_gpu_tracepoint), cmocka_unit_test(syscall_gpu_kprobe),
		cmocka_unit_test(probes_by_events),	  cmocka_unit_test(syscall_raw),
	};

	setvbuf(stdout, NULL, _IOLBF, 0);
	return cmocka_run_group_tests(tests, probe, NULL);
}
