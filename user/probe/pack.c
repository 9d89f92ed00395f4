// SPDX-License-Identifier: Apache-2.0
/* The set of packs: loading, replacing, one numbering for all. */
#include "probe/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "probe/pack_read.h"

#define FILE_MAX (1 << 20)

/* ------------------------------------------------------------------ one numbering */

/* The tables over all packs, made anew whenever a pack comes. */
struct tables {
	struct engine_rule *rules;
	struct pack_result *results;
	uint16_t *numbers; /* of a pack's results, in the order of packs */
	size_t rule_count, result_count;
	uint16_t timer_count;
};

static int allocate_tables(struct tables *t, const struct pack *packs, size_t count)
{
	size_t rules = 0, results = 0, timers = 0;

	for (size_t i = 0; i < count; i++) {
		rules += packs[i].rule_count;
		results += packs[i].result_count;
		timers += packs[i].timer_count;
	}
	if (results >= TKS_PROBE_NO_METRIC || timers > UINT16_MAX)
		return -E2BIG;
	t->rules = calloc(rules + 1, sizeof(*t->rules));
	t->results = calloc(results + 1, sizeof(*t->results));
	t->numbers = calloc(results + 1, sizeof(*t->numbers));
	if (t->rules && t->results && t->numbers)
		return 0;
	free(t->rules);
	free(t->results);
	free(t->numbers);
	return -ENOMEM;
}

static bool same_row(const struct pack_result *a, const struct pack_result *b)
{
	return a->kind == b->kind && a->by_value == b->by_value && !strcmp(a->name, b->name);
}

/* Names with a pack in front differ between packs; those of a metric are one row for all. */
static uint16_t number_result(struct tables *t, const struct pack_result *row)
{
	for (size_t i = 0; i < t->result_count; i++)
		if (same_row(&t->results[i], row))
			return i;
	t->results[t->result_count] = *row;
	return t->result_count++;
}

static void number_probe(struct pack_probe *p, const uint16_t *numbers, uint16_t first_timer)
{
	for (uint32_t i = 0; i < p->spec.actions; i++) {
		struct tks_probe_action *a = &p->spec.action[i];

		if (p->local_result[i] != TKS_PROBE_NO_METRIC)
			a->metric = numbers[p->local_result[i]];
		if (a->kind == TKS_PROBE_START || a->kind == TKS_PROBE_STOP ||
		    a->kind == TKS_PROBE_LAP)
			a->timer = first_timer + p->local_timer[i];
	}
}

static void number_pack(struct tables *t, struct pack *pack)
{
	for (size_t i = 0; i < pack->rule_count; i++)
		t->rules[t->rule_count++] = pack->rules[i];
	for (size_t i = 0; i < pack->result_count; i++)
		t->numbers[i] = number_result(t, &pack->results[i]);
	for (size_t i = 0; i < pack->probe_count; i++)
		number_probe(&pack->probes[i], t->numbers, t->timer_count);
	t->timer_count += pack->timer_count;
}

/* ------------------------------------------------------------------ a pack comes */

const struct pack *packs_find(const struct packs *p, const char *name)
{
	for (size_t i = 0; i < p->count; i++)
		if (!strcmp(p->items[i].name, name))
			return &p->items[i];
	return NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct pack *)a)->name, ((const struct pack *)b)->name);
}

/* Takes the pack over, in the place of one of its name. On failure p is as before. */
static int install(struct packs *p, const struct pack *pack)
{
	const struct pack *was = packs_find(p, pack->name);
	size_t count = p->count + !was;
	struct pack *items = calloc(count, sizeof(*items));
	struct tables t = { 0 };
	struct pack gone = { 0 };
	int err;

	if (!items)
		return -ENOMEM;
	if (p->count)
		memcpy(items, p->items, p->count * sizeof(*items));
	if (was)
		gone = *was;
	items[was ? (size_t)(was - p->items) : p->count] = *pack;
	qsort(items, count, sizeof(*items), by_name);
	err = allocate_tables(&t, items, count);
	if (err) {
		free(items);
		return err;
	}
	for (size_t i = 0; i < count; i++)
		number_pack(&t, &items[i]);
	pack_free(&gone);
	free(t.numbers);
	free(p->items);
	free(p->rules);
	free(p->results);
	*p = (struct packs){ items,	count,		t.rules,      t.rule_count,
			     t.results, t.result_count, t.timer_count };
	return 0;
}

static int fail(char **error, const char *origin, int err)
{
	const char *why = err == -E2BIG	  ? "too many results or timers in all packs together"
			  : err == -EFBIG ? "larger than 1 MiB"
					  : strerror(-err);

	if (asprintf(error, "%s: %s", origin, why) < 0)
		*error = NULL;
	return err;
}

int packs_load_text(struct packs *p, const char *origin, const char *text, size_t len, char **error)
{
	struct pack pack = { .origin = strdup(origin) };
	struct doc d;
	int err;

	*error = NULL;
	if (!pack.origin)
		return fail(error, origin, -ENOMEM);
	if (len > FILE_MAX)
		err = -EFBIG;
	else
		err = doc_open(&d, origin, text, len);
	if (err != -EFBIG) {
		if (!err)
			err = pack_read(&d, &pack);
		*error = d.error;
		d.error = NULL;
		doc_close(&d);
	}
	if (!err)
		err = install(p, &pack);
	if (!err)
		return 0;
	pack_free(&pack);
	return *error ? err : fail(error, origin, err);
}

/* ------------------------------------------------------------------ files */

int packs_load_file(struct packs *p, const char *path, char **error)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	_cleanup_free_ char *text = malloc(FILE_MAX + 1);
	struct stat st;
	size_t len;

	*error = NULL;
	if (!f)
		return fail(error, path, -errno);
	if (!text)
		return fail(error, path, -ENOMEM);
	if (!fstat(fileno(f), &st) && S_ISDIR(st.st_mode))
		return fail(error, path, -EISDIR);
	len = fread(text, 1, FILE_MAX + 1, f);
	if (ferror(f))
		return fail(error, path, -EIO);
	return packs_load_text(p, path, text, len, error);
}

int packs_load_folder(struct packs *p, const char *folder)
{
	char pattern[4096];
	glob_t found;
	int bad = 0, err;

	if (snprintf(pattern, sizeof(pattern), "%s/*.yaml", folder) >= (int)sizeof(pattern))
		return -ENAMETOOLONG;
	err = glob(pattern, 0, NULL, &found);
	if (err == GLOB_NOMATCH)
		return 0;
	if (err)
		return err == GLOB_NOSPACE ? -ENOMEM : -EIO;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		_cleanup_free_ char *error = NULL;

		if (!packs_load_file(p, found.gl_pathv[i], &error))
			continue;
		bad++;
		log_error("probe pack not loaded: %s", error ? error : found.gl_pathv[i]);
	}
	globfree(&found);
	return bad;
}

void packs_free(struct packs *p)
{
	for (size_t i = 0; i < p->count; i++)
		pack_free(&p->items[i]);
	free(p->items);
	free(p->rules);
	free(p->results);
	*p = (struct packs){ 0 };
}

struct packs *packs_open(const char *folder)
{
	struct packs *p = calloc(1, sizeof(*p));
	int err = p ? packs_builtin(p) : -ENOMEM;
	int bad = err ? 0 : packs_load_folder(p, folder);

	if (bad < 0)
		log_error("cannot read the folder of probe packs %s: %s", folder, strerror(-bad));
	if (!err)
		return p;
	log_error("cannot load the probe packs: %s", strerror(-err));
	packs_close(p);
	errno = -err;
	return NULL;
}

void packs_close(struct packs *p)
{
	if (p)
		packs_free(p);
	free(p);
}
