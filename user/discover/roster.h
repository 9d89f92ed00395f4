/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes of the host, the servers, and who belongs to whom. Knows nothing of /proc or of the rules: it is told.
 */
#ifndef DISCOVER_ROSTER_H
#define DISCOVER_ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "discover/engine.h"
#include "discover/server.h"
#include "discover/sockets.h"

struct server_entry {
	struct server s; /* first: a struct server * of ours is one of these */
	struct listen_address at;
	UT_hash_handle hh; /* roster.by_address: the newest server at each address */
};

struct process {
	uint32_t pid, ppid;
	uint64_t start; /* clock ticks since boot */
	uint32_t netns; /* 0: could not be read */
	char comm[64];	/* fit to print */
	struct engine_match match;
	/* The option that names this very process: "--pid", "--comm", "--port"; NULL: none does. */
	const char *hand;
	bool selected;		       /* the kernel side traces it */
	bool told;		       /* that it could not be selected was logged */
	uint32_t seen;		       /* scan that saw it last */
	bool is_new;		       /* which was the first to see it */
	uint64_t newest;	       /* highest order of the listening sockets it had */
	unsigned int looks;	       /* looks at it after it listened and fitted no rule */
	uint64_t look_ns;	       /* when to look again; 0: not */
	uint64_t looked_ns;	       /* last look */
	struct server_entry **servers; /* oldest first */
	size_t server_count;
	UT_hash_handle hh; /* roster.processes, by pid */
};

struct roster {
	struct process *processes;
	struct server_entry **servers; /* all of them, by rising id; gone ones stay until retired */
	size_t server_count, server_cap;
	struct server_entry *by_address;
	uint32_t last_id;
};

void roster_free(struct roster *r);

struct process *roster_process(const struct roster *r, uint32_t pid); /* NULL: not known */
struct process *roster_add(struct roster *r, uint32_t pid);	      /* zeroed; NULL: no memory */
/* Forgets a process, which leaves its servers. */
void roster_drop(struct roster *r, struct process *p, uint64_t now_ns);

/* A new server at an address, in the place of one that was there; without a process yet. NULL: no memory. */
struct server_entry *roster_serve(struct roster *r, const struct listen_address *at,
				  uint64_t now_ns);
/* NULL: none. */
struct server_entry *roster_at(const struct roster *r, const struct listen_address *at);
bool roster_is_member(const struct process *p, const struct server_entry *e);
/* 0, also where it is a member already, or -ENOMEM. */
int roster_join(struct process *p, struct server_entry *e);
/* One server that p is a member of; it is gone when that was the last. */
void roster_quit(struct process *p, const struct server_entry *e, uint64_t now_ns);
/* All servers of a process; one without a process left is gone. */
void roster_leave(struct process *p, uint64_t now_ns);
/* Forgets a server that is gone (no process has it any more). */
void roster_retire(struct roster *r, size_t index);

/* As discovery_resolve(). */
const struct server *roster_resolve(const struct roster *r, uint32_t pid,
				    const struct tks_sock *sk);

#endif
