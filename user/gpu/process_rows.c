// SPDX-License-Identifier: Apache-2.0
#include "gpu/process_rows.h"

#include <stdlib.h>

struct process_rows *process_rows_find(struct process_rows *all, uint32_t tgid)
{
	struct process_rows *p;

	HASH_FIND(hh, all, &tgid, sizeof(tgid), p);
	return p;
}

struct process_rows *process_rows_add(struct process_rows **all, uint32_t tgid)
{
	struct process_rows *p = process_rows_find(*all, tgid);

	if (!p) {
		p = calloc(1, sizeof(*p));
		if (!p)
			return NULL;
		p->tgid = tgid;
		HASH_ADD(hh, *all, tgid, sizeof(p->tgid), p);
		if (!p->hh.tbl) {
			free(p);
			return NULL;
		}
	}
	p->count++;
	return p;
}

void process_rows_remove(struct process_rows **all, struct process_rows *p)
{
	if (--p->count)
		return;
	HASH_DEL(*all, p);
	free(p);
}
