// SPDX-License-Identifier: Apache-2.0
#include "attach/tally.h"

#include <stdlib.h>

struct probe_status *tally_of(struct tally **tallies, const struct pack *pack,
			      const struct pack_probe *probe)
{
	static struct probe_status nowhere;
	struct tally *t;

	HASH_FIND_PTR(*tallies, &probe, t);
	if (t)
		return &t->status;
	t = calloc(1, sizeof(*t));
	if (!t)
		return &nowhere;
	t->probe = probe;
	t->status.pack = pack;
	t->status.probe = probe;
	HASH_ADD_PTR(*tallies, probe, t);
	if (t->hh.tbl)
		return &t->status;
	free(t);
	return &nowhere;
}

void tallies_free(struct tally **tallies)
{
	struct tally *t, *next;

	HASH_ITER(hh, *tallies, t, next) {
		HASH_DEL(*tallies, t);
		free(t);
	}
}

void hits_add_growth(struct tks_probe_hits *sum, const struct tks_probe_hits *now,
		     const struct tks_probe_hits *before)
{
	sum->hits += now->hits - before->hits;
	sum->faults += now->faults - before->faults;
	sum->filtered += now->filtered - before->filtered;
	sum->off += now->off - before->off;
	sum->unmatched += now->unmatched - before->unmatched;
	sum->restarted += now->restarted - before->restarted;
	sum->lost += now->lost - before->lost;
}
