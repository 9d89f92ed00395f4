// SPDX-License-Identifier: Apache-2.0
#include "probe/pack_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ------------------------------------------------------------------ recognise */

static const char *const roles[] = { [ENGINE_SERVER] = "server", [ENGINE_WORKER] = "worker" };
static const char *const sources[] = {
	[ENGINE_PROGRAM] = "program", [ENGINE_TITLE] = "title", [ENGINE_MAPS] = "maps"
};

int pack_find_word(const char *word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(word, words[i]))
			return (int)i;
	return -1;
}

int pack_choose(struct doc *d, const yaml_node_t *n, const char *what, const char *const *words,
		size_t count, int *field)
{
	const char *word = doc_scalar(d, n);

	if (!word)
		return -EINVAL;
	*field = pack_find_word(word, words, count);
	return *field < 0 ? doc_unknown(d, n, what, word, words, count) : 0;
}

static int read_role(struct doc *d, const struct doc_field *f, const yaml_node_t *n, void *object)
{
	struct engine_rule *r = object;
	int role, err = pack_choose(d, n, f->key, roles, COUNT(roles), &role);

	if (!err)
		r->role = role;
	return err;
}

static int read_source(struct doc *d, const struct doc_field *f, const yaml_node_t *n, void *object)
{
	struct engine_rule *r = object;

	if (r->glob)
		return doc_fail(d, n, "a rule has one of program, title and maps");
	r->source = pack_find_word(f->key, sources, COUNT(sources));
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
	{ "many", doc_read_flag, offsetof(struct top, pack.many), false },
	{ "probes", doc_read_node, offsetof(struct top, probes), false },
};

static int read_probes(struct doc *d, struct pack *pack, const yaml_node_t *probes)
{
	struct pack_draft draft = { .pack = pack };
	int err = doc_items(d, probes, "probes", pack_read_probe, &draft);

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

void pack_free(struct pack *pack)
{
	for (size_t i = 0; i < pack->rule_count; i++) {
		free((char *)pack->rules[i].glob);
		free((char *)pack->rules[i].word);
		free((char *)pack->rules[i].other_ports);
	}
	for (size_t i = 0; i < pack->probe_count; i++)
		pack_probe_free(&pack->probes[i]);
	free(pack->rules);
	free(pack->probes);
	free(pack->results);
	free(pack->engine);
	free(pack->summary);
	free(pack->origin);
}
