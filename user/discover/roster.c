// SPDX-License-Identifier: Apache-2.0
#include "discover/roster.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void free_process(struct roster *r, struct process *p)
{
	HASH_DEL(r->processes, p);
	free(p->servers);
	free(p);
}

void roster_free(struct roster *r)
{
	struct process *p, *next;

	HASH_ITER(hh, r->processes, p, next)
		free_process(r, p);
	HASH_CLEAR(hh, r->by_address);
	for (size_t i = 0; i < r->server_count; i++)
		free(r->servers[i]);
	free(r->servers);
}

struct process *roster_process(const struct roster *r, uint32_t pid)
{
	struct process *p;

	HASH_FIND(hh, r->processes, &pid, sizeof(pid), p);
	return p;
}

struct process *roster_add(struct roster *r, uint32_t pid)
{
	struct process *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->pid = pid;
	HASH_ADD(hh, r->processes, pid, sizeof(p->pid), p);
	return p;
}

void roster_drop(struct roster *r, struct process *p, uint64_t now_ns)
{
	roster_leave(p, now_ns);
	free_process(r, p);
}

struct server_entry *roster_at(const struct roster *r, const struct listen_address *at)
{
	struct server_entry *e;

	HASH_FIND(hh, r->by_address, at, sizeof(*at), e);
	return e;
}

struct server_entry *roster_serve(struct roster *r, const struct listen_address *at,
				  uint64_t now_ns)
{
	struct server_entry *e, *old = roster_at(r, at);

	if (r->server_count == r->server_cap) {
		size_t cap = r->server_cap ? 2 * r->server_cap : 16;
		struct server_entry **grown = realloc(r->servers, cap * sizeof(*grown));

		if (!grown)
			return NULL;
		r->servers = grown;
		r->server_cap = cap;
	}
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->at = *at;
	e->s.id = ++r->last_id;
	e->s.port = at->port;
	e->s.netns = at->netns;
	e->s.found_ns = now_ns;
	if (old)
		HASH_DEL(r->by_address, old);
	HASH_ADD(hh, r->by_address, at, sizeof(e->at), e);
	r->servers[r->server_count++] = e;
	return e;
}

bool roster_is_member(const struct process *p, const struct server_entry *e)
{
	for (size_t i = 0; i < p->server_count; i++)
		if (p->servers[i] == e)
			return true;
	return false;
}

int roster_join(struct process *p, struct server_entry *e)
{
	struct server_entry **grown;

	if (roster_is_member(p, e))
		return 0;
	grown = realloc(p->servers, (p->server_count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	p->servers = grown;
	p->servers[p->server_count++] = e;
	e->s.processes++;
	return 0;
}

void roster_quit(struct process *p, const struct server_entry *e, uint64_t now_ns)
{
	for (size_t i = 0; i < p->server_count; i++) {
		struct server_entry *mine = p->servers[i];

		if (mine != e)
			continue;
		if (!--mine->s.processes)
			mine->s.gone_ns = now_ns;
		memmove(p->servers + i, p->servers + i + 1,
			(--p->server_count - i) * sizeof(struct server_entry *));
		return;
	}
}

void roster_leave(struct process *p, uint64_t now_ns)
{
	while (p->server_count)
		roster_quit(p, p->servers[p->server_count - 1], now_ns);
}

void roster_retire(struct roster *r, size_t index)
{
	struct server_entry *e = r->servers[index];

	if (roster_at(r, &e->at) == e)
		HASH_DEL(r->by_address, e);
	memmove(r->servers + index, r->servers + index + 1,
		(--r->server_count - index) * sizeof(*r->servers));
	free(e);
}

/* ------------------------------------------------------------------ hot path */

/* The newest server that listens where this socket is, by its address, else by a wildcard; a live one before all. */
static const struct server_entry *at_address(const struct roster *r,
					     const struct listen_address *local)
{
	const struct listen_address candidates[] = {
		*local,
		sockets_wildcard(local, local->family),
		sockets_wildcard(local, AF_INET6),
	};
	const struct server_entry *gone = NULL;

	for (int i = 0; i < 3; i++) {
		const struct server_entry *e = roster_at(r, &candidates[i]);

		if (e && !e->s.gone_ns)
			return e;
		gone = gone ? gone : e;
	}
	return gone;
}

const struct server *roster_resolve(const struct roster *r, uint32_t pid, const struct tks_sock *sk)
{
	const struct process *p = roster_process(r, pid);
	struct listen_address local = sockets_local(sk);
	const struct server_entry *e = NULL;

	for (size_t i = 0; p && i < p->server_count; i++) {
		bool unix_pair = sk->family == AF_UNIX && p->servers[i]->at.family == AF_UNIX;

		if (unix_pair || sockets_match(&p->servers[i]->at, &local))
			return &p->servers[i]->s;
	}
	if (sk->family != AF_UNIX)
		e = at_address(r, &local);
	if (!e && p && p->server_count)
		e = p->servers[0];
	return e ? &e->s : NULL;
}
