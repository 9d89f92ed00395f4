/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the probes of the packs attached to the traced processes: surveys their files, again while they load libraries, and
 * places what it finds. One thread calls all this; surveys run in another.
 */
#ifndef ATTACH_PROBES_H
#define ATTACH_PROBES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attach/tally.h"
#include "load/loader.h"
#include "probe/event.h"
#include "probe/pack.h"

/* Which probes of the packs are attached: --probes. */
enum probe_set {
	PROBES_DEFAULT,
	PROBES_FULL,
	PROBES_OFF,
};
int probe_set_parse(const char *name); /* negative errno: unknown */

struct probes_config {
	const struct packs *packs; /* must outlive it */
	bool full;		   /* probes that are not attached by default, too */
	double budget; /* what they may cost: a share of one core for each process; 0: no limit */
};

struct probes_ops {
	/* The server that a process belongs to, for the results: its id and its engine; 0: none (yet). */
	uint32_t (*server)(void *ctx, uint32_t pid, const char **engine);
};

struct probes;

/* NULL with errno set: EOPNOTSUPP where this kernel has no cookies for probes. */
struct probes *probes_new(const struct probes_config *config, struct loader *l,
			  const struct probes_ops *ops, void *ctx);
void probes_free(struct probes *p);

/* A process is traced, or no longer. */
void probes_add_process(struct probes *p, uint32_t pid);
void probes_drop_process(struct probes *p, uint32_t pid);
/* A traced process replaced its image: all probes are gone with it. */
void probes_exec_process(struct probes *p, uint32_t pid);
/* Every 100 ms or so: what was found is attached, and what is due is looked at again. */
void probes_tick(struct probes *p, uint64_t now_ns);

/* What an event means; false: its site is not there any more, or means nothing. */
bool probes_event(const struct probes *p, const struct tks_probe_event *e,
		  struct engine_event *out);

/* Calls fn for each probe that was found in any file so far. */
typedef void (*probe_status_fn)(void *ctx, const struct probe_status *s);
void probes_status(struct probes *p, probe_status_fn fn, void *ctx);

#endif
