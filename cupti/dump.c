// SPDX-License-Identifier: Apache-2.0
#include "dump.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

void dump_open(struct dump *d, uint32_t cupti_version)
{
	const char *path = getenv("TOKSCOPE_CUPTI_DUMP");

	d->cupti_version = cupti_version;
	d->fd = path && *path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
}

/* The first error ends it. */
static void write_chunk(struct dump *d, struct dump_chunk chunk, const void *data)
{
	struct iovec parts[] = { { &chunk, sizeof(chunk) }, { (void *)data, chunk.size } };

	chunk.magic = DUMP_MAGIC;
	chunk.cupti_version = d->cupti_version;
	if (d->fd < 0 || writev(d->fd, parts, 2) == (ssize_t)(sizeof(chunk) + chunk.size))
		return;
	close(d->fd);
	d->fd = -1;
}

/* Once a kind. */
static void write_stride(struct dump *d, const struct activity *record, const void *end)
{
	struct dump_stride stride = { record->kind,
				      (uint32_t)((const uint8_t *)end - (const uint8_t *)record) };

	if (record->kind >= 64 || (d->strides >> record->kind & 1))
		return;
	d->strides |= UINT64_C(1) << record->kind;
	write_chunk(d, (struct dump_chunk){ .kind = DUMP_STRIDE, .size = sizeof(stride) }, &stride);
}

static void number_name(const struct pack *p, struct activity *record, size_t room)
{
	struct activity_kernel *k = (struct activity_kernel *)record;

	if (record->kind == KIND_CONCURRENT_KERNEL && room >= sizeof(*k))
		k->name = (const char *)(uintptr_t)names_id(p->names, k->name);
}

/* Numbers names and writes strides. */
static void walk(struct dump *d, const struct pack *p, uint8_t *buffer, size_t valid)
{
	struct activity *record = NULL, *previous = NULL;
	cupti_result result;

	while ((result = p->next(buffer, valid, &record)) == RESULT_OK) {
		if (previous)
			write_stride(d, previous, record);
		number_name(p, record, valid - (size_t)((uint8_t *)record - buffer));
		previous = record;
	}
	if (previous && result == RESULT_END)
		write_stride(d, previous, buffer + valid);
}

void dump_buffer(struct dump *d, const struct pack *p, uint8_t *buffer, size_t valid)
{
	if (d->fd < 0)
		return;
	walk(d, p, buffer, valid);
	for (; d->names < p->names->count; d->names++)
		write_chunk(d,
			    (struct dump_chunk){ .kind = DUMP_NAME,
						 .size = p->names->entries[d->names].length },
			    p->names->text + p->names->entries[d->names].offset);
	write_chunk(d,
		    (struct dump_chunk){ .kind = DUMP_BUFFER,
					 .size = (uint32_t)valid,
					 .clock_offset = p->clock_offset },
		    buffer);
}
