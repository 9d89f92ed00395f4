// SPDX-License-Identifier: Apache-2.0
#include "discover/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define PATH_SIZE	 512
#define ENVIRON_READ_MAX (256 * 1024) /* an environment of this size is out of the ordinary */
#define PF_KTHREAD	 0x00200000   /* include/linux/sched.h */

static int path_of(char *path, const char *root, uint32_t pid, const char *name)
{
	int n;

	if (pid == PROCFS_SELF)
		n = snprintf(path, PATH_SIZE, "%s/self/%s", root, name);
	else
		n = snprintf(path, PATH_SIZE, "%s/%" PRIu32 "/%s", root, pid, name);
	return n < PATH_SIZE ? 0 : -ENAMETOOLONG;
}

static int open_file(const char *root, uint32_t pid, const char *name, int flags)
{
	char path[PATH_SIZE];
	int fd, err = path_of(path, root, pid, name);

	if (err)
		return err;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);
	return fd >= 0 ? fd : -errno;
}

/* read() until the buffer is full or the file ends. */
static ssize_t read_full(int fd, char *buf, size_t len)
{
	size_t n = 0;

	while (n < len) {
		ssize_t got = read(fd, buf + n, len - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		n += got;
	}
	return n;
}

int procfs_read(const char *root, uint32_t pid, const char *name, char *buf, size_t len)
{
	_cleanup_close_ int fd = open_file(root, pid, name, 0);
	ssize_t n = fd < 0 ? fd : read_full(fd, buf, len - 1);

	if (n >= 0)
		buf[n] = '\0';
	return n;
}

int procfs_link(const char *root, uint32_t pid, const char *name, char *buf, size_t len)
{
	static const char deleted[] = " (deleted)";
	char path[PATH_SIZE];
	int err = path_of(path, root, pid, name);
	ssize_t n;

	if (err)
		return err;
	n = readlink(path, buf, len - 1);
	if (n < 0)
		return -errno;
	if (n >= (ssize_t)sizeof(deleted) &&
	    !memcmp(buf + n - (sizeof(deleted) - 1), deleted, sizeof(deleted) - 1))
		n -= sizeof(deleted) - 1;
	buf[n] = '\0';
	return n;
}

int procfs_stat(const char *root, uint32_t pid, struct procfs_stat *st)
{
	char buf[1024];
	char *open_paren, *close_paren, state;
	unsigned int flags, threads;
	int n = procfs_read(root, pid, "stat", buf, sizeof(buf));

	if (n < 0)
		return n;
	memset(st, 0, sizeof(*st));
	/* The name may hold anything, parentheses too; what follows it is numbers. */
	open_paren = strchr(buf, '(');
	close_paren = strrchr(buf, ')');
	if (!open_paren || !close_paren || close_paren < open_paren)
		return -EBADMSG;
	if (sscanf(close_paren + 1,
		   " %c %" SCNu32 " %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %u "
		   "%*d %" SCNu64,
		   &state, &st->ppid, &flags, &threads, &st->start) != 5)
		return -EBADMSG;
	st->kernel_thread = flags & PF_KTHREAD;
	/* A main thread that ended before the others is a zombie too, but then there are others. */
	st->dead = (state == 'Z' && threads <= 1) || state == 'X';
	*close_paren = '\0';
	snprintf(st->comm, sizeof(st->comm), "%s", open_paren + 1);
	return 0;
}

int procfs_argv(const char *root, uint32_t pid, char *buf, size_t len, const char **argv)
{
	int n = procfs_read(root, pid, "cmdline", buf, len);
	int count = 0;

	for (char *p = buf; n > 0 && p < buf + n && count < PROCFS_ARGV_MAX; p += strlen(p) + 1)
		argv[count++] = p;
	return n < 0 ? n : count;
}

int procfs_env(const char *root, uint32_t pid, const char *name, char *value, size_t len)
{
	_cleanup_free_ char *buf = malloc(ENVIRON_READ_MAX);
	size_t name_len = strlen(name);
	int n, err = -ENOENT;

	if (!buf)
		return -ENOMEM;
	n = procfs_read(root, pid, "environ", buf, ENVIRON_READ_MAX);
	if (n < 0)
		return n;
	for (const char *p = buf; p < buf + n; p += strlen(p) + 1) {
		if (strncmp(p, name, name_len) || p[name_len] != '=')
			continue;
		snprintf(value, len, "%s", p + name_len + 1);
		err = 0;
		break;
	}
	explicit_bzero(
		buf,
		n); /* the other variables are none of our business, keys and passwords among them */
	return err;
}

int procfs_netns(const char *root, uint32_t pid, uint32_t *ino)
{
	char link[64];
	int n = procfs_link(root, pid, "ns/net", link, sizeof(link));

	if (n < 0)
		return n;
	return sscanf(link, "net:[%" SCNu32 "]", ino) == 1 ? 0 : -EBADMSG;
}

/* A window over the file: a line that does not fit into it is handed out once, cut, and its rest skipped. */
struct lines {
	char window[PROCFS_LINE_MAX + 1];
	size_t len;
	bool skipping;
	bool (*fn)(void *ctx, char *line);
	void *ctx;
};

/* Hands out what is whole in the window. True: fn wants no more. */
static bool hand_out(struct lines *l, bool end)
{
	char *start = l->window, *newline;

	l->window[l->len] = '\0';
	while ((newline = memchr(start, '\n', l->window + l->len - start))) {
		*newline = '\0';
		if (!l->skipping && l->fn(l->ctx, start))
			return true;
		l->skipping = false;
		start = newline + 1;
	}
	l->len -= start - l->window;
	memmove(l->window, start, l->len + 1);
	if (l->len == PROCFS_LINE_MAX || (end && l->len)) {
		if (!l->skipping && l->fn(l->ctx, l->window))
			return true;
		l->skipping = true;
		l->len = 0;
	}
	return false;
}

int procfs_lines(const char *root, uint32_t pid, const char *name, size_t max_bytes,
		 bool (*fn)(void *ctx, char *line), void *ctx)
{
	_cleanup_close_ int fd = open_file(root, pid, name, 0);
	struct lines l = { .fn = fn, .ctx = ctx };
	size_t total = 0;
	ssize_t n = 1;

	if (fd < 0)
		return fd;
	while (n && total < max_bytes) {
		n = read(fd, l.window + l.len, PROCFS_LINE_MAX - l.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		total += n;
		l.len += n;
		if (hand_out(&l, !n))
			break;
	}
	return 0;
}

static int open_dir(const char *path, DIR **dir)
{
	*dir = opendir(path);
	return *dir ? 0 : -errno;
}

int procfs_sockets(const char *root, uint32_t pid, void (*fn)(void *ctx, uint64_t ino), void *ctx)
{
	char path[PATH_SIZE], link[64];
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *e;
	uint64_t ino;
	int err = path_of(path, root, pid, "fd");

	err = err ? err : open_dir(path, &dir);
	if (err)
		return err;
	while ((e = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, link, sizeof(link) - 1);

		if (n <= 0)
			continue;
		link[n] = '\0';
		if (sscanf(link, "socket:[%" SCNu64 "]", &ino) == 1)
			fn(ctx, ino);
	}
	return 0;
}

int procfs_pids(const char *root, void (*fn)(void *ctx, uint32_t pid), void *ctx)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *e;
	int err = open_dir(root, &dir);

	if (err)
		return err;
	while ((e = readdir(dir))) {
		char *end;
		unsigned long pid = strtoul(e->d_name, &end, 10);

		if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && !*end && pid <= UINT32_MAX)
			fn(ctx, pid);
	}
	return 0;
}
