/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A debugging aid: TOKSCOPE_CUPTI_DUMP=FILE has records made as if an agent wanted them, and appends every activity buffer, to
 * see them on a machine without BPF. FILE: chunks of struct dump_chunk, each followed by `size` bytes.
 */
#ifndef DUMP_H
#define DUMP_H

#include <stdbool.h>

#include "pack.h"

enum {
	DUMP_MAGIC = 0x42534b54
}; /* "TKSB" */
enum dump_kind {
	DUMP_BUFFER = 1, /* a buffer; kernels' name pointers hold the name's number */
	DUMP_NAME = 2,	 /* a name, numbered from 1 on in this order */
	DUMP_STRIDE = 3, /* struct dump_stride; before the first buffer that has the kind */
};

struct dump_chunk {
	uint32_t magic;
	uint32_t kind;
	uint32_t cupti_version;
	uint32_t size;
	int64_t clock_offset; /* ns; of buffers */
};

/* How long records are that CUPTI writes, which no header says for certain. */
struct dump_stride {
	uint32_t kind;	/* enum activity_kind */
	uint32_t bytes; /* of each record */
};

struct dump {
	int fd; /* -1: off */
	uint32_t cupti_version;
	uint32_t names;	  /* written */
	uint64_t strides; /* written: a bit a kind */
};

/* Opens what TOKSCOPE_CUPTI_DUMP names, if anything. */
void dump_open(struct dump *d, uint32_t cupti_version);

static inline bool dump_is_on(const struct dump *d)
{
	return d->fd >= 0;
}

/* A buffer that pack_buffer() has just read. Changes it. */
void dump_buffer(struct dump *d, const struct pack *p, uint8_t *buffer, size_t valid);

#endif
