// SPDX-License-Identifier: Apache-2.0
/*
 * Where distributions keep the symbols that they have stripped: by build-id, or by the name and checksum in .gnu_debuglink
 * (GDB manual, "Debugging Information in Separate Files").
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "probe/internal.h"

#define DEBUG_ROOT "/usr/lib/debug"

static bool open_by_build_id(const struct binary *b, struct elf_file *debug)
{
	char path[PATH_MAX], id[ELF_BUILD_ID_LEN];

	if (strlen(b->build_id) < 3)
		return false;
	if ((size_t)snprintf(path, sizeof(path), "%s" DEBUG_ROOT "/.build-id/%.2s/%s.debug",
			     b->root, b->build_id, b->build_id + 2) >= sizeof(path))
		return false;
	if (!elf_file_open(debug, path)) {
		elf_file_build_id(debug, id);
		if (!strcmp(id, b->build_id))
			return true;
	}
	elf_file_close(debug);
	return false;
}

static bool checksum(const struct elf_file *f, uint32_t *crc)
{
	uint8_t buf[65536];
	uint64_t offset = 0;
	uLong sum = crc32(0, NULL, 0);

	while (offset < f->size) {
		size_t n = f->size - offset < sizeof(buf) ? f->size - offset : sizeof(buf);

		if (!elf_file_read(f, offset, buf, n))
			return false;
		sum = crc32(sum, buf, (uInt)n);
		offset += n;
	}
	*crc = (uint32_t)sum;
	return true;
}

static bool open_checked(struct elf_file *debug, const char *path, uint32_t want,
			 const struct elf_file *self)
{
	uint32_t crc;

	if (!elf_file_open(debug, path) &&
	    (debug->st.st_dev != self->st.st_dev || debug->st.st_ino != self->st.st_ino) &&
	    checksum(debug, &crc) && crc == want)
		return true;
	elf_file_close(debug);
	return false;
}

/* Name, padded to four bytes, then the checksum of the whole debug file. */
static bool read_link(const struct binary *b, char name[NAME_MAX + 1], uint32_t *crc)
{
	const Elf64_Shdr *s = elf_file_section(&b->file, ".gnu_debuglink");
	_cleanup_free_ char *data = NULL;
	size_t len, at;

	if (!s)
		return false;
	data = elf_file_section_load(&b->file, s, &len);
	if (!data || !*data || strlen(data) > NAME_MAX || strchr(data, '/'))
		return false;
	at = (strlen(data) + 1 + 3) & ~(size_t)3;
	if (at + sizeof(*crc) > len)
		return false;
	memcpy(crc, data + at, sizeof(*crc));
	strcpy(name, data);
	return true;
}

static bool open_by_link(const struct binary *b, struct elf_file *debug)
{
	const char *slash = strrchr(b->path, '/');
	size_t folder = slash ? (size_t)(slash - b->path) : 0, root = strlen(b->root);
	const char *inside = b->path;
	char name[NAME_MAX + 1], path[PATH_MAX];
	uint32_t crc;

	if (!read_link(b, name, &crc))
		return false;
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%.*s%s%s/%s", (int)folder, b->path, slash ? "" : ".",
			 i ? "/.debug" : "", name);
		if (open_checked(debug, path, crc, &b->file))
			return true;
	}
	if (folder < root || strncmp(inside, b->root, root) != 0)
		return false;
	snprintf(path, sizeof(path), "%s" DEBUG_ROOT "%.*s/%s", b->root, (int)(folder - root),
		 inside + root, name);
	return open_checked(debug, path, crc, &b->file);
}

int debug_file_open(const struct binary *b, struct elf_file *debug)
{
	return open_by_build_id(b, debug) || open_by_link(b, debug) ? 0 : -ENOENT;
}
