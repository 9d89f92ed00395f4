// SPDX-License-Identifier: Apache-2.0
#include "export/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#define OPTION "--web.listen-address"
/* Scrapes come one at a time; the kernel holds the rest while the thread is busy. */
#define BACKLOG 16

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t len;
};

/* Decimal digits up to 65535, else a negative errno. */
static int parse_port(const char *text)
{
	size_t n = strlen(text);
	unsigned long port;

	if (!n || n > 5 || strspn(text, "0123456789") != n)
		return -EINVAL;
	port = strtoul(text, NULL, 10);
	return port <= UINT16_MAX ? (int)port : -EINVAL;
}

static int parse_host(const char *host, uint16_t port, struct address *a)
{
	*a = (struct address){ 0 };
	if (host[0] != '[' && host[0]) {
		a->len = sizeof(a->v4);
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons(port);
		return inet_pton(AF_INET, host, &a->v4.sin_addr) == 1 ? 0 : -EINVAL;
	}
	a->len = sizeof(a->v6);
	a->v6.sin6_family = AF_INET6;
	a->v6.sin6_port = htons(port);
	a->v6.sin6_addr = in6addr_any;
	return !host[0] || inet_pton(AF_INET6, host + 1, &a->v6.sin6_addr) == 1 ? 0 : -EINVAL;
}

static int parse_address(const char *text, struct address *a)
{
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2];
	size_t len;
	int port;

	if (!colon || (size_t)(colon - text) >= sizeof(host))
		return -EINVAL;
	port = parse_port(colon + 1);
	if (port < 0)
		return port;
	len = colon - text;
	memcpy(host, text, len);
	host[len] = '\0';
	if (host[0] == '[') {
		if (host[len - 1] != ']')
			return -EINVAL;
		host[len - 1] = '\0';
	}
	return parse_host(host, port, a);
}

/* Returns 0 or a negative errno. */
static int bind_and_listen(int fd, const struct address *a, bool both_families)
{
	int on = 1, v6only = !both_families;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)))
		return -errno;
	if (a->any.sa_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only)))
		return -errno;
	if (bind(fd, &a->any, a->len) || listen(fd, BACKLOG))
		return -errno;
	return 0;
}

static int open_socket(const struct address *a, bool both_families)
{
	int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = bind_and_listen(fd, a, both_families);
	if (!err)
		return fd;
	close(fd);
	return err;
}

int listen_check(const char *address)
{
	struct address a;

	return parse_address(address, &a) ? -EINVAL : 0;
}

int listen_open(const char *address)
{
	struct address a;
	int fd = parse_address(address, &a);

	if (fd) {
		log_error(
			"cannot listen on '%s': not ADDRESS:PORT with an IPv4 or [IPv6] literal, such as "
			"127.0.0.1:9464 or [::1]:9464; correct " OPTION,
			address);
		return fd;
	}
	fd = open_socket(&a, address[0] == ':');
	if (fd < 0)
		log_error(
			"cannot listen on %s for /metrics: %s; choose another address with " OPTION,
			address, strerror(-fd));
	return fd;
}

uint16_t listen_port(int fd)
{
	struct address a = { .len = sizeof(a.v6) };

	if (getsockname(fd, &a.any, &a.len))
		return 0;
	if (a.any.sa_family == AF_INET)
		return ntohs(a.v4.sin_port);
	return a.any.sa_family == AF_INET6 ? ntohs(a.v6.sin6_port) : 0;
}
