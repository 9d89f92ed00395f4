// SPDX-License-Identifier: Apache-2.0
#include "probe/cache.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/cleanup.h"
#include "probe/internal.h"

struct entry {
	char *key;
	struct sites sites;
	UT_hash_handle hh; /* in the order of insertion */
};

struct site_cache {
	struct entry *entries;
	size_t max_entries;
	struct site_cache_stats stats;
};

struct site_cache *site_cache_new(size_t max_entries)
{
	struct site_cache *c = calloc(1, sizeof(*c));

	if (c)
		c->max_entries = max_entries;
	return c;
}

static void drop(struct site_cache *c, struct entry *e)
{
	HASH_DEL(c->entries, e);
	sites_free(&e->sites);
	free(e->key);
	free(e);
}

void site_cache_free(struct site_cache *c)
{
	if (!c)
		return;
	while (c->entries)
		drop(c, c->entries);
	free(c);
}

/* By build-id; a file without one by where it lies. Size and time tell of files that were changed in place. */
static char *make_key(const struct binary *b, const struct target *t)
{
	const struct stat *st = &b->file.st;
	char place[48];
	char *key;

	snprintf(place, sizeof(place), "%" PRIx64 ":%" PRIx64, (uint64_t)st->st_dev,
		 (uint64_t)st->st_ino);
	if (asprintf(&key, "%s %" PRId64 " %" PRId64 ".%09ld %d %d %s",
		     *b->build_id ? b->build_id : place, (int64_t)st->st_size,
		     (int64_t)st->st_mtim.tv_sec, st->st_mtim.tv_nsec, (int)t->kind, (int)t->at,
		     t->pattern) < 0)
		return NULL;
	return key;
}

static int copy_all(const struct sites *from, struct sites *out)
{
	int added = 0;

	for (size_t i = 0; i < from->count; i++) {
		int n = sites_copy(out, &from->items[i]);

		if (n < 0)
			return n;
		added += n;
	}
	return added;
}

/* Takes over key and sites. */
static int keep(struct site_cache *c, char *key, struct sites *sites)
{
	struct entry *e = c->max_entries ? calloc(1, sizeof(*e)) : NULL;

	if (!e) {
		free(key);
		sites_free(sites);
		return c->max_entries ? -ENOMEM : 0;
	}
	if (HASH_COUNT(c->entries) >= c->max_entries) {
		drop(c, c->entries);
		c->stats.evicted++;
	}
	e->key = key;
	e->sites = *sites;
	HASH_ADD_KEYPTR(hh, c->entries, e->key, strlen(e->key), e);
	return 0;
}

int site_cache_resolve(struct site_cache *c, struct binary *b, const struct target *t,
		       struct sites *out)
{
	struct sites found = { 0 };
	struct entry *e;
	char *key;
	int n, err;

	if (t->kind == TARGET_PYMETHOD && t->pid)
		return resolve(b, t, out);
	key = make_key(b, t);
	if (!key)
		return -ENOMEM;
	HASH_FIND_STR(c->entries, key, e);
	if (e) {
		free(key);
		c->stats.hits++;
		return copy_all(&e->sites, out);
	}
	c->stats.misses++;
	n = resolve(b, t, &found);
	if (n >= 0)
		n = copy_all(&found, out);
	if (n < 0) {
		free(key);
		sites_free(&found);
		return n;
	}
	err = keep(c, key, &found);
	return err < 0 ? err : n;
}

void site_cache_get_stats(const struct site_cache *c, struct site_cache_stats *stats)
{
	*stats = c->stats;
	stats->entries = HASH_COUNT(c->entries);
}
