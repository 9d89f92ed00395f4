/* SPDX-License-Identifier: Apache-2.0 */
/* Places of one file that are attached together in one process. */
#ifndef ATTACH_PLACING_H
#define ATTACH_PLACING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attach/rows.h"
#include "attach/survey.h"
#include "attach/tally.h"
#include "load/loader.h"

struct placer {
	struct loader *loader;
	struct rows rows;
	struct tally *tallies;
};

struct attachment {
	struct probe_links *links; /* NULL: nothing is attached (any more) */
	char *path;
	uint32_t pid, group;
	struct probe_place *places;
	struct row **rows; /* one a place */
	size_t count;
	struct attachment *next;
};

/*
 * Attaches all that was found in the file of s->found[*i], and moves *i behind it: what was found in one file lies
 * together. NULL: nothing could be attached; why is tallied and logged.
 */
struct attachment *attachment_new(struct placer *p, uint32_t pid, uint32_t group,
				  const struct survey *s, size_t *i);
void attachment_free(struct placer *p, struct attachment *a);
/* Takes off the places of a row that costs too much and of its function; the others are attached anew, and miss what happens meanwhile. */
void attachment_shed(struct placer *p, struct attachment *a, const struct row *shed);

/* What the kernel side has counted of the row since the last look goes to its probe's tally. */
void row_look(struct placer *p, struct row *r);

#endif
