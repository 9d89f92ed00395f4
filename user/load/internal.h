/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of user/load. */
#ifndef LOAD_INTERNAL_H
#define LOAD_INTERNAL_H

#include <bpf/libbpf.h>
#include <stdbool.h>

#include "load/loader.h"
#include "tokscope.skel.h"

enum {
	FAILURE_KINDS = 0
#define TKS_FAILURE(name, stage, lost, help) +1
#include "tks_failures.def"
#undef TKS_FAILURE
};

#define GPU_LINKS_MAX 9

struct gpu_hooks {
	enum gpu_hook hook; /* the one in use, never AUTO */
	struct bpf_link *links[GPU_LINKS_MAX];
	size_t link_count;
};

struct probes {
	bool supported; /* bpf_get_attach_cookie */
	bool multi;	/* uprobe_multi, else perf events */
	bool told;	/* that there are more places than perf events */
	size_t events;	/* attached now */
};

#define RETURNS_MAX 16

struct loader {
	struct tokscope_bpf *skel;
	enum socket_backend backend;
	bool raw;
	struct bpf_link *returns[RETURNS_MAX]; /* kretprobe_return, a link a function */
	size_t n_returns;
	const struct loader_ops *ops;
	void *ctx;
	struct ring_buffer *ring;
	int epoll_fd;
	int stats_fd;
	uint64_t bad_records;
	struct gpu_hooks gpu;
	struct probes probes;
};

/* backend.c. Does this program serve that backend, or every one? `raw` takes raw_tp instead of tp_btf. */
bool backend_wants(const char *program, enum socket_backend backend, bool raw);
/* Switches on the programs this kernel and backend can use. */
int backend_select_programs(struct tokscope_bpf *skel, enum socket_backend backend, bool raw);

/* gpu.c. Does this program serve that hook, or is it not about GPUs? */
bool gpu_hook_wants(const char *program, enum gpu_hook hook);
/* Sets l->gpu.hook: what auto comes to on this machine. */
void gpu_hooks_choose(struct loader *l, const struct loader_config *config);
/* Before load: which programs and maps there will be. */
void gpu_hooks_select(struct loader *l, const struct loader_config *config);
/* After load. Returns 0 or negative errno after logging why; then nothing is attached. */
int gpu_hooks_attach(struct loader *l);
void gpu_hooks_detach(struct loader *l);
/* Loading failed: is it worth another try without these hooks? Not where they were asked for by name. */
bool gpu_hooks_give_up(struct loader *l, const struct loader_config *config);

/* probe.c. Tries what this kernel can do. */
void probes_choose(struct loader *l, const struct loader_config *config);
/* Does this program serve the way that was chosen, or is it not about probes in servers? */
bool probes_want(const struct loader *l, const char *program);
/* Before load: which programs and maps there will be. */
void probes_select(struct loader *l);

/* features.c. Is this row of features.def available? Tries it. */
bool feature_available(const char *name);

/* Attaches all that is loaded, of backend l->backend. backend_detach undoes what the skeleton does not know of. */
int backend_attach(struct loader *l);
void backend_detach(struct loader *l);

/* loader.c: a row of `feature probe` for each way to capture, each loaded and attached. Returns the number of rows. */
size_t backend_probe(struct feature *rows, size_t max);

/* reader.c: maps the ring and sets up l->epoll_fd. Both return 0 or a negative errno. */
int reader_open(struct loader *l);
void reader_close(struct loader *l);

/* diagnose.c */
/* Sends libbpf's messages, verifier logs included, to log_debug. */
void diagnose_route_libbpf_log(void);
/* Logs one error: what failed, with what errno, and what to do about it on this machine. */
void diagnose_failure(const char *what, int err);

#endif
