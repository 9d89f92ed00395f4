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
#include "tks_cupti.h"
#include "tks_gpu.h"
#include "tks_probe.h"
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
	bool probe_events; /* probes in servers by perf events, even where uprobe_multi works */
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

/*
 * Probes in servers. A site's spec is set first, then places are attached under its number. One process at a time: probes
 * cost other processes that map the same file nothing.
 */
struct probe_place {
	uint64_t offset;    /* in the file */
	uint64_t semaphore; /* offset in the file of a USDT semaphore; 0: none */
	uint32_t site;	    /* number of its spec, < TKS_PROBE_SITES */
	bool at_return;	    /* a return probe */
};
/* Many probes in one go, fast to detach (uprobe_multi); else one perf event each, PROBE_PLACES_PERF at most. */
#define PROBE_PLACES_PERF 32

struct probe_links;

/* Can this kernel tell probes apart (bpf_get_attach_cookie, 5.15)? Without it there are none. */
bool loader_probes_supported(const struct loader *l);
/* Are places cheap: by uprobe_multi? */
bool loader_probes_many(const struct loader *l);
/* Sets a site's spec and clears its counts and its being off. */
int loader_probe_site(struct loader *l, uint32_t site, const struct tks_probe_site *spec);
/*
 * Attaches places of one file in one process. attached[i] receives 0 or the negative errno of place i (-ENOSPC: beyond what
 * perf events allow). Returns NULL where nothing could be attached, with errno set.
 */
struct probe_links *loader_probes_attach(struct loader *l, uint32_t pid, uint32_t group,
					 const char *path, const struct probe_place *places,
					 size_t count, int *attached);
void loader_probes_detach(struct probe_links *links);

/* Sums over the CPUs; cumulative. */
void loader_probe_hits(const struct loader *l, uint32_t site, struct tks_probe_hits *sum);
void loader_probe_off(const struct loader *l, uint32_t site, struct tks_probe_off *off);
typedef void (*probe_cell_fn)(void *ctx, const struct tks_probe_cell_key *key,
			      const struct tks_probe_cell *sum);
void loader_probe_cells(const struct loader *l, probe_cell_fn fn, void *ctx);
typedef void (*probe_gauge_fn)(void *ctx, const struct tks_probe_gauge_key *key,
			       const struct tks_probe_gauge *g);
void loader_probe_gauges(const struct loader *l, probe_gauge_fn fn, void *ctx);
/* Forgets cells, gauges and timers of a group: its server is gone. */
void loader_probe_forget(struct loader *l, uint32_t group);
/* Forgets timers that began before (CLOCK_MONOTONIC): what they timed was given up. Returns how many. */
size_t loader_probe_forget_timers(struct loader *l, uint64_t before_ns);

/*
 * The probes of libtokscope_cupti.so (tks_cupti.h, tks_cupti_probes.def). What they tell comes as records of kinds
 * TKS_KIND_CUPTI_*.
 */
enum cupti_probe {
#define TKS_CUPTI_PROBE(id, name, program) CUPTI_PROBE_##id,
#include "tks_cupti_probes.def"
#undef TKS_CUPTI_PROBE
	CUPTI_PROBES,
};
const char *cupti_probe_name(enum cupti_probe p); /* as its USDT note has it */
struct uprobe_place {
	uint64_t offset;    /* in the file */
	uint64_t semaphore; /* offset in the file of its semaphore; 0: none */
	bool at_return;
};

struct cupti_links;
/*
 * Attaches the probes of `wanted` (1 << enum cupti_probe each) of the library `path` in one process: all of them, or none and
 * NULL with errno set. Their semaphores are up until they are detached.
 */
struct cupti_links *loader_cupti_attach(struct loader *l, uint32_t pid, const char *path,
					const struct uprobe_place places[CUPTI_PROBES],
					unsigned int wanted);
/* Returns at once; it takes effect within a second, and before loader_free() returns. */
void loader_cupti_detach(struct cupti_links *links);

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
