// SPDX-License-Identifier: Apache-2.0
#include "discover/discovery.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "discover/identity.h"
#include "discover/state.h"
#include "discover/text.h"

#define SCAN_NS	  (10 * NSEC_PER_SEC)	  /* finds what no event told of */
#define UNIX_NS	  NSEC_PER_SEC		  /* no tracepoint tells of unix listeners */
#define RETIRE_NS (5 * 60 * NSEC_PER_SEC) /* design.md 6, Identity */
/* Least time between two looks at a process that keeps on calling listen(). */
#define CALM_NS (100 * NSEC_PER_MSEC)

/* ------------------------------------------------------------------ open and close */

static int copy_config(struct discovery *d, const struct discovery_config *c)
{
	d->pids = calloc(c->pid_count + 1, sizeof(*d->pids));
	d->ports = calloc(c->port_count + 1, sizeof(*d->ports));
	d->comms = calloc(c->comm_count + 1, sizeof(*d->comms));
	if (!d->pids || !d->ports || !d->comms)
		return -ENOMEM;
	for (; d->pid_count < c->pid_count; d->pid_count++)
		d->pids[d->pid_count] = c->pids[d->pid_count];
	for (; d->port_count < c->port_count; d->port_count++)
		d->ports[d->port_count] = c->ports[d->port_count];
	for (; d->comm_count < c->comm_count; d->comm_count++) {
		d->comms[d->comm_count] = strdup(c->comms[d->comm_count]);
		if (!d->comms[d->comm_count])
			return -ENOMEM;
	}
	d->manual = d->pid_count || d->port_count || d->comm_count;
	return 0;
}

struct discovery *discovery_new(const struct discovery_config *config,
				const struct discovery_ops *ops, void *ctx)
{
	struct discovery *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->ops = *ops;
	d->ctx = ctx;
	d->rules = config->rules;
	d->proc_root = config->proc_root;
	d->self = getpid();
	if (config->host_id)
		text_copy(d->host_id, sizeof(d->host_id), config->host_id);
	else
		identity_host(d->host_id, sizeof(d->host_id));
	if (copy_config(d, config)) {
		discovery_free(d);
		errno = ENOMEM;
		return NULL;
	}
	return d;
}

void discovery_free(struct discovery *d)
{
	struct listener *l, *next;

	if (!d)
		return;
	HASH_ITER(hh, d->listeners, l, next) {
		HASH_DEL(d->listeners, l);
		free(l);
	}
	roster_free(&d->roster);
	for (size_t i = 0; i < d->comm_count; i++)
		free(d->comms[i]);
	free(d->comms);
	free(d->ports);
	free(d->pids);
	free(d);
}

/* ------------------------------------------------------------------ kernel events */

/* The event comes from inside listen(), maybe before /proc/net shows the socket: the record says what will be there. */
static void on_listen(struct discovery *d, const struct tks_proc *ev)
{
	struct listening l = { .ino = ev->sk.ino, .at = sockets_local(&ev->sk) };
	uint64_t now_ns = ev->h.time_ns;
	struct process *p = examine_process(d, ev->h.tgid, now_ns);

	if (!p)
		return;
	if (!l.ino || !l.at.port) {
		d->next_scan_ns = now_ns; /* the port is chosen after the event */
		return;
	}
	scan_listener(d, &l);
	if (p->looked_ns && now_ns < p->looked_ns + CALM_NS) {
		p->look_ns = p->looked_ns + CALM_NS;
		d->pending = true;
		return;
	}
	examine_sockets(d, p, now_ns);
}

/* The kernel has selected the child before it ran. */
static void on_fork(struct discovery *d, const struct tks_proc *ev)
{
	struct process *p = examine_process(d, ev->child, ev->h.time_ns);

	if (!p)
		return; /* it has ended already: its exit took the selection away */
	p->selected = true;
	examine_ancestors(d, p, ev->h.time_ns);
}

static void on_exec(struct discovery *d, const struct tks_proc *ev)
{
	struct process *p = examine_process(d, ev->h.tgid, ev->h.time_ns);
	const char *was;

	if (!p)
		return;
	was = p->match.engine;
	examine_again(d, p);
	if (!engine_same(was, p->match.engine) && !p->hand)
		roster_leave(p, ev->h.time_ns);
	p->looks = 0;
	examine_sockets(d, p, ev->h.time_ns);
	examine_ancestors(d, p, ev->h.time_ns);
	if (!p->server_count && examine_is_stray(d, p, ev->h.time_ns))
		examine_unselect(d, p);
}

void discovery_proc_event(struct discovery *d, const struct tks_proc *ev)
{
	struct process *p;

	switch (ev->event) {
	case TKS_PROC_LISTEN:
		on_listen(d, ev);
		break;
	case TKS_PROC_FORK:
		on_fork(d, ev);
		break;
	case TKS_PROC_EXEC:
		on_exec(d, ev);
		break;
	case TKS_PROC_EXIT:
		p = roster_process(&d->roster, ev->h.tgid);
		if (p)
			examine_drop(d, p, ev->h.time_ns);
		break;
	}
}

/* ------------------------------------------------------------------ time */

static void look_again(struct discovery *d, uint64_t now_ns)
{
	struct process *p, *next;

	if (!d->pending)
		return;
	d->pending = false;
	HASH_ITER(hh, d->roster.processes, p, next) {
		if (p->look_ns && now_ns < p->look_ns)
			d->pending = true;
		if (!p->look_ns || now_ns < p->look_ns || examine_process(d, p->pid, now_ns) != p)
			continue;
		examine_again(d, p);
		examine_sockets(d, p, now_ns);
	}
}

static void retire(struct discovery *d, uint64_t now_ns)
{
	for (size_t i = d->roster.server_count; i-- > 0;) {
		const struct server *s = &d->roster.servers[i]->s;

		if (!s->gone_ns || now_ns < s->gone_ns + RETIRE_NS)
			continue;
		if (d->ops.retired)
			d->ops.retired(d->ctx, s);
		roster_retire(&d->roster, i);
	}
}

int discovery_scan(struct discovery *d, uint64_t now_ns)
{
	int err;

	d->next_scan_ns = now_ns + SCAN_NS;
	d->next_unix_ns = now_ns + UNIX_NS;
	err = scan_all(d, now_ns);
	return err ? err : (int)d->roster.server_count;
}

void discovery_tick(struct discovery *d, uint64_t now_ns)
{
	bool due = now_ns >= d->next_scan_ns;

	if (!due && now_ns >= d->next_unix_ns) {
		d->next_unix_ns = now_ns + UNIX_NS;
		due = scan_has_new_unix(d);
	}
	if (due)
		discovery_scan(d, now_ns);
	look_again(d, now_ns);
	retire(d, now_ns);
}

/* ------------------------------------------------------------------ look-ups */

const struct server *discovery_resolve(const struct discovery *d, uint32_t tgid,
				       const struct tks_sock *sk)
{
	return roster_resolve(&d->roster, tgid, sk);
}

const struct server *discovery_resolve_process(const struct discovery *d, uint32_t tgid)
{
	static const struct tks_sock none;

	return discovery_resolve(d, tgid, &none);
}

const struct server *discovery_next(const struct discovery *d, size_t *cursor)
{
	if (*cursor >= d->roster.server_count)
		return NULL;
	return &d->roster.servers[(*cursor)++]->s;
}

const char *discovery_engine(const struct discovery *d, uint32_t pid)
{
	const struct process *p = roster_process(&d->roster, pid);

	return p ? p->match.engine : NULL;
}

static struct server *find_server(const struct discovery *d, uint32_t server_id)
{
	for (size_t i = 0; i < d->roster.server_count; i++)
		if (d->roster.servers[i]->s.id == server_id)
			return &d->roster.servers[i]->s;
	return NULL;
}

const struct server *discovery_by_id(const struct discovery *d, uint32_t server_id)
{
	return find_server(d, server_id);
}

const struct server *discovery_identify(struct discovery *d, uint32_t server_id,
					const struct k8s_identity *identity)
{
	struct server *s = find_server(d, server_id);

	if (s)
		identity_of_pod(s, identity);
	return s;
}

size_t discovery_pids(const struct discovery *d, uint32_t server_id, uint32_t *pids, size_t max)
{
	const struct process *p;
	size_t count = 0;

	for (p = d->roster.processes; p; p = p->hh.next) {
		for (size_t i = 0; i < p->server_count; i++) {
			if (p->servers[i]->s.id != server_id)
				continue;
			if (count < max)
				pids[count] = p->pid;
			count++;
		}
	}
	return count;
}
