/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The time that something was busy: the union of intervals that come in batches, late and out of order, in whole
 * nanoseconds. What lies far enough back is forgotten; an interval that reaches behind that horizon is cut there, since
 * nobody knows any more what of it was told before.
 */
#ifndef GPU_BUSY_H
#define GPU_BUSY_H

#include <stddef.h>
#include <stdint.h>

/* From start_ns (included) to end_ns (not included). */
struct interval {
	uint64_t start_ns, end_ns;
	uint64_t launched_ns; /* when the work at start_ns was launched; 0: not known */
};

struct busy;

struct busy *busy_new(void); /* NULL: out of memory */
void busy_free(struct busy *b);

typedef void (*busy_fn)(void *ctx, const struct interval *i);

/*
 * Adds intervals, each with start_ns < end_ns; they are sorted in place. `fresh` (or NULL) is told, in order, every piece
 * that was not in the union before, and no other: their lengths add up to the union's growth. Returns 0, or -ENOMEM: nothing
 * was added.
 */
int busy_add(struct busy *b, struct interval *items, size_t count, busy_fn fresh, void *ctx);

/* The work that the union's interval at start_ns begins with was launched then; nothing where no interval begins there. */
void busy_launched(struct busy *b, uint64_t start_ns, uint64_t launched_ns);

/*
 * Forgets what lies before `horizon_ns`, and moves the horizon there (never back). `forgotten` (or NULL) is told each piece,
 * in order: of an interval across the horizon the part before it.
 */
void busy_forget(struct busy *b, uint64_t horizon_ns, busy_fn forgotten, void *ctx);
/* The same of the earlier half, where there are more than `max` (2 or more) intervals. */
void busy_bound(struct busy *b, size_t max, busy_fn forgotten, void *ctx);

struct busy_stats {
	uint64_t intervals; /* kept now, disjoint */
	uint64_t room;	    /* intervals that there is memory for; given back when none is kept */
	uint64_t merged; /* times that an interval was joined with new ones: the cost of adding */
	uint64_t horizon_ns; /* nothing before it is kept */
	uint64_t late;	     /* intervals that were cut at the horizon, or lay before it */
	uint64_t late_ns;    /* what was cut off */
};
void busy_get_stats(const struct busy *b, struct busy_stats *stats);

#endif
