/* SPDX-License-Identifier: Apache-2.0 */
/* What became of each probe, over all files and processes: for metrics. */
#ifndef ATTACH_TALLY_H
#define ATTACH_TALLY_H

#include <stdbool.h>
#include <stddef.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "probe/pack.h"
#include "tks_probe.h"

struct probe_status {
	const struct pack *pack;
	const struct pack_probe *probe;
	size_t attached;  /* places, now */
	size_t refused;	  /* places that are not safe, or could not be attached, ever */
	bool implausible; /* some place switched itself off */
	size_t shed;	  /* places that were taken off because they cost too much, ever */
	struct tks_probe_hits hits; /* cumulative */
};

/* One probe of a pack. */
struct tally {
	const struct pack_probe *probe; /* key */
	struct probe_status status;
	UT_hash_handle hh;
};

/* Made on first use. Never NULL: where there is no memory it is one that nobody reads. */
struct probe_status *tally_of(struct tally **tallies, const struct pack *pack,
			      const struct pack_probe *probe);
void tallies_free(struct tally **tallies);

/* sum += now - before */
void hits_add_growth(struct tks_probe_hits *sum, const struct tks_probe_hits *now,
		     const struct tks_probe_hits *before);

#endif
