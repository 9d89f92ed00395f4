/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of user/load. */
#ifndef LOAD_INTERNAL_H
#define LOAD_INTERNAL_H

#include <bpf/libbpf.h>
#include <pthread.h>
#include <stdbool.h>

#include "load/loader.h"
#include "tokscope.skel.h"

struct features_bpf;

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
	bool returns;	/* return probes harm nobody */
	bool told;	/* that there are more places than perf events */
	size_t events;	/* attached now */
};

struct background {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	unsigned int running;
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
	bool cupti_supported; /* its programs are loaded */
	struct background background;
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

/* cupti.c, likewise. */
void cupti_select(struct loader *l);
bool cupti_wants(const struct loader *l, const char *program);

/* uprobe_event.c */
int user_errno(int err);
/* Opens a file to be probed, and says how the kernel finds it while it is open: what is deleted or moved stays the same file. */
#define UPROBE_FILE_NAME 32
int uprobe_file_open(const char *path, char name[UPROBE_FILE_NAME]);
/* The descriptor of the event, or a negative errno. */
int uprobe_event_open(pid_t pid, const char *file, const struct uprobe_place *place);
void uprobe_events_close(struct background *b, const int *fds, size_t count);

/* background.c. Runs run(arg) in a thread; at once where there is none to be had. */
void background_run(struct background *b, void (*run)(void *arg), void *arg);
void background_init(struct background *b);
/* Waits for all of them. */
void background_end(struct background *b);

/* features.c. Is this row of features.def available? Tries it. */
bool feature_available(const char *name);

/*
 * return_probe.c. Does a probe on the return of that function of ours, at that offset of this program, leave a process with a
 * seccomp filter alive, and does it count? Else false, and why in out->detail. skel has the programs `uretprobe` loaded.
 */
bool return_probe_try(const struct features_bpf *skel, void (*target)(void), size_t offset,
		      struct feature *out);

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
