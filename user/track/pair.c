// SPDX-License-Identifier: Apache-2.0
/*
 * The two ends of one connection between traced processes. The client's own address and port name it at both ends:
 * the server's may differ, as a Kubernetes service rewrites the destination only.
 */
#include <string.h>

#include "track/conn.h"

#define AF_INET_NUMBER 2 /* what struct tks_sock.family holds, ABI */

static bool is_loopback(const uint8_t addr[16])
{
	static const uint8_t v6[16] = { [15] = 1 };
	static const uint8_t v4[13] = { [10] = 0xff, [11] = 0xff, [12] = 127 };

	return !memcmp(addr, v6, sizeof(v6)) || !memcmp(addr, v4, sizeof(v4));
}

static void endpoint_set(struct endpoint *e, const struct tks_sock *sk, enum conn_role role)
{
	const uint8_t *addr = role == ROLE_CLIENT ? sk->laddr : sk->raddr;

	memset(e, 0, sizeof(*e));
	if (sk->family == AF_INET_NUMBER) {
		e->addr[10] = e->addr[11] = 0xff; /* RFC 4291, section 2.5.5.2 */
		memcpy(e->addr + 12, addr, 4);
	} else {
		memcpy(e->addr, addr, sizeof(e->addr));
	}
	e->port = role == ROLE_CLIENT ? sk->lport : sk->rport;
	if (is_loopback(e->addr))
		e->netns = sk->netns;
}

static struct conn *find(struct conn *head, const struct endpoint *e)
{
	struct conn *c;

	HASH_FIND(hh_pair, head, e, sizeof(*e), c);
	return c;
}

/* One client port may go to several destinations at once: then the first is kept. */
void pair_add(struct conn *c)
{
	struct conn **head = &c->tracker->by_client_port[c->role - 1];
	struct conn *other;

	endpoint_set(&c->client_end, &c->sk, c->role);
	if (!c->client_end.port)
		return; /* unix */
	other = find(*head, &c->client_end);
	if (other && other->state != CONN_CLOSED)
		return;
	if (other)
		pair_remove(other);
	HASH_ADD(hh_pair, *head, client_end, sizeof(c->client_end), c);
	c->indexed = c->hh_pair.tbl != NULL;
}

void pair_remove(struct conn *c)
{
	if (!c->indexed)
		return;
	HASH_DELETE(hh_pair, c->tracker->by_client_port[c->role - 1], c);
	c->indexed = false;
}

bool pair_known(struct conn *c)
{
	enum conn_role other = c->role == ROLE_CLIENT ? ROLE_SERVER : ROLE_CLIENT;

	if (!c->paired && c->role != ROLE_NONE && c->client_end.port)
		c->paired = find(c->tracker->by_client_port[other - 1], &c->client_end) != NULL;
	return c->paired;
}

bool conn_is_server_leg(struct conn *c)
{
	return c->role == ROLE_SERVER && !pair_known(c);
}
