// SPDX-License-Identifier: Apache-2.0
#include "attach/rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct row *find(const struct rows *rows, const struct row_key *key)
{
	struct row *r;

	HASH_FIND(hh, rows->by_key, key, sizeof(*key), r);
	return r;
}

/* Numbers go round, so that one that has just been freed is not given anew to another site at once. */
static int free_number(struct rows *rows)
{
	for (uint32_t i = 0; i < TKS_PROBE_SITES; i++) {
		uint32_t n = (rows->next + i) % TKS_PROBE_SITES;

		if (rows->by_number[n])
			continue;
		rows->next = n + 1;
		return n;
	}
	return -ENOSPC;
}

static int set_spec(struct loader *l, const struct found *f, const struct site *s, uint32_t number)
{
	struct tks_probe_site spec;
	int err = pack_site_spec(f->probe, s, &spec);

	return err ?: loader_probe_site(l, number, &spec);
}

static struct row *add(struct rows *rows, const struct row_key *key, uint32_t number)
{
	struct row *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->key = *key;
	r->number = number;
	HASH_ADD(hh, rows->by_key, key, sizeof(r->key), r);
	if (!r->hh.tbl) {
		free(r);
		errno = ENOMEM;
		return NULL;
	}
	rows->by_number[number] = r;
	return r;
}

struct row *rows_get(struct rows *rows, struct loader *l, const struct found *f,
		     const struct site *s)
{
	struct row_key key;
	struct row *r;
	int number, err;

	memset(&key, 0, sizeof(key)); /* padding is hashed too */
	key.probe = f->probe;
	key.file = f->file;
	key.offset = s->offset;
	r = find(rows, &key);
	if (r) {
		r->uses++;
		return r;
	}
	number = free_number(rows);
	err = number < 0 ? number : set_spec(l, f, s, number);
	if (err) {
		errno = -err;
		return NULL;
	}
	r = add(rows, &key, number);
	if (!r)
		return NULL;
	r->pack = f->pack;
	r->function = s->function;
	r->uses = 1;
	r->cost = s->cost;
	memcpy(r->insn, s->insn, sizeof(r->insn));
	return r;
}

static void drop(struct rows *rows, struct row *r)
{
	HASH_DEL(rows->by_key, r);
	rows->by_number[r->number] = NULL;
	free(r);
}

void rows_put(struct rows *rows, struct row *r)
{
	if (!--r->uses)
		drop(rows, r);
}

void rows_free(struct rows *rows)
{
	struct row *r, *next;

	HASH_ITER(hh, rows->by_key, r, next)
		drop(rows, r);
}
