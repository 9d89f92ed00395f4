/* SPDX-License-Identifier: Apache-2.0 */
/* What each process has in a table: so that none fills it alone, and so that nothing is searched when one ends. */
#ifndef GPU_PROCESS_ROWS_H
#define GPU_PROCESS_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/keyed_hash.h"

struct process_rows {
	uint32_t tgid;
	size_t count;
	void *rows; /* the table's own list of them */
	UT_hash_handle hh;
};

/* Of a table with room for `max` rows one process has a part at most. */
static inline size_t process_quota(size_t max)
{
	return max > 4 ? max / 4 : 1;
}

/* NULL: it has none. */
struct process_rows *process_rows_find(struct process_rows *all, uint32_t tgid);
/* The count of rows is one more; made when missing. NULL: out of memory. */
struct process_rows *process_rows_add(struct process_rows **all, uint32_t tgid);
/* The count of rows is one less; freed with the last. */
void process_rows_remove(struct process_rows **all, struct process_rows *p);

#endif
