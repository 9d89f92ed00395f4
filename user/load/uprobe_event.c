// SPDX-License-Identifier: Apache-2.0
/* Places in a file's code, each probed in one process by a perf event. */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "load/internal.h"

/* The kernel has errors of its own that must not reach user space: ENOTSUPP of include/linux/errno.h. */
int user_errno(int err)
{
	return err == 524 ? EOPNOTSUPP : err;
}

/* Not read: O_PATH follows links under /proc/PID/map_files and needs no permission on the file. */
int uprobe_file_open(const char *path, char name[UPROBE_FILE_NAME])
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	snprintf(name, UPROBE_FILE_NAME, "/proc/self/fd/%d", fd);
	return fd;
}

static int event_type(void)
{
	_cleanup_fclose_ FILE *f = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
	int type;

	if (!f)
		return -errno;
	return fscanf(f, "%d", &type) == 1 ? type : -EINVAL;
}

/* perf_event_open(2); config as /sys/bus/event_source/devices/uprobe/format says it. */
int uprobe_event_open(pid_t pid, const char *file, const struct uprobe_place *place)
{
	int type = event_type(), fd;
	struct perf_event_attr attr = {
		.type = (uint32_t)type,
		.size = sizeof(attr),
		.config = place->semaphore << 32 | place->at_return,
		.uprobe_path = (uintptr_t)file,
		.probe_offset = place->offset,
	};

	if (type < 0)
		return type;
	if (place->semaphore > UINT32_MAX)
		return -ERANGE;
	fd = syscall(SYS_perf_event_open, &attr, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -user_errno(errno) : fd;
}

struct closing {
	size_t count;
	int fds[];
};

static void close_all(void *arg)
{
	struct closing *c = arg;

	for (size_t i = 0; i < c->count; i++)
		close(c->fds[i]);
	free(c);
}

/* The last close of an event takes its breakpoint away and waits for the kernel's grace periods, one after the other. */
void uprobe_events_close(struct background *b, const int *fds, size_t count)
{
	struct closing *c = malloc(sizeof(*c) + count * sizeof(*fds));

	for (size_t i = 0; !c && i < count; i++)
		close(fds[i]);
	if (!c)
		return;
	c->count = count;
	memcpy(c->fds, fds, count * sizeof(*fds));
	background_run(b, close_all, c);
}
