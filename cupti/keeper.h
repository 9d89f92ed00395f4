/* SPDX-License-Identifier: Apache-2.0 */
/* The library's one thread and its state: it looks at the semaphores, flushes, watches itself and tells its status. */
#ifndef KEEPER_H
#define KEEPER_H

#include "collect.h"
#include "watchdog.h"

struct keeper {
	struct collect collect;
	struct watchdog watchdog;
	enum tks_cupti_state state;
	enum tks_cupti_reason reason;
	cupti_result result; /* the error behind state */
	uint64_t cpu_ns;     /* of the thread */

	/* When each is due, CLOCK_MONOTONIC ns. */
	uint64_t flush_ns, retry_ns, status_ns, announce_ns;
	bool names_heard, devices_heard, status_heard,
		release_heard; /* was anyone attached at the last look? */
	bool devices_told;

	/* Of the end of the process: whichever of the two is set first holds the other back. */
	_Atomic bool in_round, ended;
};

/* The state before anything was tried. Subscribes, if it can, before it returns: graphs are traced from here on. */
void keeper_begin(struct keeper *k, bool node_level);

/* What the thread does twice a second. */
void keeper_round(struct keeper *k);

/* Starts the thread. 0 or a negative errno. */
int keeper_start(struct keeper *k);

/* At exit: waits for a running round, at most two seconds, and hands over what is left of wanted records. */
void keeper_end(struct keeper *k);

#endif
