/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel side: opens, loads and attaches the BPF object, reads its ring buffer. The only folder that sees a skeleton.
 */
#ifndef LOAD_LOADER_H
#define LOAD_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "tks_gpu.h"
#include "tks_record.h"

enum socket_backend {
	SOCKET_BACKEND_AUTO,
	SOCKET_BACKEND_FENTRY,	/* fexit of tcp_sendmsg and its like (bpf/functions.def) */
	SOCKET_BACKEND_KPROBE,	/* kprobe and kretprobe of the same */
	SOCKET_BACKEND_SOCK,	/* tp_btf/sock_send_length + sock_recv_length */
	SOCKET_BACKEND_SYSCALL, /* one tp_btf or raw_tp sys_exit */
};
const char *socket_backend_name(enum socket_backend b);
int socket_backend_parse(const char *name); /* negative errno: unknown */

/* How calls of GPU drivers are seen. */
enum gpu_hook {
	GPU_HOOK_OFF,
	GPU_HOOK_AUTO,	     /* kprobe where a driver is loaded, else off */
	GPU_HOOK_KPROBE,     /* in the drivers' own functions: no cost for other calls */
	GPU_HOOK_TRACEPOINT, /* sys_enter and sys_exit: every system call of the machine pays */
};
const char *gpu_hook_name(enum gpu_hook h);
int gpu_hook_parse(const char *name); /* negative errno: unknown */

struct loader_config {
	enum socket_backend backend;
	enum gpu_hook gpu_hook;
	/* Major numbers of the GPU drivers' nodes; 0: that driver is not there. */
	uint32_t gpu_majors[TKS_GPU_FAMILIES];
	size_t ring_bytes; /* 0: 4 MiB; rounded up to a power of two */
	bool run_stats;	   /* keep BPF run-time statistics on while loaded (about 20 ns a run) */
};

/* Called for every record, in ring order; h->size was checked against the kind. */
struct loader_ops {
	void (*record)(void *ctx, const struct tks_header *h);
};

struct loader;

/* Loads and attaches. On failure returns NULL with errno set, after logging what failed and what to do. */
struct loader *loader_new(const struct loader_config *config, const struct loader_ops *ops,
			  void *ctx);
void loader_free(struct loader *l);

enum socket_backend loader_backend(const struct loader *l); /* the one in use */

enum gpu_hook loader_gpu_hook(const struct loader *l); /* the one in use, never AUTO */
/* Every cell of the histograms of GPU driver calls, summed over the CPUs; cumulative. */
typedef void (*gpu_cell_fn)(void *ctx, const struct tks_gpu_cell_key *key,
			    const struct tks_gpu_cell *sum);
void loader_gpu_cells(const struct loader *l, gpu_cell_fn fn, void *ctx);

int loader_select(struct loader *l, uint32_t tgid);
void loader_unselect(struct loader *l, uint32_t tgid);
void loader_sock_mode(struct loader *l, uint64_t sock_id, uint32_t mode); /* 0 removes */

/* fd for poll/epoll: readable when the ring has >= 64 KiB unread. */
int loader_poll_fd(const struct loader *l);
/* Drains what is in the ring now. Returns records handled, or negative errno. */
int loader_consume(struct loader *l);

/* Loss counters (tks_failures.def), cumulative. */
struct loader_failure {
	const char *stage;
	const char *help;
	bool lost; /* counts towards tokscope_events_lost_total */
	uint64_t count;
};
/* Fills at most max rows, returns how many exist. Adds rows the loader itself keeps: bad_record, bpf_recursion. */
size_t loader_failures(const struct loader *l, struct loader_failure *rows, size_t max);

struct loader_program {
	const char *name;
	bool attached;
	uint64_t run_ns, run_count; /* 0 unless run_stats */
};
/* The programs of the backend in use and those that serve every backend; not attached: this kernel lacks what it needs. */
size_t loader_programs(const struct loader *l, struct loader_program *rows, size_t max);

/* `feature probe`: what this kernel offers, each by trying it. */
struct feature {
	const char *name;   /* "tp_btf_sock_length", "ringbuf", ... */
	const char *needed; /* what tokscope uses it for */
	bool available;
	bool picked;	  /* the socket backend that SOCKET_BACKEND_AUTO takes */
	char detail[128]; /* why not, or which variant; "" */
};
/* Returns the number of rows filled (<= max), or negative errno. Needs root. */
int feature_probe(struct feature *rows, size_t max);

#endif
