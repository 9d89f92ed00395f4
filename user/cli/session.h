/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A capture session: kernel side, discovery and tracker wired together, and the loop that drives them. The agent
 * and `request trace` are two consumers of it.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include <stdbool.h>

#include "attach/cupti.h"
#include "attach/probes.h"
#include "cli/config.h"
#include "discover/discovery.h"
#include "kube/kube.h"
#include "load/loader.h"
#include "probe/pack.h"
#include "track/tracker.h"

struct session_ops {
	void (*finished)(void *ctx, const struct request_record *r);
	/* All others may be NULL. */
	void (*run)(void *ctx, const struct request_run *run);
	void (*unparsed)(void *ctx, const struct server *s, enum unparsed_reason reason);
	void (*stream_event)(void *ctx, const struct server *s, bool content);
	void (*gauge)(void *ctx, const struct server *s, int in_flight, int awaiting_first_token);
	void (*found)(void *ctx, const struct server *s);
	/* Its names have changed in place: Kubernetes has told who it is. */
	void (*renamed)(void *ctx, const struct server *s);
	void (*retired)(void *ctx, const struct server *s);
	/* A call of a GPU driver; without it no such call is traced. */
	void (*gpu)(void *ctx, const struct tks_gpu *r);
	/* What libtokscope_cupti.so tells: a record of kind TKS_KIND_CUPTI_* (tks_cupti.h). */
	void (*cupti)(void *ctx, const struct tks_header *h);
	/* A traced process has ended, or is traced no more; discovery still knows it. */
	void (*process_gone)(void *ctx, uint32_t tgid);
	/* A traced process runs another program. */
	void (*process_exec)(void *ctx, uint32_t tgid);
	/* About ten times a second. */
	void (*pulse)(void *ctx, uint64_t now_ns);
	/* About once a second. */
	void (*tick)(void *ctx, uint64_t now_ns);
	/* The boundaries that the records' itl is to have; without it the catalogue's. Asked once, by session_open(). */
	const struct hist_bounds *(*itl_bounds)(void *ctx);
};

struct session {
	struct packs *packs;
	struct loader *loader;
	struct probes *probes; /* NULL: not wanted, or not possible here */
	struct cupti *cupti;   /* NULL: not wanted */
	struct discovery *discovery;
	struct tracker *tracker;
	struct kube *kube; /* NULL: not wanted, or not in Kubernetes */
	const struct session_ops *ops;
	void *ctx;
	uint64_t records; /* ring records seen */
	bool stop;	  /* set by a consumer to leave session_run() */
};

/* Discovery as the command line asks for it; packs must outlive it. NULL with errno set, after logging. */
struct discovery *session_discovery(const struct config *c, const struct packs *packs,
				    const struct discovery_ops *ops, void *ctx);

/* Loads, attaches, scans. Returns 0 or negative errno after logging what failed. */
int session_open(struct session *s, const struct config *c, const struct session_ops *ops,
		 void *ctx);
/* Until SIGINT, SIGTERM, s->stop, or duration_s seconds (0: no limit). */
int session_run(struct session *s, double duration_s);
void session_close(struct session *s);

#endif
