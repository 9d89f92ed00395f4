/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounded reads of /proc/PID, below a root that tests may choose. What is read belongs to another process: it may
 * vanish, lie, or be huge. All functions return negative errno when the process is gone or may not be read.
 */
#ifndef DISCOVER_PROCFS_H
#define DISCOVER_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROCFS_SELF	0u /* in the place of a pid: the calling process */
#define PROCFS_ARGV_MAX 32 /* words of a command line that matter */
/* Longest line handed out, its rest is dropped: PATH_MAX and the columns before a path. */
#define PROCFS_LINE_MAX 4400

struct procfs_stat {
	uint32_t ppid;
	uint64_t start; /* clock ticks since boot: with the pid, the identity of a process */
	bool kernel_thread;
	bool dead;     /* a zombie: only its exit status is left */
	char comm[64]; /* as it is, any bytes; kernel threads have long ones */
};
int procfs_stat(const char *root, uint32_t pid, struct procfs_stat *st);

/* Whole or first len - 1 bytes of a file, NUL-terminated. Returns the number of bytes. */
int procfs_read(const char *root, uint32_t pid, const char *name, char *buf, size_t len);
/* Target of a symbolic link such as "exe", without the kernel's " (deleted)". Returns its length. */
int procfs_link(const char *root, uint32_t pid, const char *name, char *buf, size_t len);
/* Words of the command line; they lie in buf. Returns how many, at most PROCFS_ARGV_MAX. */
int procfs_argv(const char *root, uint32_t pid, char *buf, size_t len, const char **argv);
/* One variable of the environment a process was started with. Returns 0, -ENOENT where it is not set. */
int procfs_env(const char *root, uint32_t pid, const char *name, char *value, size_t len);
/* Inode number of the network namespace. */
int procfs_netns(const char *root, uint32_t pid, uint32_t *ino);

/* Lines of a file, without their newline, until fn returns true or max_bytes are read. The line may be changed. */
int procfs_lines(const char *root, uint32_t pid, const char *name, size_t max_bytes,
		 bool (*fn)(void *ctx, char *line), void *ctx);
/* Inode numbers of the sockets that a process holds open. */
int procfs_sockets(const char *root, uint32_t pid, void (*fn)(void *ctx, uint64_t ino), void *ctx);
/* All process ids, as the directory lists them: ascending on a real /proc. */
int procfs_pids(const char *root, void (*fn)(void *ctx, uint32_t pid), void *ctx);

#endif
