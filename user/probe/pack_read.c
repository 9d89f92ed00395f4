// SPDX-License-Identifier: Apache-2.0
#include "probe/pack_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* Of one pack; 16-bit numbers of results and timers do not run out before. */
#define PROBES_MAX 512

/* ------------------------------------------------------------------ recognise */

static const char *const roles[] = { [ENGINE_SERVER] = "server", [ENGINE_WORKER] = "worker" };
static const char *const sources[] = {
	[ENGINE_PROGRAM] = "program", [ENGINE_TITLE] = "title", [ENGINE_MAPS] = "maps"
};

static int find(const char *word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(word, words[i]))
			return (int)i;
	return -1;
}

/* Sets *field to the number of one of some words. */
static int choose(struct doc *d, const yaml_node_t *n, const char *what, const char *const *words,
		  size_t count, int *field)
{
	const char *word = doc_scalar(d, n);

	if (!word)
		return -EINVAL;
	*field = find(word, words, count);
	return *field < 0 ? doc_unknown(d, n, what, word, words, count) : 0;
}

static int read_role(struct doc *d, const struct doc_field *f, const yaml_node_t *n, void *object)
{
	struct engine_rule *r = object;
	int role, err = choose(d, n, f->key, roles, COUNT(roles), &role);

	if (!err)
		r->role = role;
	return err;
}

static int read_source(struct doc *d, const struct doc_field *f, const yaml_node_t *n, void *object)
{
	struct engine_rule *r = object;

	if (r->glob)
		return doc_fail(d, n, "a rule has one of program, title and maps");
	r->source = find(f->key, sources, COUNT(sources));
	return doc_read_text(d, f, n, object);
}

static const struct doc_field rule_fields[] = {
	{ "program", read_source, offsetof(struct engine_rule, glob), false },
	{ "title", read_source, offsetof(struct engine_rule, glob), false },
	{ "maps", read_source, offsetof(struct engine_rule, glob), false },
	{ "word", doc_read_text, offsetof(struct engine_rule, word), false },
	{ "role", read_role, 0, false },
	{ "other_ports", doc_read_text, offsetof(struct engine_rule, other_ports), false },
};

static int read_rule(struct doc *d, const yaml_node_t *n, void *object)
{
	struct pack *pack = object;
	struct engine_rule *grown = reallocarray(pack->rules, pack->rule_count + 1, sizeof(*grown));
	struct engine_rule *r;
	int err;

	if (!grown)
		return -ENOMEM;
	pack->rules = grown;
	r = &grown[pack->rule_count++];
	*r = (struct engine_rule){ 0 };
	err = doc_mapping(d, n, "a rule", rule_fields, COUNT(rule_fields), r);
	if (err)
		return err;
	if (!r->glob)
		return doc_fail(d, n, "a rule has one of program, title and maps");
	if (r->word && r->source != ENGINE_PROGRAM)
		return doc_fail(d, n, "'word' goes with 'program' only");
	return 0;
}

static int read_rules(struct doc *d, const struct doc_field *f, const yaml_node_t *n, void *object)
{
	return doc_items(d, n, f->key, read_rule, object);
}

/* ------------------------------------------------------------------ probes */

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

#define ONE_TARGET "a probe has one of symbol, demangled, pymethod, usdt and offset"

/* Values and results depend on the rest of the probe: they are read last. */
struct probe_draft {
	struct pack_probe *p; /* first: the tables' place for it */
	const yaml_node_t *values, *results;
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
	p->kind = find(f->key, targets, COUNT(targets));
	return doc_texts(d, n, &p->patterns, &p->pattern_count);
}

static int read_at(struct doc *d, const struct doc_field *f, const yaml_node_t *n, void *object)
{
	int at, err = choose(d, n, f->key, places, COUNT(places), &at);

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
	{ "name", read_name, 0, true },
	{ "library", read_library, 0, true },
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
		return doc_fail(d, n, "'no_unwind' goes with at: return_probe only");
	return 0;
}

static int check_name(struct doc *d, const yaml_node_t *n, const struct pack *pack)
{
	const char *name = pack->probes[pack->probe_count - 1].name;

	for (size_t i = 0; i + 1 < pack->probe_count; i++)
		if (!strcmp(pack->probes[i].name, name))
			return doc_fail(d, n, "two probes are named '%s' (the other in line %d)",
					name, pack->probes[i].line);
	return 0;
}

static int read_probe(struct doc *d, const yaml_node_t *n, void *object)
{
	struct pack_draft *draft = object;
	struct pack *pack = draft->pack;
	struct pack_probe *grown =
		reallocarray(pack->probes, pack->probe_count + 1, sizeof(*grown));
	struct probe_draft pd = { 0 };
	int err;

	if (!grown)
		return -ENOMEM;
	pack->probes = grown;
	if (pack->probe_count == PROBES_MAX)
		return doc_fail(d, n, "a pack has %d probes at most", PROBES_MAX);
	pd.p = &grown[pack->probe_count++];
	*pd.p = (struct pack_probe){ .line = doc_line(n),
				     .event_id = TKS_PROBE_NO_READ,
				     .event_slot = TKS_PROBE_NO_READ };
	err = doc_mapping(d, n, "a probe", probe_fields, COUNT(probe_fields), &pd);
	if (!err)
		err = check_target(d, n, pd.p);
	if (!err)
		err = check_name(d, n, pack);
	if (!err && pd.values)
		err = pack_read_values(d, pd.p, pd.values);
	return err ? err : pack_read_results(d, draft, pd.p, pd.results);
}

/* ------------------------------------------------------------------ the pack */

static int read_pack_name(struct doc *d, const struct doc_field *f, const yaml_node_t *n,
			  void *object)
{
	const char *name = doc_word(d, n, PACK_NAME_MAX - 1);

	if (!name)
		return -EINVAL;
	strcpy((char *)object + f->offset, name);
	return 0;
}

static int read_engine(struct doc *d, const struct doc_field *f, const yaml_node_t *n, void *object)
{
	return doc_word(d, n, PACK_NAME_MAX - 1) ? doc_read_text(d, f, n, object) : -EINVAL;
}

struct top {
	struct pack pack; /* first: offsets of the table */
	const yaml_node_t *probes;
};

static const struct doc_field pack_fields[] = {
	{ "pack", read_pack_name, offsetof(struct top, pack.name), true },
	{ "summary", doc_read_text, offsetof(struct top, pack.summary), false },
	{ "engine", read_engine, offsetof(struct top, pack.engine), false },
	{ "recognise", read_rules, offsetof(struct top, pack.rules), false },
	{ "probes", doc_read_node, offsetof(struct top, probes), false },
};

static int read_probes(struct doc *d, struct pack *pack, const yaml_node_t *probes)
{
	struct pack_draft draft = { .pack = pack };
	int err = doc_items(d, probes, "probes", read_probe, &draft);

	if (!err)
		err = pack_check_timers(d, &draft);
	free(draft.timers);
	return err;
}

int pack_read(struct doc *d, struct pack *pack)
{
	const yaml_node_t *root = doc_root(d);
	struct top top = { .pack = *pack };
	int err;

	if (!root)
		return -EINVAL;
	err = doc_mapping(d, root, "a pack", pack_fields, COUNT(pack_fields), &top);
	*pack = top.pack;
	if (err)
		return err;
	if (pack->rule_count && !pack->engine)
		return doc_fail(d, root,
				"'recognise' needs 'engine': the name of what is recognised");
	if (!pack->rule_count && !top.probes)
		return doc_fail(d, root, "a pack has 'recognise' or 'probes', or both");
	for (size_t i = 0; i < pack->rule_count; i++)
		pack->rules[i].engine = pack->engine;
	return top.probes ? read_probes(d, pack, top.probes) : 0;
}

static void free_probe(struct pack_probe *p)
{
	texts_free(p->library.globs, p->library.count);
	texts_free(p->patterns, p->pattern_count);
	texts_free(p->when.build_ids, p->when.build_id_count);
	texts_free(p->when.symbols, p->when.symbol_count);
	free(p->when.file);
	free(p->no_unwind);
}

void pack_free(struct pack *pack)
{
	for (size_t i = 0; i < pack->rule_count; i++) {
		free((char *)pack->rules[i].glob);
		free((char *)pack->rules[i].word);
		free((char *)pack->rules[i].other_ports);
	}
	for (size_t i = 0; i < pack->probe_count; i++)
		free_probe(&pack->probes[i]);
	free(pack->rules);
	free(pack->probes);
	free(pack->results);
	free(pack->engine);
	free(pack->summary);
	free(pack->origin);
}
