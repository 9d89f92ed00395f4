/* SPDX-License-Identifier: Apache-2.0 */
/* A /proc of our own in a temporary folder: processes, their sockets, their files. */
#ifndef TESTS_DISCOVER_TREE_H
#define TESTS_DISCOVER_TREE_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "folder.h"

/* Network namespaces of the tree. */
#define HOST_NS	     4026531840u
#define CONTAINER_NS 4026532500u

#define TCP_HEAD \
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
#define UNIX_HEAD "Num       RefCount Protocol Flags    Type St Inode Path\n"

struct tree {
	char root[64];
};

__attribute__((unused)) static void tree_path(const struct tree *t, char path[256],
					      const char *name)
{
	snprintf(path, 256, "%s/%s", t->root, name);
}

__attribute__((unused)) static void tree_write(const struct tree *t, const char *name,
					       const void *data, size_t len, const char *mode)
{
	char path[256];
	FILE *f;

	tree_path(t, path, name);
	f = fopen(path, mode);
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* A file of one process, its text replaced. */
__attribute__((unused)) static void tree_file(const struct tree *t, uint32_t pid, const char *name,
					      const char *text)
{
	char path[96];

	snprintf(path, sizeof(path), "%" PRIu32 "/%s", pid, name);
	tree_write(t, path, text, strlen(text), "w");
}

__attribute__((unused)) static void tree_folder(const struct tree *t, const char *name)
{
	char path[256];

	tree_path(t, path, name);
	assert_int_equal(mkdir(path, 0755), 0);
}

__attribute__((unused)) static void tree_link(const struct tree *t, const char *name,
					      const char *target)
{
	char path[256];

	tree_path(t, path, name);
	unlink(path);
	assert_int_equal(symlink(target, path), 0);
}

__attribute__((unused)) static void tree_namespace(const struct tree *t, uint32_t netns)
{
	char name[96];

	snprintf(name, sizeof(name), "net-%" PRIu32, netns);
	tree_folder(t, name);
	snprintf(name, sizeof(name), "net-%" PRIu32 "/tcp", netns);
	tree_write(t, name, TCP_HEAD, strlen(TCP_HEAD), "w");
	snprintf(name, sizeof(name), "net-%" PRIu32 "/tcp6", netns);
	tree_write(t, name, TCP_HEAD, strlen(TCP_HEAD), "w");
	snprintf(name, sizeof(name), "net-%" PRIu32 "/unix", netns);
	tree_write(t, name, UNIX_HEAD, strlen(UNIX_HEAD), "w");
}

__attribute__((unused)) static void tree_init(struct tree *t)
{
	strcpy(t->root, "/tmp/tokscope-proc-XXXXXX");
	assert_non_null(mkdtemp(t->root));
	tree_namespace(t, HOST_NS);
	tree_namespace(t, CONTAINER_NS);
}

__attribute__((unused)) static void tree_remove(const char *path)
{
	folder_remove(path);
}

__attribute__((unused)) static void tree_exit(const struct tree *t, uint32_t pid)
{
	char name[32], path[256];

	snprintf(name, sizeof(name), "%" PRIu32, pid);
	tree_path(t, path, name);
	tree_remove(path);
}

__attribute__((unused)) static void tree_stat(const struct tree *t, uint32_t pid, uint32_t ppid,
					      uint64_t start, const char *comm, char state)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "%" PRIu32 " (%s) %c %" PRIu32
		 " 1 1 0 -1 4194560 1 0 0 0 5 5 0 0 20 0 1 0 %" PRIu64
		 " 1000 200 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0\n",
		 pid, comm, state, ppid, start);
	tree_file(t, pid, "stat", text);
}

/* Words of the command line separated by blanks; exe's basename is the process's name. */
__attribute__((unused)) static void tree_exec(const struct tree *t, uint32_t pid, const char *exe,
					      const char *cmdline)
{
	char words[512], name[64];
	size_t len = strlen(cmdline) + 1;

	memcpy(words, cmdline, len);
	for (char *p = words; (p = strchr(p, ' '));)
		*p++ = '\0';
	snprintf(name, sizeof(name), "%" PRIu32 "/cmdline", pid);
	tree_write(t, name, words, len, "w");
	snprintf(name, sizeof(name), "%" PRIu32 "/exe", pid);
	tree_link(t, name, exe);
	tree_file(t, pid, "maps", "");
}

/* In the host's network namespace; start time = 100 * pid. */
__attribute__((unused)) static void tree_process(const struct tree *t, uint32_t pid, uint32_t ppid,
						 const char *exe, const char *cmdline)
{
	static const char *const folders[] = { "", "/fd", "/ns" };
	const char *slash = strrchr(exe, '/');
	char name[64], target[64];

	for (size_t i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%" PRIu32 "%s", pid, folders[i]);
		tree_folder(t, name);
	}
	tree_stat(t, pid, ppid, 100 * pid, slash ? slash + 1 : exe, 'S');
	tree_exec(t, pid, exe, cmdline);
	snprintf(name, sizeof(name), "%" PRIu32 "/ns/net", pid);
	snprintf(target, sizeof(target), "net:[%u]", HOST_NS);
	tree_link(t, name, target);
	snprintf(name, sizeof(name), "%" PRIu32 "/net", pid);
	snprintf(target, sizeof(target), "../net-%u", HOST_NS);
	tree_link(t, name, target);
}

__attribute__((unused)) static void tree_enter(const struct tree *t, uint32_t pid, uint32_t netns)
{
	char name[64], target[64];

	snprintf(name, sizeof(name), "%" PRIu32 "/ns/net", pid);
	snprintf(target, sizeof(target), "net:[%" PRIu32 "]", netns);
	tree_link(t, name, target);
	snprintf(name, sizeof(name), "%" PRIu32 "/net", pid);
	snprintf(target, sizeof(target), "../net-%" PRIu32, netns);
	tree_link(t, name, target);
}

__attribute__((unused)) static void tree_fd(const struct tree *t, uint32_t pid, int fd,
					    uint64_t ino)
{
	char name[64], target[64];

	snprintf(name, sizeof(name), "%" PRIu32 "/fd/%d", pid, fd);
	snprintf(target, sizeof(target), "socket:[%" PRIu64 "]", ino);
	tree_link(t, name, target);
}

/* A row of net/tcp or net/tcp6: address as the kernel prints it ("0100007F"), state 0A = listening. */
__attribute__((unused)) static void tree_tcp(const struct tree *t, uint32_t netns,
					     const char *address, uint16_t port, const char *state,
					     uint64_t ino)
{
	char name[64], row[256];

	snprintf(name, sizeof(name), "net-%" PRIu32 "/%s", netns,
		 strlen(address) == 8 ? "tcp" : "tcp6");
	snprintf(
		row, sizeof(row),
		"   0: %s:%04X %s:0000 %s 00000000:00000000 00:00000000 00000000     0        0 %" PRIu64
		" 1 0000000000000000 100 0 0 10 0\n",
		address, port,
		strlen(address) == 8 ? "00000000" : "00000000000000000000000000000000", state, ino);
	tree_write(t, name, row, strlen(row), "a");
}

__attribute__((unused)) static void tree_unix(const struct tree *t, uint32_t netns,
					      const char *flags, uint64_t ino, const char *path)
{
	char name[64], row[256];

	snprintf(name, sizeof(name), "net-%" PRIu32 "/unix", netns);
	snprintf(row, sizeof(row),
		 "0000000000000000: 00000002 00000000 %s 0001 01 %" PRIu64 "%s%s\n", flags, ino,
		 *path ? " " : "", path);
	tree_write(t, name, row, strlen(row), "a");
}

/* Process pid listens on 127.0.0.1. */
__attribute__((unused)) static void tree_listen(const struct tree *t, uint32_t pid, uint16_t port,
						uint64_t ino)
{
	tree_tcp(t, HOST_NS, "0100007F", port, "0A", ino);
	tree_fd(t, pid, 3 + ino % 100, ino);
}

#endif
