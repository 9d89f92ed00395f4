// SPDX-License-Identifier: Apache-2.0
/* Opens, loads and attaches the BPF object. */
#include "load/loader.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "load/internal.h"

#define RING_BYTES_DEFAULT (4UL << 20)
#define RING_BYTES_MAX	   (1UL << 30)

/* The ring's size must be a power of two and whole pages. */
static size_t ring_size(size_t wanted)
{
	size_t size = sysconf(_SC_PAGESIZE);

	if (!wanted)
		wanted = RING_BYTES_DEFAULT;
	while (size < wanted && size < RING_BYTES_MAX)
		size <<= 1;
	return size;
}

/*
 * The ways to capture, best first. fentry is the cheapest (make bench) and reads every payload. kprobe loses calls where
 * more threads wait in one than the kernel has return probes (10, or twice the CPUs); sock does not, at the price of
 * io_uring's payloads, which no inference server is known to send.
 */
static const struct variant {
	enum socket_backend backend;
	bool raw;
	const char *feature;
	const char *what;
} variants[] = {
	{ SOCKET_BACKEND_FENTRY, false, "socket_backend_fentry",
	  "every payload; fexit of tcp_sendmsg, tcp_recvmsg, ..." },
	{ SOCKET_BACKEND_SOCK, false, "socket_backend_sock",
	  "all but io_uring's; tp_btf/sock_send_length, sock_recv_length" },
	{ SOCKET_BACKEND_KPROBE, false, "socket_backend_kprobe",
	  "all, if few threads wait in a call; kretprobe/tcp_sendmsg, ..." },
	{ SOCKET_BACKEND_SYSCALL, false, "socket_backend_syscall",
	  "nothing of io_uring, taxes every system call; tp_btf/sys_exit" },
	{ SOCKET_BACKEND_SYSCALL, true, "socket_backend_syscall_raw",
	  "nothing of io_uring, taxes every system call; raw_tp/sys_exit" },
};
#define VARIANTS (sizeof(variants) / sizeof(variants[0]))

static void variant_unload(struct loader *l)
{
	backend_detach(l);
	tokscope_bpf__destroy(l->skel);
	l->skel = NULL;
}

static int variant_load(struct loader *l, const struct loader_config *config,
			const struct variant *v)
{
	int err;

	l->skel = tokscope_bpf__open();
	if (!l->skel)
		return -errno;
	l->skel->rodata->own_tgid = getpid();
	bpf_map__set_max_entries(l->skel->maps.ring, ring_size(config->ring_bytes));
	err = backend_select_programs(l->skel, v->backend, v->raw);
	gpu_hooks_select(l, config);
	probes_select(l);
	cupti_select(l);
	if (!err)
		err = tokscope_bpf__load(l->skel);
	l->backend = v->backend;
	l->raw = v->raw;
	if (!err)
		err = backend_attach(l);
	if (err)
		variant_unload(l);
	return err;
}

/* Takes the first variant of the wanted backend that this kernel accepts. */
static int load_best(struct loader *l, const struct loader_config *config)
{
	int err = -ENOENT;

	for (size_t i = 0; i < VARIANTS; i++) {
		if (config->backend != SOCKET_BACKEND_AUTO &&
		    config->backend != variants[i].backend)
			continue;
		err = variant_load(l, config, &variants[i]);
		if (!err) {
			log_debug("socket backend %s: %s", socket_backend_name(l->backend),
				  variants[i].what);
			return 0;
		}
		log_debug("socket backend %s by %s: %s", socket_backend_name(variants[i].backend),
			  variants[i].what, strerror(-err));
	}
	return err;
}

/* The hooks in GPU drivers are an extra: what auto chose and cannot have costs nothing else. */
static int load_with_gpu(struct loader *l, const struct loader_config *config)
{
	int err;

	gpu_hooks_choose(l, config);
	err = load_best(l, config);
	if (!err)
		err = gpu_hooks_attach(l);
	if (!err || !gpu_hooks_give_up(l, config))
		return err;
	variant_unload(l);
	return load_best(l, config);
}

/* So are the probes in servers, and those of the CUPTI library: each is given up by itself. */
static int load_all(struct loader *l, const struct loader_config *config)
{
	int first, err;

	probes_choose(l, config);
	l->cupti_supported = true;
	first = err = load_with_gpu(l, config);
	if (!err)
		return 0;
	l->cupti_supported = false;
	err = load_with_gpu(l, config);
	if (err && l->probes.supported) {
		l->probes.supported = false;
		err = load_with_gpu(l, config);
	}
	if (!err)
		log_warn("%s not traced: the kernel refuses the program (%s)",
			 l->probes.supported ? "GPU work that CUPTI tells of is"
					     : "functions of servers are",
			 strerror(-first));
	return err;
}

size_t backend_probe(struct feature *rows, size_t max)
{
	const struct loader_config small = { .ring_bytes = 1 };
	bool picked = false;
	size_t n = 0;

	for (; n < VARIANTS && n < max; n++) {
		struct loader l = { 0 };
		int err = variant_load(&l, &small, &variants[n]);

		variant_unload(&l);
		rows[n] = (struct feature){ .name = variants[n].feature,
					    .needed = variants[n].what,
					    .available = !err,
					    .picked = !err && !picked };
		picked |= !err;
		snprintf(rows[n].detail, sizeof(rows[n].detail), "%s",
			 err == -ENOENT	  ? "this kernel lacks what it hooks into"
			 : err		  ? strerror(-err)
			 : rows[n].picked ? "what --socket-backend auto takes"
					  : "");
	}
	return n;
}

/* From inside a pid namespace getpid() is not the kernel's number: nothing could be selected, nor the agent skipped. */
static void check_pid_namespace(void)
{
	char name[64] = "";

	/* PROC_PID_INIT_INO of include/linux/proc_ns.h is the initial namespace. */
	if (readlink("/proc/self/ns/pid", name, sizeof(name) - 1) > 0 &&
	    strcmp(name, "pid:[4026531836]"))
		log_warn(
			"tokscope runs in a pid namespace of its own, so processes cannot be matched with the kernel's "
			"records: run it in the host's (docker run --pid=host, hostPID: true)");
}

struct loader *loader_new(const struct loader_config *config, const struct loader_ops *ops,
			  void *ctx)
{
	struct loader *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return NULL;
	l->ops = ops;
	l->ctx = ctx;
	l->epoll_fd = -1;
	l->stats_fd = -1;
	background_init(&l->background);
	diagnose_route_libbpf_log();
	check_pid_namespace();
	err = load_all(l, config);
	if (err) {
		diagnose_failure("kernel programs cannot be loaded", err);
		goto fail;
	}
	/* Each try has parsed the kernel's types: 10 MiB that nobody needs any more. */
	malloc_trim(0);
	err = reader_open(l);
	if (err) {
		diagnose_failure("ring buffer cannot be mapped", err);
		goto fail;
	}
	if (config->run_stats) {
		l->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
		if (l->stats_fd < 0)
			log_warn("BPF run-time statistics: %s; they will read 0", strerror(errno));
	}
	return l;
fail:
	loader_free(l);
	errno = -err;
	return NULL;
}

void loader_free(struct loader *l)
{
	if (!l)
		return;
	reader_close(l);
	gpu_hooks_detach(l);
	variant_unload(l);
	background_end(&l->background);
	if (l->stats_fd >= 0)
		close(l->stats_fd);
	free(l);
}

enum socket_backend loader_backend(const struct loader *l)
{
	return l->backend;
}

int loader_select(struct loader *l, uint32_t tgid)
{
	struct tks_target target = { 0 };

	return bpf_map_update_elem(bpf_map__fd(l->skel->maps.targets), &tgid, &target, BPF_ANY)
		       ? -errno
		       : 0;
}

void loader_unselect(struct loader *l, uint32_t tgid)
{
	bpf_map_delete_elem(bpf_map__fd(l->skel->maps.targets), &tgid);
}

void loader_sock_mode(struct loader *l, uint64_t sock_id, uint32_t mode)
{
	int fd = bpf_map__fd(l->skel->maps.sock_modes);

	if (mode)
		bpf_map_update_elem(fd, &sock_id, &mode, BPF_ANY);
	else
		bpf_map_delete_elem(fd, &sock_id);
}
