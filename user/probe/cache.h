/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was resolved, kept by the file's identity: the second process of a library, or the same one looked at again, costs no
 * parsing. That a file has no such function is kept too: most patterns are not in most files.
 */
#ifndef PROBE_CACHE_H
#define PROBE_CACHE_H

#include "probe/resolve.h"

struct site_cache;

struct site_cache_stats {
	uint64_t hits, misses, evicted;
	size_t entries;
};

/* Keeps at most max_entries targets; the oldest goes first. NULL: no memory. */
struct site_cache *site_cache_new(size_t max_entries);
void site_cache_free(struct site_cache *c);
/* As resolve(). Slots of a live process are asked for anew each time. */
int site_cache_resolve(struct site_cache *c, struct binary *b, const struct target *t,
		       struct sites *out);
void site_cache_get_stats(const struct site_cache *c, struct site_cache_stats *stats);

#endif
