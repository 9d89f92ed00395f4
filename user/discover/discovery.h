/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds inference servers: mapped libraries, executable, argv (the rules of the probe packs) and
 * listening sockets; at start by one scan
 * of /proc, later by kernel events (struct tks_proc) and a 1 s look at unix listeners.
 */
#ifndef DISCOVER_DISCOVERY_H
#define DISCOVER_DISCOVERY_H

#include <stddef.h>
#include <stdint.h>

#include "discover/engine.h"
#include "discover/server.h"
#include "tks_record.h"

/* Selection by hand: when any of these is set, only what matches is taken (and is taken whatever it is). */
struct discovery_config {
	const uint32_t *pids;
	size_t pid_count;
	const uint16_t *ports;
	size_t port_count;
	const char *const *comms; /* exact /proc/PID/comm */
	size_t comm_count;
	struct engine_rules rules; /* how engines are recognised */
	const char *proc_root;	   /* "/proc"; tests point it at a tree of their own */
	const char *host_id;	   /* NULL: read /etc/machine-id, else the hostname */
};

struct discovery_ops {
	/* A process is to be traced, or no longer. Return negative errno when it could not be. */
	int (*select)(void *ctx, uint32_t pid);
	void (*unselect)(void *ctx, uint32_t pid);
	/* A server was found, or is retired (its pointer dies when this returns). Either may be NULL. */
	void (*found)(void *ctx, const struct server *s);
	void (*retired)(void *ctx, const struct server *s);
};

struct discovery;

/* Copies what config and ops hold, except rules, host_id and proc_root, which must outlive it. NULL with errno set. */
struct discovery *discovery_new(const struct discovery_config *config,
				const struct discovery_ops *ops, void *ctx);
void discovery_free(struct discovery *d);

/* One full scan of /proc. Returns the number of servers known, or negative errno. */
int discovery_scan(struct discovery *d, uint64_t now_ns);
/* A kernel event: listen, fork, exec, exit. */
void discovery_proc_event(struct discovery *d, const struct tks_proc *ev);
/* Call about every 100 ms: rescans with back-off, unix listeners, retiring. */
void discovery_tick(struct discovery *d, uint64_t now_ns);

/*
 * The server a socket of process tgid belongs to: by (netns, local address, port) for a server-side socket, else the
 * server that the process is a part of. NULL: not one of ours.
 */
const struct server *discovery_resolve(const struct discovery *d, uint32_t tgid,
				       const struct tks_sock *sk);
/* The same of what has no socket, a probe or GPU work: the server that the process is a part of. */
const struct server *discovery_resolve_process(const struct discovery *d, uint32_t tgid);

/*
 * The pod of a server became known: its names change in place, so that who holds on to the server sees them. NULL: it is
 * retired, or never was.
 */
const struct server *discovery_identify(struct discovery *d, uint32_t server_id,
					const struct k8s_identity *identity);

/* Iteration over all servers, gone ones included: *cursor starts at 0; NULL at the end. */
const struct server *discovery_next(const struct discovery *d, size_t *cursor);
/* The engine that a process runs by itself, whatever server it is a part of; NULL: no rule tells. */
const char *discovery_engine(const struct discovery *d, uint32_t pid);
/* NULL: it is retired, or never was. */
const struct server *discovery_by_id(const struct discovery *d, uint32_t server_id);
/* Process ids of one server; returns how many there are (may exceed max). */
size_t discovery_pids(const struct discovery *d, uint32_t server_id, uint32_t *pids, size_t max);

#endif
