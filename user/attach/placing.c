// SPDX-License-Identifier: Apache-2.0
#include "attach/placing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"

static struct probe_status *status_of(struct placer *p, const struct row *r)
{
	return tally_of(&p->tallies, r->pack, r->key.probe);
}

void row_look(struct placer *p, struct row *r)
{
	struct tks_probe_hits now;

	loader_probe_hits(p->loader, r->number, &now);
	if (r->key.probe->loose_start)
		now.restarted = 0;
	if (r->key.probe->loose_stop)
		now.unmatched = 0;
	hits_add_growth(&status_of(p, r)->hits, &now, &r->hits);
	r->hits = now;
}

/* ------------------------------------------------------------------ one place */

static void refuse(struct placer *p, const struct found *f, const struct site *s, const char *why)
{
	log_debug("probe %s:%s at %s: %s", f->pack->name, f->probe->name, s->name, why);
	tally_of(&p->tallies, f->pack, f->probe)->refused++;
}

static void add_place(struct placer *p, struct attachment *a, const struct found *f,
		      const struct site *s)
{
	struct row *r = s->refused ? NULL : rows_get(&p->rows, p->loader, f, s);

	if (!r) {
		refuse(p, f, s, s->refused ?: strerror(errno));
		return;
	}
	status_of(p, r)->attached++;
	a->rows[a->count] = r;
	a->places[a->count++] =
		(struct probe_place){ .offset = s->offset,
				      .semaphore = s->semaphore,
				      .site = r->number,
				      .at_return = f->probe->at == AT_RETURN_PROBE };
}

/* The last of the places takes its position. */
static void drop_place(struct placer *p, struct attachment *a, size_t i)
{
	struct row *r = a->rows[i];

	row_look(p, r);
	status_of(p, r)->attached--;
	rows_put(&p->rows, r);
	a->count--;
	a->rows[i] = a->rows[a->count];
	a->places[i] = a->places[a->count];
}

/* ------------------------------------------------------------------ all of a file */

static bool in_file(const struct survey *s, size_t i, struct file_id file)
{
	return i < s->count && s->found[i].file.inode == file.inode &&
	       s->found[i].file.device == file.device;
}

static struct attachment *allocate(const struct survey *s, size_t first)
{
	struct file_id file = s->found[first].file;
	struct attachment *a = calloc(1, sizeof(*a));
	size_t max = 0;

	for (size_t i = first; in_file(s, i, file); i++)
		max += s->found[i].sites.count;
	if (!a)
		return NULL;
	a->path = strdup(s->found[first].path);
	a->places = calloc(max, sizeof(*a->places));
	a->rows = calloc(max, sizeof(struct row *));
	return a;
}

static bool function_failed(const struct attachment *a, const int *attached, size_t place)
{
	for (size_t i = 0; i < a->count; i++)
		if (attached[i] && rows_belong_together(a->rows[i], a->rows[place]))
			return true;
	return false;
}

/* Where a place of a function failed, its others are given up too: half of a pair tells what is not so. True: there were such. */
static bool give_up_functions(const struct attachment *a, int *attached)
{
	bool some = false;

	for (size_t i = 0; i < a->count; i++) {
		if (attached[i] || !function_failed(a, attached, i))
			continue;
		attached[i] = -ECANCELED;
		some = true;
	}
	return some;
}

/* Those that failed are told apart from the file's others, which stay. */
static void settle(struct placer *p, struct attachment *a, const int *attached)
{
	for (size_t i = a->count; i-- > 0;) {
		const struct row *r = a->rows[i];

		if (!attached[i])
			continue;
		log_debug("probe %s:%s cannot be attached in %s: %s", r->pack->name,
			  r->key.probe->name, a->path, strerror(-attached[i]));
		status_of(p, r)->refused++;
		drop_place(p, a, i);
	}
}

static void detach(struct attachment *a)
{
	if (a->links)
		loader_probes_detach(a->links);
	a->links = NULL;
}

static void attach(struct placer *p, struct attachment *a)
{
	_cleanup_free_ int *attached = a->count ? calloc(a->count, sizeof(*attached)) : NULL;
	bool again;

	if (!attached)
		return;
	a->links = loader_probes_attach(p->loader, a->pid, a->group, a->path, a->places, a->count,
					attached);
	again = give_up_functions(a, attached);
	settle(p, a, attached);
	if (!again)
		return;
	detach(a);
	attach(p, a);
}

struct attachment *attachment_new(struct placer *p, uint32_t pid, uint32_t group,
				  const struct survey *s, size_t *i)
{
	struct file_id file = s->found[*i].file;
	struct attachment *a = allocate(s, *i);
	bool whole = a && a->path && a->places && a->rows;

	for (; in_file(s, *i, file); ++*i)
		for (size_t k = 0; whole && k < s->found[*i].sites.count; k++)
			add_place(p, a, &s->found[*i], &s->found[*i].sites.items[k]);
	if (!a)
		return NULL;
	a->pid = pid;
	a->group = group;
	attach(p, a);
	if (a->links)
		return a;
	attachment_free(p, a);
	return NULL;
}

void attachment_free(struct placer *p, struct attachment *a)
{
	detach(a);
	while (a->count)
		drop_place(p, a, a->count - 1);
	free(a->path);
	free(a->places);
	free(a->rows);
	free(a);
}

void attachment_shed(struct placer *p, struct attachment *a, const struct row *shed)
{
	bool here = false;

	for (size_t i = 0; i < a->count; i++)
		here |= rows_belong_together(a->rows[i], shed);
	if (!here)
		return;
	detach(a);
	for (size_t i = a->count; i-- > 0;) {
		if (!rows_belong_together(a->rows[i], shed))
			continue;
		status_of(p, a->rows[i])->shed++;
		drop_place(p, a, i);
	}
	attach(p, a);
}
