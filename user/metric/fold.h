/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel side counts only grows: this tells what is new since the last look. */
#ifndef METRIC_FOLD_H
#define METRIC_FOLD_H

#include <stdbool.h>
#include <stdint.h>

#define FOLD_VALUES 3

struct fold_counts {
	uint64_t value
		[FOLD_VALUES]; /* the first is a number of observations, the others are sums over them */
};

struct fold;

struct fold *fold_new(void); /* NULL: out of memory */
void fold_free(struct fold *f);

/*
 * The growth of the counts of `key` since it was last told, from 0 at first. False: no new observation (a sum that is ahead of
 * its count waits for it), or no memory: then it is told later.
 */
bool fold_growth(struct fold *f, uint64_t key, const struct fold_counts *now,
		 struct fold_counts *growth);
/* Forgets the keys that match: their counts begin at 0 again. */
void fold_forget(struct fold *f, bool (*match)(uint64_t key, uint32_t arg), uint32_t arg);

#endif
