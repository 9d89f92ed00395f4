// SPDX-License-Identifier: Apache-2.0
/* One item of `probes:`, which may make several: for each of some functions, at its entry and at its return. */
#include "probe/pack_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* Of one pack; 16-bit numbers of results and timers do not run out before. */
#define PROBES_MAX 512

/* ------------------------------------------------------------------ probes */

void pack_probe_free(struct pack_probe *p)
{
	texts_free(p->library.globs, p->library.count);
	texts_free(p->patterns, p->pattern_count);
	texts_free(p->when.build_ids, p->when.build_id_count);
	texts_free(p->when.symbols, p->when.symbol_count);
	free(p->when.file);
	free(p->no_unwind);
}

static const char *const places[] = {
	[AT_ENTRY] = "entry", [AT_RETURN] = "return", [AT_RETURN_PROBE] = "return_probe"
};
static const char *const targets[] = { [TARGET_SYMBOL] = "symbol",
				       [TARGET_DEMANGLED] = "demangled",
				       [TARGET_PYMETHOD] = "pymethod",
				       [TARGET_USDT] = "usdt",
				       [TARGET_OFFSET] = "offset" };

const char *target_kind_name(enum target_kind kind)
{
	return targets[kind];
}

const char *target_at_name(enum target_at at)
{
	return places[at];
}

#define ONE_TARGET "a probe has one of symbol, demangled, pymethod, usdt, offset and each"

/* Values and results depend on the rest of the probe: they are read last. */
struct probe_draft {
	struct pack_probe *p; /* first: the tables' place for it */
	const yaml_node_t *values, *results, *returns, *each;
};

static struct pack_probe *probe_of(void *object)
{
	return ((struct probe_draft *)object)->p;
}

static int read_name(struct doc *d, const struct doc_field *f, const yaml_node_t *n, void *object)
{
	const char *name = doc_word(d, n, PACK_NAME_MAX - 1);

	(void)f;
	if (!name)
		return -EINVAL;
	strcpy(probe_of(object)->name, name);
	return 0;
}

static int read_library(struct doc *d, const struct doc_field *f, const yaml_node_t *n,
			void *object)
{
	struct pack_library *l = &probe_of(object)->library;

	(void)f;
	return doc_texts(d, n, &l->globs, &l->count);
}

static int read_target(struct doc *d, const struct doc_field *f, const yaml_node_t *n, void *object)
{
	struct pack_probe *p = probe_of(object);

	if (p->pattern_count)
		return doc_fail(d, n, ONE_TARGET);
	p->kind = pack_find_word(f->key, targets, COUNT(targets));
	return doc_texts(d, n, &p->patterns, &p->pattern_count);
}

static int read_at(struct doc *d, const struct doc_field *f, const yaml_node_t *n, void *object)
{
	int at, err = pack_choose(d, n, f->key, places, COUNT(places), &at);

	if (!err)
		probe_of(object)->at = at;
	return err;
}

static int read_all(struct doc *d, const struct doc_field *f, const yaml_node_t *n, void *object)
{
	return doc_read_flag(d, f, n, &probe_of(object)->all);
}

static int read_full(struct doc *d, const struct doc_field *f, const yaml_node_t *n, void *object)
{
	return doc_read_flag(d, f, n, &probe_of(object)->full);
}

static int read_no_unwind(struct doc *d, const struct doc_field *f, const yaml_node_t *n,
			  void *object)
{
	return doc_read_text(d, f, n, &probe_of(object)->no_unwind);
}

static int read_build_ids(struct doc *d, const struct doc_field *f, const yaml_node_t *n,
			  void *object)
{
	struct pack_when *w = object;

	(void)f;
	return doc_texts(d, n, &w->build_ids, &w->build_id_count);
}

static int read_symbols(struct doc *d, const struct doc_field *f, const yaml_node_t *n,
			void *object)
{
	struct pack_when *w = object;

	(void)f;
	return doc_texts(d, n, &w->symbols, &w->symbol_count);
}

static const struct doc_field when_fields[] = {
	{ "build_id", read_build_ids, 0, false },
	{ "symbol", read_symbols, 0, false },
	{ "file", doc_read_text, offsetof(struct pack_when, file), false },
};

static int read_when(struct doc *d, const struct doc_field *f, const yaml_node_t *n, void *object)
{
	return doc_mapping(d, n, f->key, when_fields, COUNT(when_fields), &probe_of(object)->when);
}

static const struct doc_field probe_fields[] = {
	{ "name", read_name, 0, false },
	{ "library", read_library, 0, true },
	{ "each", doc_read_node, offsetof(struct probe_draft, each), false },
	{ "symbol", read_target, 0, false },
	{ "demangled", read_target, 0, false },
	{ "pymethod", read_target, 0, false },
	{ "usdt", read_target, 0, false },
	{ "offset", read_target, 0, false },
	{ "all", read_all, 0, false },
	{ "at", read_at, 0, false },
	{ "when", read_when, 0, false },
	{ "full", read_full, 0, false },
	{ "no_unwind", read_no_unwind, 0, false },
	{ "values", doc_read_node, offsetof(struct probe_draft, values), false },
	{ "results", doc_read_node, offsetof(struct probe_draft, results), true },
	{ "returns", doc_read_node, offsetof(struct probe_draft, returns), false },
};

static int check_target(struct doc *d, const yaml_node_t *n, const struct pack_probe *p)
{
	if (!p->pattern_count)
		return doc_fail(d, n, ONE_TARGET);
	if (p->at != AT_ENTRY && p->kind == TARGET_USDT)
		return doc_fail(d, n, "a usdt probe is one place: it has no 'at'");
	if (p->at == AT_RETURN && p->kind == TARGET_OFFSET)
		return doc_fail(d, n, "an offset names no function whose returns could be found");
	if (p->at == AT_RETURN_PROBE && !p->no_unwind)
		return doc_fail(
			d, n,
			"at: return_probe needs 'no_unwind': why no exception, Rust panic or Go "
			"stack can ever cross this frame, which would kill the process");
	if (p->at != AT_RETURN_PROBE && p->no_unwind)
		return doc_fail(d, n, "'no_unwind' goes with 'returns' and at: return_probe only");
	return 0;
}

static int check_name(struct doc *d, const yaml_node_t *n, const struct pack *pack)
{
	const char *name = pack->probes[pack->probe_count - 1].name;

	if (!*name)
		return doc_fail(d, n, "a probe lacks 'name'");
	for (size_t i = 0; i + 1 < pack->probe_count; i++)
		if (!strcmp(pack->probes[i].name, name))
			return doc_fail(d, n, "two probes are named '%s' (the other in line %d)",
					name, pack->probes[i].line);
	return 0;
}

/* What stands in the mapping; values and results are not looked at. */
static int begin_probe(struct doc *d, const yaml_node_t *n, struct pack *pack,
		       struct probe_draft *pd)
{
	struct pack_probe *grown =
		reallocarray(pack->probes, pack->probe_count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	pack->probes = grown;
	if (pack->probe_count == PROBES_MAX)
		return doc_fail(d, n, "a pack has %d probes at most", PROBES_MAX);
	*pd = (struct probe_draft){ .p = &grown[pack->probe_count++] };
	*pd->p = (struct pack_probe){ .line = doc_line(n),
				      .event_id = TKS_PROBE_NO_READ,
				      .event_slot = TKS_PROBE_NO_READ };
	return doc_mapping(d, n, "a probe", probe_fields, COUNT(probe_fields), pd);
}

static int finish_probe(struct doc *d, const yaml_node_t *n, struct pack_draft *draft,
			const struct probe_draft *pd)
{
	int err = check_target(d, n, pd->p);

	if (!err)
		err = check_name(d, n, draft->pack);
	if (!err && pd->values)
		err = pack_read_values(d, pd->p, pd->values);
	return err ? err : pack_read_results(d, draft, pd->p, pd->results);
}

/* One that makes several probes is read once for each. */
struct item {
	struct pack_draft *draft;
	const yaml_node_t *at;
	const uint8_t *unread;
	bool returns; /* there is one at the return, too */
};

/* The name becomes FIRST.LAST, or the one of them that there is. */
static int join_name(struct doc *d, const yaml_node_t *at, struct pack_probe *p, const char *first,
		     const char *last)
{
	char name[2 * PACK_NAME_MAX];

	snprintf(name, sizeof(name), "%s%s%s", first, *first && *last ? "." : "", last);
	if (strlen(name) >= PACK_NAME_MAX)
		return doc_fail(d, at, "'%s' is too long: a name has %d characters at most", name,
				PACK_NAME_MAX - 1);
	strcpy(p->name, name);
	return 0;
}

/* One function of `each`. */
static int take_symbols(struct doc *d, const yaml_node_t *key, const yaml_node_t *symbols,
			struct pack_probe *p)
{
	const char *function = doc_word(d, key, PACK_NAME_MAX - 1);

	if (!function)
		return -EINVAL;
	if (p->pattern_count)
		return doc_fail(d, key, ONE_TARGET);
	if (join_name(d, key, p, function, p->name))
		return -EINVAL;
	p->kind = TARGET_SYMBOL;
	p->all = true;
	return doc_texts(d, symbols, &p->patterns, &p->pattern_count);
}

/* Of a probe that has `returns`, this is the one at the entry, or at the return. `no_unwind` is the latter's. */
static int take_end(struct doc *d, const yaml_node_t *n, struct probe_draft *pd, bool at_return)
{
	struct pack_probe *p = pd->p;

	if (p->at != AT_ENTRY)
		return doc_fail(d, n, "'returns' goes with at: entry only");
	if (!at_return) {
		free(p->no_unwind);
		p->no_unwind = NULL;
		return 0;
	}
	p->at = p->no_unwind ? AT_RETURN_PROBE : AT_RETURN;
	pd->values = NULL;
	pd->results = pd->returns;
	return join_name(d, n, p, p->name, "return");
}

/* key, symbols: of `each`, or NULL. */
static int read_instance(struct doc *d, const struct item *t, const yaml_node_t *key,
			 const yaml_node_t *symbols, bool at_return)
{
	struct probe_draft pd;
	int err;

	doc_back_to(d, t->unread);
	err = begin_probe(d, t->at, t->draft->pack, &pd);
	if (!err && key)
		err = take_symbols(d, key, symbols, pd.p);
	if (!err && t->returns)
		err = take_end(d, t->at, &pd, at_return);
	return err ? err : finish_probe(d, t->at, t->draft, &pd);
}

static int read_function(struct doc *d, const yaml_node_t *key, const char *name,
			 const yaml_node_t *symbols, void *object)
{
	const struct item *t = object;
	int err;

	t->draft->each = name;
	err = read_instance(d, t, key, symbols, false);
	if (!err && t->returns)
		err = read_instance(d, t, key, symbols, true);
	t->draft->each = NULL;
	return err;
}

int pack_read_probe(struct doc *d, const yaml_node_t *n, void *draft)
{
	_cleanup_free_ uint8_t *unread = doc_mark(d);
	struct item t = { .draft = draft, .at = n, .unread = unread };
	struct pack *pack = t.draft->pack;
	struct probe_draft pd;
	size_t before;
	int err = unread ? begin_probe(d, n, pack, &pd) : -ENOMEM;

	if (err)
		return err;
	t.returns = pd.returns;
	if (!pd.each && !pd.returns)
		return finish_probe(d, n, draft, &pd);
	pack_probe_free(&pack->probes[--pack->probe_count]);
	if (!pd.each)
		return read_function(d, NULL, NULL, NULL, &t);
	before = pack->probe_count;
	err = doc_pairs(d, pd.each, "each", read_function, &t);
	return !err && pack->probe_count == before ? doc_fail(d, n, "'each' names no function")
						   : err;
}
