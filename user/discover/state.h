/* SPDX-License-Identifier: Apache-2.0 */
/* What discovery.c (time and events), scan.c (all of /proc) and examine.c (one process) share. */
#ifndef DISCOVER_STATE_H
#define DISCOVER_STATE_H

#include "discover/discovery.h"
#include "discover/roster.h"

/* A listening socket that was seen, by its inode number. */
struct listener {
	uint64_t ino;
	struct listening l;
	uint32_t seen;	/* scan that saw it last */
	uint64_t order; /* rises with every socket that is new */
	UT_hash_handle hh;
};

struct discovery {
	struct discovery_ops ops;
	void *ctx;
	struct engine_rules rules;
	const char *proc_root;
	char host_id[256];
	uint32_t self; /* our own pid: never selected */
	/* Selection by hand; manual: any of them is set. */
	uint32_t *pids;
	uint16_t *ports;
	char **comms;
	size_t pid_count, port_count, comm_count;
	bool manual;

	struct roster roster;
	struct listener *listeners;
	uint64_t last_order;
	uint32_t scan;	       /* number of the latest full scan */
	bool pending;	       /* a process may have look_ns set */
	uint64_t next_scan_ns; /* full scan */
	uint64_t next_unix_ns; /* look at unix listeners */
};

/* ------------------------------------------------------------------ scan.c */

/* Remembers a listening socket. True: it was not known. */
bool scan_listener(struct discovery *d, const struct listening *l);
/* 0 or negative errno: /proc itself cannot be read. */
int scan_all(struct discovery *d, uint64_t now_ns);
/* A unix socket listens that no scan has seen, in our network namespace or in one of a live server. */
bool scan_has_new_unix(struct discovery *d);

/* ------------------------------------------------------------------ examine.c */

/* The process with this pid as it is now, read anew if it is not the one known. NULL: gone, or none to trace. */
struct process *examine_process(struct discovery *d, uint32_t pid, uint64_t now_ns);
/* Its program may have changed: reads what it is again. */
void examine_again(struct discovery *d, struct process *p);
/* Takes the process in if it is a server or fits a rule: reads its sockets, and its maps if it listens. */
void examine_sockets(struct discovery *d, struct process *p, uint64_t now_ns);
/* Takes the process into the servers of its nearest ancestor that has one. */
void examine_ancestors(struct discovery *d, struct process *p, uint64_t now_ns);
/* Nothing selects this process any more: it fits no rule, was not chosen by hand and descends from none that is. */
bool examine_is_stray(struct discovery *d, struct process *p, uint64_t now_ns);
void examine_drop(struct discovery *d, struct process *p, uint64_t now_ns);
void examine_unselect(struct discovery *d, struct process *p);

#endif
