// SPDX-License-Identifier: Apache-2.0
#include "discover/state.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "discover/identity.h"
#include "discover/procfs.h"
#include "discover/text.h"

#define CMDLINE_MAX   4096
#define LISTENERS_MAX 64 /* of one process; a server has one to three */
#define LINEAGE_MAX   32 /* ancestors looked at */

/* When to look again at a process that listens and fits no rule: Python maps its engine late. */
static const uint64_t look_after_ns[] = {
	100 * NSEC_PER_MSEC, 300 * NSEC_PER_MSEC, NSEC_PER_SEC, 3 * NSEC_PER_SEC, 10 * NSEC_PER_SEC,
};
#define LOOKS_MAX (sizeof(look_after_ns) / sizeof(look_after_ns[0]))

/* ------------------------------------------------------------------ what a process is */

static bool has_pid(const struct discovery *d, uint32_t pid)
{
	for (size_t i = 0; i < d->pid_count; i++)
		if (d->pids[i] == pid)
			return true;
	return false;
}

static bool has_port(const struct discovery *d, uint16_t port)
{
	for (size_t i = 0; port && i < d->port_count; i++)
		if (d->ports[i] == port)
			return true;
	return false;
}

static bool has_comm(const struct discovery *d, const char *comm)
{
	for (size_t i = 0; i < d->comm_count; i++)
		if (!strcmp(d->comms[i], comm))
			return true;
	return false;
}

static void identify(struct discovery *d, struct process *p, const struct procfs_stat *st)
{
	char cmdline[CMDLINE_MAX], exe[CMDLINE_MAX];
	const char *argv[PROCFS_ARGV_MAX];
	int argc = procfs_argv(d->proc_root, p->pid, cmdline, sizeof(cmdline), argv);

	p->ppid = st->ppid;
	p->start = st->start;
	text_copy(p->comm, sizeof(p->comm), st->comm);
	if (procfs_link(d->proc_root, p->pid, "exe", exe, sizeof(exe)) < 0)
		exe[0] = '\0';
	if (procfs_netns(d->proc_root, p->pid, &p->netns))
		p->netns = 0;
	engine_match_program(&p->match, &d->rules, exe, argv, argc > 0 ? argc : 0);
	p->hand = has_pid(d, p->pid) ? "--pid" : has_comm(d, st->comm) ? "--comm" : NULL;
}

struct process *examine_process(struct discovery *d, uint32_t pid, uint64_t now_ns)
{
	struct process *p = roster_process(&d->roster, pid);
	struct procfs_stat st;

	if (pid == d->self || !pid)
		return NULL;
	if (procfs_stat(d->proc_root, pid, &st) || st.dead || st.kernel_thread) {
		if (p)
			examine_drop(d, p, now_ns);
		return NULL;
	}
	if (p && p->start == st.start)
		return p;
	if (p)
		examine_drop(d, p, now_ns); /* the number was given out again */
	p = roster_add(&d->roster, pid);
	if (p)
		identify(d, p, &st);
	return p;
}

void examine_again(struct discovery *d, struct process *p)
{
	struct procfs_stat st;

	if (!procfs_stat(d->proc_root, p->pid, &st))
		identify(d, p, &st);
}

/* ------------------------------------------------------------------ selection */

static void select_process(struct discovery *d, struct process *p)
{
	int err;

	if (p->selected)
		return;
	err = d->ops.select(d->ctx, p->pid);
	if (!err) {
		p->selected = true;
	} else if (!p->told) {
		p->told = true;
		log_warn("cannot trace process %u (%s): %s", p->pid, p->comm, strerror(-err));
	}
}

void examine_unselect(struct discovery *d, struct process *p)
{
	if (p->selected)
		d->ops.unselect(d->ctx, p->pid);
	p->selected = false;
}

void examine_drop(struct discovery *d, struct process *p, uint64_t now_ns)
{
	examine_unselect(d, p);
	roster_drop(&d->roster, p, now_ns);
}

/* ------------------------------------------------------------------ lineage */

static struct process *parent(struct discovery *d, const struct process *p, uint64_t now_ns)
{
	struct process *up = roster_process(&d->roster, p->ppid);

	return up ? up : examine_process(d, p->ppid, now_ns);
}

enum kin {
	KIN_MEMBER, /* has a server */
	KIN_HAND,   /* was chosen by hand: its children come along */
	KIN_ENGINE, /* runs the same engine */
};

/* The nearest ancestor of this kind, NULL where there is none. */
static struct process *ancestor(struct discovery *d, const struct process *p, enum kin kin,
				uint64_t now_ns)
{
	struct process *up = parent(d, p, now_ns);

	for (int i = 0; up && i < LINEAGE_MAX; i++, up = parent(d, up, now_ns)) {
		if (kin == KIN_MEMBER && up->server_count)
			return up;
		if (kin == KIN_HAND && up->hand)
			return up;
		if (kin == KIN_ENGINE && up->match.engine &&
		    engine_same(up->match.engine, p->match.engine))
			return up;
	}
	return NULL;
}

/* p belongs to everything that its ancestor does. */
static bool join_ancestor(struct discovery *d, struct process *p, uint64_t now_ns)
{
	struct process *up = ancestor(d, p, KIN_MEMBER, now_ns);

	for (size_t i = 0; up && i < up->server_count; i++)
		roster_join(p, up->servers[i]);
	return up != NULL;
}

void examine_ancestors(struct discovery *d, struct process *p, uint64_t now_ns)
{
	if (p->server_count)
		return;
	if (join_ancestor(d, p, now_ns) || (d->manual && ancestor(d, p, KIN_HAND, now_ns)))
		select_process(d, p);
}

bool examine_is_stray(struct discovery *d, struct process *p, uint64_t now_ns)
{
	if (p->hand || ancestor(d, p, KIN_MEMBER, now_ns))
		return false;
	return d->manual ? !ancestor(d, p, KIN_HAND, now_ns) : !p->match.engine;
}

/* ------------------------------------------------------------------ listening sockets of a process */

struct owned {
	struct discovery *d;
	const struct listener *listeners[LISTENERS_MAX];
	size_t count;
	uint64_t newest; /* highest order of them */
};

static void own_socket(void *ctx, uint64_t ino)
{
	struct owned *o = ctx;
	const struct listener *l;

	HASH_FIND(hh, o->d->listeners, &ino, sizeof(ino), l);
	if (!l || o->count == LISTENERS_MAX)
		return;
	for (size_t i = 0; i < o->count; i++)
		if (o->listeners[i] == l)
			return; /* a duplicate of the descriptor */
	o->listeners[o->count++] = l;
	if (l->order > o->newest)
		o->newest = l->order;
}

static void find_owned(struct discovery *d, const struct process *p, struct owned *o)
{
	*o = (struct owned){ .d = d };
	procfs_sockets(d->proc_root, p->pid, own_socket, o);
}

static bool listens_at(struct discovery *d, const struct process *p,
		       const struct listen_address *at)
{
	struct owned o;

	find_owned(d, p, &o);
	for (size_t i = 0; i < o.count; i++)
		if (!memcmp(&o.listeners[i]->l.at, at, sizeof(*at)))
			return true;
	return false;
}

/* ------------------------------------------------------------------ servers */

/*
 * p listens where a live server does. The same server if it is a worker of it, by descent, or if another member still
 * has the address too (SO_REUSEPORT); else the server that was there has closed its socket, and this is its successor.
 */
static bool is_worker_of(struct discovery *d, const struct process *p, const struct server_entry *e,
			 uint64_t now_ns)
{
	const struct process *up = ancestor(d, p, KIN_MEMBER, now_ns);
	struct process *q, *next;

	if (up && roster_is_member(up, e))
		return true;
	HASH_ITER(hh, d->roster.processes, q, next)
		if (roster_is_member(q, e) && listens_at(d, q, &e->at))
			return true;
	return false;
}

static void explain(struct server *s, const struct process *p)
{
	if (!p->hand)
		snprintf(s->reason, sizeof(s->reason), "%s", p->match.reason);
	else if (!strcmp(p->hand, "--pid"))
		snprintf(s->reason, sizeof(s->reason), "selected by --pid %u", p->pid);
	else if (!strcmp(p->hand, "--port"))
		snprintf(s->reason, sizeof(s->reason), "selected by --port %u", s->port);
	else
		snprintf(s->reason, sizeof(s->reason), "selected by --comm %s", p->comm);
}

/* Parents that run the same engine and listen nowhere (a launcher) are in it too: their children are its parts. */
static void join_launchers(struct discovery *d, struct process *p, struct server_entry *e,
			   uint64_t now_ns)
{
	struct process *up = p;

	while ((up = ancestor(d, up, KIN_ENGINE, now_ns)) && !up->server_count)
		roster_join(up, e);
}

/* All that were part of `door` are part of e instead. */
static void move_members(struct discovery *d, const struct server_entry *door,
			 struct server_entry *e, uint64_t now_ns)
{
	struct process *p, *next;

	HASH_ITER(hh, d->roster.processes, p, next) {
		if (!roster_is_member(p, door))
			continue;
		roster_quit(p, door, now_ns);
		roster_join(p, e);
	}
}

/* The API of p is open now, at e: what it listened on before, by unix sockets, was a side door. */
static void close_side_doors(struct discovery *d, struct process *p, struct server_entry *e,
			     uint64_t now_ns)
{
	for (size_t i = p->server_count; i-- > 0;)
		if (!p->servers[i]->at.port)
			move_members(d, p->servers[i], e, now_ns);
}

static void create_server(struct discovery *d, struct process *p, const struct listener *l,
			  uint64_t now_ns)
{
	struct server_entry *e = roster_serve(&d->roster, &l->l.at, now_ns);

	if (!e)
		return;
	e->s.engine = p->match.engine ? p->match.engine : ENGINE_UNKNOWN;
	e->s.pid = p->pid;
	sockets_text(&l->l, e->s.address, sizeof(e->s.address));
	explain(&e->s, p);
	identity_fill(&e->s, d->proc_root, d->host_id, p->start, p->comm);
	if (roster_join(p, e))
		e->s.gone_ns = now_ns;
	if (!d->manual)
		join_launchers(d, p, e, now_ns);
	if (!p->hand && e->at.port)
		close_side_doors(d, p, e, now_ns);
	if (d->ops.found)
		d->ops.found(d->ctx, &e->s);
	d->next_scan_ns = now_ns; /* processes that were there before it may be parts of it */
}

static void serve(struct discovery *d, struct process *p, const struct listener *l, uint64_t now_ns)
{
	struct server_entry *e = roster_at(&d->roster, &l->l.at);

	if (e && roster_is_member(p, e))
		return;
	if (e && !e->s.gone_ns && is_worker_of(d, p, e, now_ns))
		roster_join(p, e);
	else if (p->hand || !join_ancestor(d, p, now_ns))
		create_server(d, p, l, now_ns);
}

/* ------------------------------------------------------------------ one look at a process */

/* Which option chose this process, if one did by what it listens on. */
static void match_ports(struct discovery *d, struct process *p, const struct owned *o)
{
	for (size_t i = 0; i < o->count && !p->hand; i++)
		if (has_port(d, o->listeners[i]->l.at.port))
			p->hand = "--port";
}

/* A listening process is looked at a few times until it fits a rule. */
static void match_maps(struct discovery *d, struct process *p, const struct owned *o,
		       uint64_t now_ns)
{
	if (p->match.engine || !o->count)
		return;
	if (p->looks > LOOKS_MAX)
		return;
	if (!engine_match_maps(&p->match, &d->rules, d->proc_root, p->pid) &&
	    p->looks < LOOKS_MAX) {
		p->look_ns = now_ns + look_after_ns[p->looks];
		d->pending = true;
	}
	p->looks++;
}

/*
 * An engine's own channels are no server beside its API: a unix socket of a process that listens on TCP too (ZMQ), ports that
 * its pack names. Chosen by hand, a process is whatever listens.
 */
static bool is_side_door(const struct process *p, const struct owned *o, const struct listener *l)
{
	bool tcp = false;

	if (p->hand)
		return false;
	for (size_t i = 0; i < ENGINE_OTHER_PORTS; i++)
		if (l->l.at.port && l->l.at.port == p->match.other_ports[i])
			return true;
	for (size_t i = 0; i < o->count; i++)
		tcp |= o->listeners[i]->l.at.port != 0;
	return tcp && !l->l.at.port;
}

/* What it listens on makes no server of it. */
static bool is_part(struct discovery *d, struct process *p, uint64_t now_ns)
{
	if (p->hand)
		return false;
	return p->match.role == ENGINE_WORKER ||
	       (p->match.by_maps && ancestor(d, p, KIN_ENGINE, now_ns));
}

void examine_sockets(struct discovery *d, struct process *p, uint64_t now_ns)
{
	struct owned o;

	p->looked_ns = now_ns;
	p->look_ns = 0;
	find_owned(d, p, &o);
	if (o.newest > p->newest) { /* it may be another program since, which no event told of */
		p->newest = o.newest;
		p->looks = 0;
		examine_again(d, p);
	}
	match_ports(d, p, &o);
	if (!d->manual || p->hand)
		match_maps(d, p, &o, now_ns);
	if (d->manual ? !p->hand : !p->match.engine)
		return;
	select_process(d, p);
	if (is_part(d, p, now_ns))
		return;
	for (size_t i = 0; i < o.count; i++)
		if (!is_side_door(p, &o, o.listeners[i]) &&
		    (!p->hand || strcmp(p->hand, "--port") ||
		     has_port(d, o.listeners[i]->l.at.port)))
			serve(d, p, o.listeners[i], now_ns);
}
