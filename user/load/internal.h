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

struct loader {
	struct tokscope_bpf *skel;
	enum socket_backend backend;
	const struct loader_ops *ops;
	void *ctx;
	struct ring_buffer *ring;
	int epoll_fd;
	int stats_fd;
	uint64_t bad_records;
};

/* backend.c: switches on the programs this kernel and backend can use; `raw` takes raw_tp instead of tp_btf. */
int backend_select_programs(struct tokscope_bpf *skel, enum socket_backend backend, bool raw);

/* reader.c: maps the ring and sets up l->epoll_fd. Both return 0 or a negative errno. */
int reader_open(struct loader *l);
void reader_close(struct loader *l);

/* diagnose.c */
/* Sends libbpf's messages, verifier logs included, to log_debug. */
void diagnose_route_libbpf_log(void);
/* Logs one error: what failed, with what errno, and what to do about it on this machine. */
void diagnose_failure(const char *what, int err);

#endif
