/* SPDX-License-Identifier: Apache-2.0 */
/* What each process has in a table: so that none fills it alone, and so that nothing is searched when one ends. */
#ifndef GPU_PROCESS_ROWS_H
#define GPU_PROCESS_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/keyed_hash.h"

/* The first member of the table's own row, so that one is cast to the other. */
struct process_row {
	struct process_rows *process;
	struct process_row *prev, *next; /* of the same process, oldest first */
};

struct process_rows {
	uint32_t tgid; /* the key */
	size_t count;
	struct process_row *oldest;
	UT_hash_handle hh;
};

/* Of a table with room for `max` rows one process has as many at most. */
static inline size_t process_quota(size_t max)
{
	return max > 4 ? max / 4 : 1;
}

/* NULL: it has none. */
struct process_rows *process_rows_find(struct process_rows *all, uint32_t tgid);
/* False: out of memory. */
bool process_rows_link(struct process_rows **all, uint32_t tgid, struct process_row *row);
void process_rows_unlink(struct process_rows **all, struct process_row *row);

#endif
