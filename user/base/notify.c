// SPDX-License-Identifier: Apache-2.0
#include "base/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/clock.h"

static int send_state(const char *state)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;
	_cleanup_close_ int fd = -1;

	if (!len)
		return 0;
	if ((*path != '/' && *path != '@') || len >= sizeof(to.sun_path))
		return -EINVAL;
	memcpy(to.sun_path, path, len);
	if (*path == '@') /* a socket of the abstract namespace */
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
			     offsetof(struct sockaddr_un, sun_path) + len) < 0)
		return -errno;
	return 0;
}

int notify_ready(void)
{
	return send_state("READY=1");
}

/* The time tells this reload from an earlier one, whose READY=1 may still be under way. */
int notify_reloading(void)
{
	char state[64];

	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%llu",
		 (unsigned long long)(clock_monotonic_ns() / 1000));
	return send_state(state);
}

int notify_stopping(void)
{
	return send_state("STOPPING=1");
}

int notify_alive(void)
{
	return getenv("WATCHDOG_USEC") ? send_state("WATCHDOG=1") : 0;
}
