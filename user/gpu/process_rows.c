// SPDX-License-Identifier: Apache-2.0
#include "gpu/process_rows.h"

#include <stdlib.h>
#include <utlist.h>

struct process_rows *process_rows_find(struct process_rows *all, uint32_t tgid)
{
	struct process_rows *p;

	HASH_FIND(hh, all, &tgid, sizeof(tgid), p);
	return p;
}

static struct process_rows *get(struct process_rows **all, uint32_t tgid)
{
	struct process_rows *p = process_rows_find(*all, tgid);

	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->tgid = tgid;
	HASH_ADD(hh, *all, tgid, sizeof(p->tgid), p);
	if (p->hh.tbl)
		return p;
	free(p);
	return NULL;
}

bool process_rows_link(struct process_rows **all, uint32_t tgid, struct process_row *row)
{
	struct process_rows *p = get(all, tgid);

	if (!p)
		return false;
	row->process = p;
	DL_APPEND(p->oldest, row);
	p->count++;
	return true;
}

void process_rows_unlink(struct process_rows **all, struct process_row *row)
{
	struct process_rows *p = row->process;

	DL_DELETE(p->oldest, row);
	if (--p->count)
		return;
	HASH_DEL(*all, p);
	free(p);
}
