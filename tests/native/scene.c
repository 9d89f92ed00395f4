// SPDX-License-Identifier: Apache-2.0
#include "scene.h"
#include "stage.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

_Noreturn void scene_failed(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: %s: %s\n", file, line, what, strerror(errno));
	_exit(1);
}

_Noreturn void scene_skip(const char *why)
{
	fprintf(stderr, "skipped: %s\n", why);
	_exit(77);
}

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static int listener(union address *a, int family)
{
	socklen_t len = sizeof(*a);
	int fd = socket(family, SOCK_STREAM, 0);

	*a = (union address){ .any.sa_family = family };
	if (family == AF_INET)
		a->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		a->in6.sin6_addr = in6addr_loopback;
	if (bind(fd, &a->any, len))
		scene_skip("no loopback address of that family");
	must(!listen(fd, 8));
	must(!getsockname(fd, &a->any, &len));
	return fd;
}

const uint8_t *loopback_address(int family)
{
	static const uint8_t v4[16] = { 127, 0, 0, 1 }, v6[16] = { [15] = 1 }, none[16];

	return family == AF_INET ? v4 : family == AF_INET6 ? v6 : none;
}

int listen_on(int family, uint16_t *port)
{
	union address a;
	int fd = listener(&a, family);

	*port = ntohs(family == AF_INET ? a.in.sin_port : a.in6.sin6_port);
	return fd;
}

void connected_pair(int family, int fd[2])
{
	union address a;
	int l;

	if (family == AF_UNIX) {
		must(!socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
		return;
	}
	l = listener(&a, family);
	fd[0] = socket(family, SOCK_STREAM, 0);
	must(!connect(fd[0], &a.any, sizeof(a)));
	fd[1] = accept(l, NULL, NULL);
	must(fd[1] >= 0);
	close(l);
}

uint8_t *bytes(size_t at, size_t len)
{
	uint8_t *p = malloc(len + 1);

	must(p);
	for (size_t i = 0; i < len; i++)
		p[i] = pattern(at + i);
	return p;
}

void arrived(int fd, int len)
{
	int n = 0;

	for (int tries = 0; tries < 5000; tries++) {
		must(!ioctl(fd, FIONREAD, &n));
		if (n >= len)
			return;
		usleep(1000);
	}
	must(!"bytes arrive");
}

void ended(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	must(poll(&p, 1, 5000) == 1);
}

void write_all(int fd, size_t at, size_t len)
{
	must(write(fd, bytes(at, len), len) == (ssize_t)len);
}

void read_all(int fd, size_t len)
{
	arrived(fd, len);
	must(read(fd, bytes(0, len), len) == (ssize_t)len);
}

/* True in the new process. */
static bool spawned(const int fd[2])
{
	if (!fork()) {
		close(fd[0]);
		return true;
	}
	close(fd[1]);
	return false;
}

static _Noreturn void drain(int fd)
{
	char buffer[65536];

	while (read(fd, buffer, sizeof(buffer)) > 0)
		;
	_exit(0);
}

void spawn_sink(const int fd[2])
{
	if (spawned(fd))
		drain(fd[1]);
}

void spawn_source(const int fd[2], size_t len)
{
	if (!spawned(fd))
		return;
	write_all(fd[1], 0, len);
	drain(fd[1]);
}
