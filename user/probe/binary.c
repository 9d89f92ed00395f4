// SPDX-License-Identifier: Apache-2.0
#include "probe/binary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "probe/internal.h"

struct binary *binary_open(const char *path, const char *root)
{
	struct binary *b = calloc(1, sizeof(*b));
	int err;

	if (!b)
		return NULL;
	err = elf_file_open(&b->file, path);
	b->path = strdup(path);
	b->root = strdup(root && strcmp(root, "/") != 0 ? root : "");
	if (!err && (!b->path || !b->root))
		err = -ENOMEM;
	if (err) {
		binary_close(b);
		errno = -err;
		return NULL;
	}
	elf_file_build_id(&b->file, b->build_id);
	return b;
}

void binary_close(struct binary *b)
{
	if (!b)
		return;
	symbols_free(b);
	pymethods_free(b->pymethods);
	elf_file_close(&b->file);
	free(b->unwind);
	free(b->path);
	free(b->root);
	free(b);
}

const char *binary_build_id(const struct binary *b)
{
	return b->build_id;
}

const char *binary_path(const struct binary *b)
{
	return b->path;
}

uint8_t *binary_code(const struct binary *b, uint64_t address, uint64_t size)
{
	uint64_t offset;

	if (!elf_file_is_code(&b->file, address) || !elf_file_offset(&b->file, address, &offset))
		return NULL;
	return elf_file_load(&b->file, offset, size);
}
