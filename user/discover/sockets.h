/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets of a network namespace: TCP, and unix stream sockets. */
#ifndef DISCOVER_SOCKETS_H
#define DISCOVER_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "discover/server.h"
#include "tks_record.h"

/*
 * Where a server listens: a hash key, without padding. Unix sockets are told apart by the inode number of the listening
 * socket, kept in addr (a path is only unique in its mount namespace).
 */
struct listen_address {
	uint32_t netns;
	uint16_t family;  /* AF_INET (IPv4-mapped IPv6 too), AF_INET6, AF_UNIX */
	uint16_t port;	  /* 0 on unix sockets */
	uint8_t addr[16]; /* network byte order; IPv4 in the first 4 bytes */
};
_Static_assert(sizeof(struct listen_address) == 24, "listen_address is a hash key");

struct listening {
	uint64_t ino;
	struct listen_address at;
	/* Unix sockets only; "@name" is an abstract one, "" one without a name. */
	char path[SERVER_ADDRESS_MAX];
};

/* All listening sockets in the namespace of a process; netns is its number. 0 or negative errno. */
int sockets_listening(const char *root, uint32_t pid, uint32_t netns,
		      void (*fn)(void *ctx, const struct listening *l), void *ctx);
/* The unix ones alone. */
int sockets_listening_unix(const char *root, uint32_t pid, uint32_t netns,
			   void (*fn)(void *ctx, const struct listening *l), void *ctx);

/* The local end of a kernel record's socket. */
struct listen_address sockets_local(const struct tks_sock *sk);
/* Makes the address a wildcard of the given family. */
struct listen_address sockets_wildcard(const struct listen_address *at, uint16_t family);
/* A connection to `local` is served by a listener at `at`. */
bool sockets_match(const struct listen_address *at, const struct listen_address *local);
/* "127.0.0.1", "::", or the path. */
void sockets_text(const struct listening *l, char *text, size_t len);

#endif
