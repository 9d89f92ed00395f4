// SPDX-License-Identifier: Apache-2.0
/* The files that a process has mapped executable, by /proc/PID/maps, and how to open each of them from here. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "discover/procfs.h"
#include "probe/binary.h"
#include "probe/elf_file.h"

/* A process of 65530 mappings (vm.max_map_count) with long names. */
#define MAPS_MAX (64u << 20)
#define DELETED	 " (deleted)"

struct mapping {
	uint64_t start, end, offset;
	dev_t device;
	ino_t inode;
	char *name;
};

struct reading {
	const char *proc_root;
	uint32_t pid;
	const char *only; /* NULL: all files, else those of this name */
	struct mapped_files *files;
	int err;
};

/* The kernel writes a newline in a name as \012; a name that has these four characters is as good as none. */
static void unescape(char *name)
{
	char *out = name;

	for (const char *p = name; *p; p++, out++) {
		*out = *p;
		if (!strncmp(p, "\\012", 4)) {
			*out = '\n';
			p += 3;
		}
	}
	*out = '\0';
}

/* start-end perms offset major:minor inode   name */
static bool parse_mapping(char *line, struct mapping *m)
{
	unsigned int major, minor;
	char perms[8];
	int at = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %x:%x %lu %n", &m->start, &m->end,
		   perms, &m->offset, &major, &minor, &m->inode, &at) < 7 ||
	    !at || strlen(perms) < 3 || perms[2] != 'x' || !m->inode || line[at] != '/')
		return false;
	m->device = makedev(major, minor);
	m->name = line + at;
	unescape(m->name);
	return true;
}

static bool strip_deleted(char *name)
{
	size_t len = strlen(name), mark = strlen(DELETED);

	if (len <= mark || strcmp(name + len - mark, DELETED) != 0)
		return false;
	name[len - mark] = '\0';
	return true;
}

/*
 * Is this what the process has mapped? An overlay may show one device in maps and another in stat; then inode, size and time
 * must be those of the mapping itself, which only a privileged reader can look at.
 */
static bool same_file(const struct stat *st, const struct mapping *m, const char *map_file)
{
	struct stat mapped;

	if (st->st_ino == m->inode && st->st_dev == m->device)
		return true;
	if (stat(map_file, &mapped) < 0)
		return st->st_ino == m->inode;
	if (st->st_ino == mapped.st_ino && st->st_dev == mapped.st_dev)
		return true;
	return (st->st_ino == m->inode || st->st_ino == mapped.st_ino) &&
	       st->st_size == mapped.st_size && st->st_mtim.tv_sec == mapped.st_mtim.tv_sec &&
	       st->st_mtim.tv_nsec == mapped.st_mtim.tv_nsec;
}

static char *choose_path(const struct reading *r, const struct mapping *m)
{
	char map_file[PATH_MAX], path[PATH_MAX];
	struct stat st;

	snprintf(map_file, sizeof(map_file), "%s/%u/map_files/%" PRIx64 "-%" PRIx64, r->proc_root,
		 r->pid, m->start, m->end);
	if ((size_t)snprintf(path, sizeof(path), "%s/%u/root%s", r->proc_root, r->pid, m->name) <
		    sizeof(path) &&
	    !stat(path, &st) && S_ISREG(st.st_mode) && same_file(&st, m, map_file))
		return strdup(path);
	return strdup(map_file);
}

/* The segment of the code starts on the page that is mapped; segments may share a page of the file. */
static uint64_t load_bias(const char *path, const struct mapping *m)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), bias = m->start - m->offset;
	struct elf_file f;

	if (!elf_file_open(&f, path)) {
		for (size_t i = 0; i < f.segment_count; i++) {
			const Elf64_Phdr *p = &f.segments[i];
			uint64_t first = p->p_offset & ~(page - 1);

			if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || m->offset < first ||
			    m->offset >= p->p_offset + p->p_filesz)
				continue;
			bias = m->start - m->offset - (p->p_vaddr - p->p_offset);
			break;
		}
	}
	elf_file_close(&f);
	return bias;
}

static bool known(const struct mapped_files *files, const struct mapping *m)
{
	for (size_t i = 0; i < files->count; i++)
		if (files->items[i].inode == m->inode && files->items[i].device == m->device)
			return true;
	return false;
}

static int add_file(struct reading *r, struct mapping *m)
{
	struct mapped_files *files = r->files;
	struct mapped_file *items, f = { .device = m->device, .inode = m->inode };

	if (!(files->count & (files->count - 1))) { /* full at each power of two */
		items = realloc(files->items,
				(files->count ? 2 * files->count : 1) * sizeof(*items));
		if (!items)
			return -ENOMEM;
		files->items = items;
	}
	f.path = choose_path(r, m);
	f.deleted = strip_deleted(m->name);
	f.name = strdup(m->name);
	if (!f.path || !f.name) {
		free(f.path);
		free(f.name);
		return -ENOMEM;
	}
	f.load_bias = load_bias(f.path, m);
	files->items[files->count++] = f;
	return 0;
}

static bool is_named(const char *path, const char *name)
{
	const char *rest = strrchr(path, '/') + 1;
	size_t len = strlen(name);

	return !strncmp(rest, name, len) && (!rest[len] || !strcmp(rest + len, DELETED));
}

static bool read_line(void *ctx, char *line)
{
	struct reading *r = ctx;
	struct mapping m = { 0 };

	if (!parse_mapping(line, &m) || (r->only && !is_named(m.name, r->only)) ||
	    known(r->files, &m))
		return false;
	r->err = add_file(r, &m);
	return r->err < 0;
}

int mapped_files_find(struct mapped_files *files, const char *proc_root, uint32_t pid,
		      const char *name)
{
	struct reading r = { .proc_root = proc_root, .pid = pid, .only = name, .files = files };
	int err;

	*files = (struct mapped_files){ 0 };
	err = procfs_lines(proc_root, pid, "maps", MAPS_MAX, read_line, &r);
	if (err >= 0)
		err = r.err;
	if (err < 0)
		mapped_files_free(files);
	return err < 0 ? err : 0;
}

int mapped_files_read(struct mapped_files *files, const char *proc_root, uint32_t pid)
{
	return mapped_files_find(files, proc_root, pid, NULL);
}

void mapped_files_free(struct mapped_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		free(files->items[i].name);
		free(files->items[i].path);
	}
	free(files->items);
	*files = (struct mapped_files){ 0 };
}
