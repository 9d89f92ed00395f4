/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the probes may cost the traced processes (design.md 4): hits are counted, what a hit costs is known by the class of its
 * instruction. When it is too much for some seconds on end, the function whose places cost most is left alone.
 */
#ifndef ATTACH_BUDGET_H
#define ATTACH_BUDGET_H

#include <stdint.h>

#include "attach/rows.h"

struct budget {
	double share;			 /* of one core, for each process with probes */
	double hit_ns[COST_STEPPED + 1]; /* by enum site_cost */
	uint64_t looked_ns;
	unsigned int over; /* looks on end at which it was too much */
};

/* share: 0.01 is 1 % of one core. */
void budget_init(struct budget *b, double share);
/*
 * Looks at the hits since the last look. Returns a row of the function to take off, NULL: all is well. Rows must have been looked at
 * (row_look) just now; `processes`: how many have probes.
 */
struct row *budget_look(struct budget *b, const struct rows *rows, unsigned int processes,
			uint64_t now_ns);

#endif
