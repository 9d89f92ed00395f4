// SPDX-License-Identifier: Apache-2.0
#include "gpu/busy.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN 256

/* Disjoint, ascending, not touching each other. */
struct busy {
	struct interval *items;
	struct interval *spare; /* for merging; as large as items */
	size_t count, capacity;
	struct busy_stats stats;
};

struct busy *busy_new(void)
{
	return calloc(1, sizeof(struct busy));
}

void busy_free(struct busy *b)
{
	if (!b)
		return;
	free(b->items);
	free(b->spare);
	free(b);
}

static int reserve(struct busy *b, size_t count)
{
	size_t capacity = b->capacity ?: CAPACITY_MIN;
	void *items, *spare;

	while (capacity < count)
		capacity *= 2;
	if (capacity == b->capacity)
		return 0;
	items = reallocarray(b->items, capacity, sizeof(*b->items));
	if (!items)
		return -ENOMEM;
	b->items = items;
	spare = reallocarray(b->spare, capacity, sizeof(*b->spare));
	if (!spare)
		return -ENOMEM;
	b->spare = spare;
	b->capacity = capacity;
	return 0;
}

/* The first interval that ends at `ns` or later. */
static size_t find(const struct busy *b, uint64_t ns)
{
	size_t low = 0, high = b->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (b->items[middle].end_ns < ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ------------------------------------------------------------------ adding */

static int by_start(const void *left, const void *right)
{
	const struct interval *l = left, *r = right;

	return (l->start_ns > r->start_ns) - (l->start_ns < r->start_ns);
}

/* Sorts, cuts at the horizon, and joins what overlaps or touches. Returns how many are left. */
static size_t tidy(struct busy *b, struct interval *items, size_t count)
{
	size_t n = 0;

	qsort(items, count, sizeof(*items), by_start);
	for (size_t i = 0; i < count; i++) {
		struct interval in = items[i];
		uint64_t horizon = b->stats.horizon_ns;

		if (in.start_ns < horizon) {
			b->stats.late++;
			b->stats.late_ns +=
				(in.end_ns < horizon ? in.end_ns : horizon) - in.start_ns;
			in.start_ns = horizon;
			in.launched_ns = 0;
		}
		if (in.start_ns >= in.end_ns)
			continue;
		if (!n || items[n - 1].end_ns < in.start_ns)
			items[n++] = in;
		else if (items[n - 1].end_ns < in.end_ns)
			items[n - 1].end_ns = in.end_ns;
	}
	return n;
}

/* What of the new interval no old one covers; *old moves on to the first that may matter to the next. */
static void tell_fresh(const struct busy *b, size_t *old, const struct interval *in, busy_fn fresh,
		       void *ctx)
{
	struct interval piece = *in;

	for (; *old < b->count && b->items[*old].start_ns < in->end_ns; ++*old) {
		const struct interval *o = &b->items[*old];

		piece.end_ns = o->start_ns;
		if (piece.start_ns < piece.end_ns)
			fresh(ctx, &piece);
		if (o->end_ns > piece.start_ns) {
			piece.start_ns = o->end_ns;
			piece.launched_ns = 0;
		}
		if (o->end_ns > in->end_ns)
			return;
	}
	piece.end_ns = in->end_ns;
	if (piece.start_ns < piece.end_ns)
		fresh(ctx, &piece);
}

/* Is all of it in the union? */
static bool has(const struct busy *b, const struct interval *i)
{
	size_t at = find(b, i->start_ns);

	return at < b->count && b->items[at].start_ns <= i->start_ns &&
	       b->items[at].end_ns >= i->end_ns;
}

static bool has_all(const struct busy *b, const struct interval *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!has(b, &items[i]))
			return false;
	return true;
}

static void append(struct interval *to, size_t *count, const struct interval *in)
{
	struct interval *last = *count ? &to[*count - 1] : NULL;

	if (!last || last->end_ns < in->start_ns)
		to[(*count)++] = *in;
	else if (last->end_ns < in->end_ns)
		last->end_ns = in->end_ns;
}

/* Only intervals between the first and the last that the new ones may touch are merged; those behind are moved at once. */
static void merge(struct busy *b, size_t at, const struct interval *items, size_t count)
{
	size_t end = find(b, items[count - 1].end_ns), o = at, n = 0, merged = 0;

	if (end < b->count && b->items[end].start_ns <= items[count - 1].end_ns)
		end++;
	while (o < end || n < count) {
		bool old = n == count || (o < end && b->items[o].start_ns <= items[n].start_ns);

		append(b->spare, &merged, old ? &b->items[o++] : &items[n++]);
	}
	memmove(b->items + at + merged, b->items + end, (b->count - end) * sizeof(*b->items));
	memcpy(b->items + at, b->spare, merged * sizeof(*b->items));
	b->count = b->count - (end - at) + merged;
	b->stats.merged += merged;
}

int busy_add(struct busy *b, struct interval *items, size_t count, busy_fn fresh, void *ctx)
{
	size_t at, old;

	if (reserve(b, b->count + count))
		return -ENOMEM;
	count = tidy(b, items, count);
	if (has_all(b, items, count))
		return 0;
	at = old = find(b, items[0].start_ns);
	for (size_t i = 0; fresh && i < count; i++)
		tell_fresh(b, &old, &items[i], fresh, ctx);
	merge(b, at, items, count);
	return 0;
}

void busy_launched(struct busy *b, uint64_t start_ns, uint64_t launched_ns)
{
	size_t at = find(b, start_ns);

	/* One that ends at start_ns cannot be: it would have been joined. */
	if (at < b->count && b->items[at].start_ns == start_ns)
		b->items[at].launched_ns = launched_ns;
}

/* ------------------------------------------------------------------ forgetting */

/* One burst is not paid for as long as the GPU is known. */
static void give_back(struct busy *b)
{
	if (b->capacity <= CAPACITY_MIN)
		return;
	free(b->items);
	free(b->spare);
	b->items = b->spare = NULL;
	b->capacity = 0;
}

void busy_forget(struct busy *b, uint64_t horizon_ns, busy_fn forgotten, void *ctx)
{
	size_t n = 0;

	if (horizon_ns <= b->stats.horizon_ns)
		return;
	b->stats.horizon_ns = horizon_ns;
	for (; n < b->count && b->items[n].start_ns < horizon_ns; n++) {
		struct interval piece = b->items[n];

		if (piece.end_ns > horizon_ns)
			piece.end_ns = horizon_ns;
		if (forgotten)
			forgotten(ctx, &piece);
		if (b->items[n].end_ns <= horizon_ns)
			continue;
		b->items[n].start_ns = horizon_ns;
		b->items[n].launched_ns = 0;
		break;
	}
	if (!n)
		return;
	b->count -= n;
	if (!b->count)
		give_back(b);
	else
		memmove(b->items, b->items + n, b->count * sizeof(*b->items));
}

void busy_bound(struct busy *b, size_t max, busy_fn forgotten, void *ctx)
{
	if (b->count > max)
		busy_forget(b, b->items[b->count - max / 2].start_ns, forgotten, ctx);
}

void busy_get_stats(const struct busy *b, struct busy_stats *stats)
{
	*stats = b->stats;
	stats->intervals = b->count;
	stats->room = b->capacity;
}
