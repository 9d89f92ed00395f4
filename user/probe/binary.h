/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One ELF file that a process has mapped, as the resolver sees it: sections, symbols (its own, those of its separate debug
 * file), build-id. Reads files only; every offset is checked, a damaged file gives fewer results or an error, never a crash.
 */
#ifndef PROBE_BINARY_H
#define PROBE_BINARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BUILD_ID_MAX 20

struct binary;

/*
 * path: a file that this process can open (through /proc/PID/root or /proc/PID/map_files too). root: the root folder that
 * debug files are looked for under ("/proc/PID/root"; NULL: "/"). NULL with errno set: ENOEXEC no ELF of this machine.
 */
struct binary *binary_open(const char *path, const char *root);
void binary_close(struct binary *b);

/* GNU build-id as lower-case hexadecimal digits, "" where it has none. */
const char *binary_build_id(const struct binary *b);
const char *binary_path(const struct binary *b);

/* A file that a process has mapped executable. */
struct mapped_file {
	char *name; /* as the process sees it, without " (deleted)" */
	char *path; /* to open it here: /proc/PID/root/NAME where that is the same file, else /proc/PID/map_files/... */
	bool deleted;
	dev_t device;
	ino_t inode;
	uint64_t load_bias; /* address in the process minus address in the file */
};
struct mapped_files {
	struct mapped_file *items;
	size_t count;
};
/* Each file once, in the order of addresses. proc_root: "/proc". Negative errno when the maps cannot be read. */
int mapped_files_read(struct mapped_files *files, const char *proc_root, uint32_t pid);
/* The same of those alone whose name ends in "/NAME". */
int mapped_files_find(struct mapped_files *files, const char *proc_root, uint32_t pid,
		      const char *name);
void mapped_files_free(struct mapped_files *files);

#endif
