// SPDX-License-Identifier: Apache-2.0
#include "discover/state.h"

#include <stdlib.h>
#include <string.h>

#include "discover/procfs.h"

/* ------------------------------------------------------------------ listening sockets */

bool scan_listener(struct discovery *d, const struct listening *l)
{
	struct listener *known;
	bool is_new;

	HASH_FIND(hh, d->listeners, &l->ino, sizeof(l->ino), known);
	is_new = !known || memcmp(&known->l.at, &l->at, sizeof(l->at));
	if (!known) {
		known = calloc(1, sizeof(*known));
		if (!known)
			return false;
		known->ino = l->ino;
		HASH_ADD(hh, d->listeners, ino, sizeof(known->ino), known);
	}
	if (is_new) {
		known->l = *l;
		known->order = ++d->last_order;
	}
	known->seen = d->scan;
	return is_new;
}

static void forget_closed(struct discovery *d)
{
	struct listener *l, *next;

	HASH_ITER(hh, d->listeners, l, next) {
		if (l->seen == d->scan)
			continue;
		HASH_DEL(d->listeners, l);
		free(l);
	}
}

/* A network namespace during one scan. */
struct namespace
{
	uint32_t ino;
	bool has_new; /* a socket listens there that no earlier scan has seen */
	struct discovery *d;
	UT_hash_handle hh;
};

static void on_listening(void *ctx, const struct listening *l)
{
	struct namespace *ns = ctx;

	ns->has_new |= scan_listener(ns->d, l);
}

/* Reads the sockets of a process's namespace the first time that the namespace is met. NULL: cannot be read. */
static struct namespace *namespace_of(struct discovery *d, struct namespace **all, uint32_t ino,
				      uint32_t pid)
{
	struct namespace *ns;

	HASH_FIND(hh, *all, &ino, sizeof(ino), ns);
	if (ns || !ino)
		return ns;
	ns = calloc(1, sizeof(*ns));
	if (!ns)
		return NULL;
	ns->ino = ino;
	ns->d = d;
	if (sockets_listening(d->proc_root, pid, ino, on_listening, ns)) {
		free(ns); /* the process has ended: there may be others */
		return NULL;
	}
	HASH_ADD(hh, *all, ino, sizeof(ns->ino), ns);
	return ns;
}

/* Of the agent itself; 0 where it cannot be read. */
static uint32_t own_namespace(const struct discovery *d)
{
	uint32_t ino;

	return procfs_netns(d->proc_root, PROCFS_SELF, &ino) ? 0 : ino;
}

static void free_namespaces(struct namespace **all)
{
	struct namespace *ns, *next;

	HASH_ITER(hh, *all, ns, next) {
		HASH_DEL(*all, ns);
		free(ns);
	}
}

/* ------------------------------------------------------------------ processes */

struct walk {
	struct discovery *d;
	uint64_t now_ns;
};

static void on_pid(void *ctx, uint32_t pid)
{
	struct walk *w = ctx;
	struct process *p = examine_process(w->d, pid, w->now_ns);

	if (!p)
		return;
	p->is_new = !p->seen;
	p->seen = w->d->scan;
}

static void drop_vanished(struct discovery *d, uint64_t now_ns)
{
	struct process *p, *next;

	HASH_ITER(hh, d->roster.processes, p, next)
		if (p->seen != d->scan)
			examine_drop(d, p, now_ns);
}

/* Parents before their children. */
static int by_age(const struct process *a, const struct process *b)
{
	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->pid < b->pid ? -1 : a->pid > b->pid;
}

/*
 * Descriptors are read only where that can tell something new: of new processes, of those that were taken, and all of a
 * namespace in which something new listens.
 */
static void look_at_sockets(struct discovery *d, uint64_t now_ns)
{
	struct namespace *all = NULL;
	struct process *p, *next;

	namespace_of(d, &all, own_namespace(d), PROCFS_SELF);
	HASH_ITER(hh, d->roster.processes, p, next)
		namespace_of(d, &all, p->netns, p->pid);
	forget_closed(d);
	HASH_SORT(d->roster.processes, by_age);
	HASH_ITER(hh, d->roster.processes, p, next) {
		const struct namespace *ns = namespace_of(d, &all, p->netns, p->pid);

		if (p->is_new || p->match.engine || p->hand || (ns && ns->has_new))
			examine_sockets(d, p, now_ns);
	}
	HASH_ITER(hh, d->roster.processes, p, next)
		examine_ancestors(d, p, now_ns);
	free_namespaces(&all);
}

int scan_all(struct discovery *d, uint64_t now_ns)
{
	struct walk w = { d, now_ns };
	int err;

	d->scan++;
	err = procfs_pids(d->proc_root, on_pid, &w);
	if (err)
		return err;
	drop_vanished(d, now_ns);
	look_at_sockets(d, now_ns);
	return 0;
}

/* ------------------------------------------------------------------ unix listeners */

struct unix_look {
	struct discovery *d;
	bool found;
};

static void on_unix(void *ctx, const struct listening *l)
{
	struct unix_look *u = ctx;
	struct listener *known;

	HASH_FIND(hh, u->d->listeners, &l->ino, sizeof(l->ino), known);
	u->found |= !known;
}

bool scan_has_new_unix(struct discovery *d)
{
	struct unix_look u = { .d = d };
	uint32_t own = own_namespace(d);

	if (own)
		sockets_listening_unix(d->proc_root, PROCFS_SELF, own, on_unix, &u);
	for (size_t i = 0; i < d->roster.server_count && !u.found; i++) {
		const struct server *s = &d->roster.servers[i]->s;

		if (!s->gone_ns && s->netns != own)
			sockets_listening_unix(d->proc_root, s->pid, s->netns, on_unix, &u);
	}
	return u.found;
}
