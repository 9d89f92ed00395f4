// SPDX-License-Identifier: Apache-2.0
#include "discover/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "discover/procfs.h"
#include "discover/text.h"

#define TCP_STATE_LISTEN 0x0a	   /* include/net/tcp_states.h, ABI of /proc/net/tcp */
#define UNIX_LISTENING	 0x10000   /* __SO_ACCEPTCON, include/uapi/linux/net.h */
#define TCP_READ_MAX	 (4 << 20) /* 150 bytes a row: 28 000 listening sockets */
#define UNIX_READ_MAX	 (8 << 20)

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

/* A dual-stack socket serves IPv4 under ::ffff:a.b.c.d: the same address as a.b.c.d. */
static void unmap(struct listen_address *at)
{
	if (at->family != AF_INET6 || memcmp(at->addr, mapped_prefix, sizeof(mapped_prefix)))
		return;
	at->family = AF_INET;
	memmove(at->addr, at->addr + 12, 4);
	memset(at->addr + 4, 0, 12);
}

struct listing {
	uint32_t netns;
	void (*fn)(void *ctx, const struct listening *l);
	void *ctx;
};

/* 32-bit words in host order, as the kernel prints a __be32 with %08X. False: not 1 or 4 of them. */
static bool parse_address(const char *hex, struct listen_address *at)
{
	size_t words = strlen(hex) / 8;

	if (strlen(hex) % 8 || (words != 1 && words != 4))
		return false;
	at->family = words == 1 ? AF_INET : AF_INET6;
	for (size_t i = 0; i < words; i++) {
		uint32_t word;

		if (sscanf(hex + 8 * i, "%8" SCNx32, &word) != 1)
			return false;
		memcpy(at->addr + 4 * i, &word, 4);
	}
	return true;
}

/* "0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 ..." */
static bool tcp_row(void *ctx, char *line)
{
	const struct listing *list = ctx;
	struct listening l = { .at.netns = list->netns };
	unsigned int state, port;
	char local[33];

	if (sscanf(line,
		   " %*u: %32[0-9A-Fa-f]:%4x %*[0-9A-Fa-f]:%*x %2x %*s %*s %*s %*u %*u %" SCNu64,
		   local, &port, &state, &l.ino) != 4)
		return false; /* the head line, or junk */
	/* Listening sockets come first (tcp_get_idx, net/ipv4/tcp_ipv4.c): connections are not worth the reading. */
	if (state != TCP_STATE_LISTEN)
		return true;
	if (!l.ino || !port || !parse_address(local, &l.at))
		return false;
	l.at.port = port;
	unmap(&l.at);
	list->fn(list->ctx, &l);
	return false;
}

/* "ffff8881: 00000002 00000000 00010000 0001 01 4711 /path": references, protocol, flags, type, state, inode */
static bool unix_row(void *ctx, char *line)
{
	const struct listing *list = ctx;
	struct listening l = { .at = { .netns = list->netns, .family = AF_UNIX } };
	unsigned int flags, type;
	int path = 0;

	if (sscanf(line, "%*[0-9A-Fa-f]: %*x %*x %x %x %*x %" SCNu64 "%n", &flags, &type, &l.ino,
		   &path) != 3)
		return false;
	if (!(flags & UNIX_LISTENING) || type != SOCK_STREAM || !l.ino)
		return false;
	memcpy(l.at.addr, &l.ino, sizeof(l.ino));
	if (line[path] == ' ')
		text_copy(l.path, sizeof(l.path), line + path + 1);
	list->fn(list->ctx, &l);
	return false;
}

int sockets_listening_unix(const char *root, uint32_t pid, uint32_t netns,
			   void (*fn)(void *ctx, const struct listening *l), void *ctx)
{
	struct listing list = { netns, fn, ctx };

	return procfs_lines(root, pid, "net/unix", UNIX_READ_MAX, unix_row, &list);
}

int sockets_listening(const char *root, uint32_t pid, uint32_t netns,
		      void (*fn)(void *ctx, const struct listening *l), void *ctx)
{
	struct listing list = { netns, fn, ctx };
	int err = procfs_lines(root, pid, "net/tcp", TCP_READ_MAX, tcp_row, &list);
	int err6 = procfs_lines(root, pid, "net/tcp6", TCP_READ_MAX, tcp_row, &list);

	if (err)
		return err;
	if (err6 && err6 != -ENOENT) /* a kernel without IPv6 */
		return err6;
	return sockets_listening_unix(root, pid, netns, fn, ctx);
}

struct listen_address sockets_local(const struct tks_sock *sk)
{
	struct listen_address at = { .netns = sk->netns, .family = sk->family, .port = sk->lport };

	if (at.family == AF_INET)
		memcpy(at.addr, sk->laddr, 4);
	else if (at.family == AF_INET6)
		memcpy(at.addr, sk->laddr, 16);
	unmap(&at);
	return at;
}

struct listen_address sockets_wildcard(const struct listen_address *at, uint16_t family)
{
	return (struct listen_address){ .netns = at->netns, .family = family, .port = at->port };
}

bool sockets_match(const struct listen_address *at, const struct listen_address *local)
{
	static const uint8_t any[16];

	if (at->family == AF_UNIX || at->netns != local->netns || at->port != local->port)
		return false;
	if (at->family == local->family && !memcmp(at->addr, local->addr, sizeof(at->addr)))
		return true;
	/* :: takes IPv4 too unless IPV6_V6ONLY is set, and then somebody else has 0.0.0.0 */
	return !memcmp(at->addr, any, sizeof(any)) &&
	       (at->family == local->family || at->family == AF_INET6);
}

void sockets_text(const struct listening *l, char *text, size_t len)
{
	if (l->at.family == AF_UNIX)
		snprintf(text, len, "%s", l->path);
	else if (!inet_ntop(l->at.family, l->at.addr, text, len))
		text[0] = '\0';
}
