// SPDX-License-Identifier: Apache-2.0
#include "gpu/kernel_names.h"

#include <libiberty/demangle.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/cleanup.h"

struct row {
	uint32_t tgid, id; /* the key */
	struct kernel_name name;
	char *text; /* owned */
	UT_hash_handle hh;
};
#define KEY_SIZE (2 * sizeof(uint32_t))

struct kernel_names {
	struct row *rows;
	size_t max;
	bool keep_text;
	uint64_t refused;
};

struct kernel_names *kernel_names_new(size_t max, bool keep_text)
{
	struct kernel_names *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->max = max;
	n->keep_text = keep_text;
	return n;
}

static void row_free(struct row *r)
{
	if (!r)
		return;
	free(r->text);
	free(r);
}

void kernel_names_free(struct kernel_names *n)
{
	struct row *r, *next;

	if (!n)
		return;
	HASH_ITER(hh, n->rows, r, next) {
		HASH_DEL(n->rows, r);
		row_free(r);
	}
	free(n);
}

static struct row *find(const struct kernel_names *n, uint32_t tgid, uint32_t id)
{
	uint32_t key[2] = { tgid, id };
	struct row *r;

	HASH_FIND(hh, n->rows, key, KEY_SIZE, r);
	return r;
}

static struct row *row_get(struct kernel_names *n, uint32_t tgid, uint32_t id)
{
	struct row *r = find(n, tgid, id);

	if (r || HASH_COUNT(n->rows) >= n->max)
		return r;
	r = calloc(1, sizeof(*r));
	if (r) {
		r->tgid = tgid;
		r->id = id;
		HASH_ADD(hh, n->rows, tgid, KEY_SIZE, r);
	}
	if (r && r->hh.tbl)
		return r;
	row_free(r);
	return NULL;
}

void kernel_names_told(struct kernel_names *n, uint32_t tgid, uint32_t id, const char *text,
		       size_t len)
{
	_cleanup_free_ char *copy = strndup(text, len);
	struct row *r = copy ? row_get(n, tgid, id) : NULL;

	if (!r) {
		n->refused++;
		return;
	}
	r->name.class = kernel_class_of(copy);
	if (!n->keep_text)
		return;
	free(r->text);
	r->name.text = r->text = copy;
	copy = NULL;
}

const struct kernel_name *kernel_names_find(const struct kernel_names *n, uint32_t tgid,
					    uint32_t id)
{
	const struct row *r = find(n, tgid, id);

	return r ? &r->name : NULL;
}

void kernel_names_process_gone(struct kernel_names *n, uint32_t tgid)
{
	struct row *r, *next;

	HASH_ITER(hh, n->rows, r, next) {
		if (r->tgid != tgid)
			continue;
		HASH_DEL(n->rows, r);
		row_free(r);
	}
}

void kernel_names_get_stats(const struct kernel_names *n, struct kernel_names_stats *stats)
{
	stats->names = HASH_COUNT(n->rows);
	stats->refused = n->refused;
}

char *kernel_name_pretty(const char *text)
{
	return cplus_demangle(text, DMGL_PARAMS | DMGL_ANSI | DMGL_RET_DROP | DMGL_AUTO)
		       ?: strdup(text);
}
