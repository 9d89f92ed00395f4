// SPDX-License-Identifier: Apache-2.0
#include "metric/fold.h"

#include <stdlib.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* Counts as they were at the last look. The kernel side bounds how many there are. */
struct seen {
	uint64_t key;
	struct fold_counts counts;
	UT_hash_handle hh;
};

struct fold {
	struct seen *seen;
};

struct fold *fold_new(void)
{
	return calloc(1, sizeof(struct fold));
}

static void drop(struct fold *f, struct seen *s)
{
	HASH_DEL(f->seen, s);
	free(s);
}

void fold_free(struct fold *f)
{
	struct seen *s, *next;

	if (!f)
		return;
	HASH_ITER(hh, f->seen, s, next)
		drop(f, s);
	free(f);
}

static struct seen *get(struct fold *f, uint64_t key)
{
	struct seen *s;

	HASH_FIND(hh, f->seen, &key, sizeof(key), s);
	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->key = key;
	HASH_ADD(hh, f->seen, key, sizeof(s->key), s);
	if (s->hh.tbl)
		return s;
	free(s);
	return NULL;
}

bool fold_growth(struct fold *f, uint64_t key, const struct fold_counts *now,
		 struct fold_counts *growth)
{
	struct seen *s = get(f, key);

	if (!s || now->value[0] == s->counts.value[0])
		return false;
	for (int i = 0; i < FOLD_VALUES; i++)
		growth->value[i] = now->value[i] - s->counts.value[i];
	s->counts = *now;
	return true;
}

void fold_forget(struct fold *f, bool (*match)(uint64_t key, uint32_t arg), uint32_t arg)
{
	struct seen *s, *next;

	HASH_ITER(hh, f->seen, s, next)
		if (match(s->key, arg))
			drop(f, s);
}
