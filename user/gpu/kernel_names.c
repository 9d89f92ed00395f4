// SPDX-License-Identifier: Apache-2.0
#include "gpu/kernel_names.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "gpu/process_rows.h"

struct row {
	struct process_row of;
	uint32_t tgid, id; /* the key */
	struct kernel_name name;
	char *text;	   /* owned */
	unsigned int hash; /* of what was told */
	UT_hash_handle hh;
};
#define KEY_SIZE (2 * sizeof(uint32_t))

struct kernel_names {
	struct row *rows;
	struct process_rows *processes;
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

static void row_delete(struct kernel_names *n, struct row *r)
{
	process_rows_unlink(&n->processes, &r->of);
	HASH_DEL(n->rows, r);
	free(r->text);
	free(r);
}

void kernel_names_free(struct kernel_names *n)
{
	struct row *r, *next;

	if (!n)
		return;
	HASH_ITER(hh, n->rows, r, next)
		row_delete(n, r);
	free(n);
}

static struct row *find(const struct kernel_names *n, uint32_t tgid, uint32_t id)
{
	uint32_t key[2] = { tgid, id };
	struct row *r;

	HASH_FIND(hh, n->rows, key, KEY_SIZE, r);
	return r;
}

static bool has_room(const struct kernel_names *n, uint32_t tgid)
{
	const struct process_rows *p = process_rows_find(n->processes, tgid);

	return HASH_COUNT(n->rows) < n->max && (!p || p->count < process_quota(n->max));
}

/* NULL: there is no room, or no memory. */
static struct row *row_add(struct kernel_names *n, uint32_t tgid, uint32_t id)
{
	struct row *r = has_room(n, tgid) ? calloc(1, sizeof(*r)) : NULL;

	if (!r)
		return NULL;
	r->tgid = tgid;
	r->id = id;
	if (process_rows_link(&n->processes, tgid, &r->of)) {
		HASH_ADD(hh, n->rows, tgid, KEY_SIZE, r);
		if (r->hh.tbl)
			return r;
		process_rows_unlink(&n->processes, &r->of);
	}
	free(r);
	return NULL;
}

void kernel_names_told(struct kernel_names *n, uint32_t tgid, uint32_t id, const char *text,
		       size_t len)
{
	_cleanup_free_ char *copy = NULL;
	unsigned int hash = keyed_hash(text, len);
	struct row *r = find(n, tgid, id);

	/* Each is told again each minute. */
	if (r && r->hash == hash)
		return;
	copy = strndup(text, len);
	if (copy && !r)
		r = row_add(n, tgid, id);
	if (!copy || !r) {
		n->refused++;
		return;
	}
	r->hash = hash;
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
	const struct process_rows *p;

	while ((p = process_rows_find(n->processes, tgid)))
		row_delete(n, (struct row *)p->oldest);
}

void kernel_names_get_stats(const struct kernel_names *n, struct kernel_names_stats *stats)
{
	stats->names = HASH_COUNT(n->rows);
	stats->refused = n->refused;
}
