/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of the kernel's table of specs: one for each place in a file, shared by the processes that map it. */
#ifndef ATTACH_ROWS_H
#define ATTACH_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "attach/survey.h"
#include "load/loader.h"

struct row_key {
	const struct pack_probe *probe;
	struct file_id file;
	uint64_t offset;
};

struct row {
	struct row_key key;
	const struct pack *pack;
	uint64_t function; /* in the file */
	uint32_t number;   /* of the kernel's table */
	uint32_t uses;	   /* places that are attached */
	bool off;	   /* it read what cannot be and switched itself off */
	enum site_cost cost;
	char insn[16];
	struct tks_probe_hits hits; /* as of the last look */
	uint64_t budget_hits;	    /* of them, at the budget's last look */
	double budget_cost;	    /* ns, of those since the look before */
	UT_hash_handle hh;
};

/*
 * Of one pack, in one function: what its probes at the entry and at the returns tell belongs together, so they are placed and
 * taken off together.
 */
static inline bool rows_belong_together(const struct row *a, const struct row *b)
{
	return a->pack == b->pack && a->function == b->function &&
	       a->key.file.inode == b->key.file.inode && a->key.file.device == b->key.file.device;
}

struct rows {
	struct row *by_key;
	struct row *by_number[TKS_PROBE_SITES];
	uint32_t next; /* where to look for a free one */
};

/*
 * The row of a site, made where there is none: its spec is told to the kernel. NULL with errno set; ENOSPC: the table is full.
 */
struct row *rows_get(struct rows *rows, struct loader *l, const struct found *f,
		     const struct site *s);
/* One use less; a row without any is free again. */
void rows_put(struct rows *rows, struct row *r);
void rows_free(struct rows *rows);

#endif
