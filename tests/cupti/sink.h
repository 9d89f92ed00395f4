/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tracer of this very process, in place of BPF: it finds the USDT notes of a loaded library, raises semaphores, and puts a
 * breakpoint instruction where each probe is, as the kernel's uprobes do. Its SIGTRAP handler reads the arguments from the
 * registers. So it shows what a tracer sees: notes, semaphores, registers, memory.
 */
#ifndef SINK_H
#define SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "tks_cupti.h"

#define SINK_RECORDS 400000
#define SINK_NAMES   8192
#define SINK_DEVICES 64

struct sink {
	struct tks_cupti_record *records;
	_Atomic uint32_t count, batches, largest; /* records; hits; records of the largest hit */
	char (*names)[TKS_CUPTI_NAME_MAX + 1];	  /* by id */
	_Atomic uint32_t names_told, names_told_twice;
	struct tks_cupti_device devices[SINK_DEVICES];
	_Atomic uint32_t devices_told;
	struct tks_cupti_status status; /* the last; read it with sink_status() */
	_Atomic uint32_t statuses;
	_Atomic uint32_t flushes;  /* hits without records */
	_Atomic uint32_t wrong;	   /* hits whose arguments cannot be */
	_Atomic uint32_t commands; /* hits of probes that must never fire */
};

/* Puts the breakpoints into the library (already loaded) whose file is `path`. Exits with a message when it cannot. */
struct sink *sink_open(const char *path);

/* As a tracer that attaches to, or detaches from, one probe. */
void sink_attach(const char *probe);
void sink_detach(const char *probe);

struct tks_cupti_status sink_status(void);

#endif
