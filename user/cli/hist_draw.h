/* SPDX-License-Identifier: Apache-2.0 */
/* Histograms for people: a bar for each range of values, and beside it how the last intervals looked (heat lines). */
#ifndef CLI_HIST_DRAW_H
#define CLI_HIST_DRAW_H

#include <stdio.h>

#include "metric/hist.h"

#define HEAT_COLUMNS 32

/* One histogram over time. Zeroed at first. */
struct hist_film {
	struct hist last; /* cumulative, as it was at the end of the newest interval */
	struct hist frame[HEAT_COLUMNS]; /* what each interval added; a ring */
	size_t frames;			 /* ever added */
};

/* The cumulative histogram at the end of an interval. 0 or -ENOMEM. */
int hist_film_add(struct hist_film *f, const struct hist *now);
void hist_film_free(struct hist_film *f);

/* unit: "s", else numbers are printed as they are. */
void hist_draw(FILE *out, const struct hist_film *f, const char *unit);
/* Its first line alone: count, mean, quantiles, largest. */
void hist_draw_summary(FILE *out, const struct hist *h, const char *unit);

#endif
