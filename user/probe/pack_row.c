// SPDX-License-Identifier: Apache-2.0
/* The rows that results report to: a metric of ours with its label, or a name of the pack's own. */
#include "probe/pack_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ------------------------------------------------------------------ tables */

/* What a label may be: one of some words, or any word where there are none. */
static const struct label {
	const char *key;
	const char *words[8];
	size_t count;
} labels[LABELS] = {
	[LABEL_STAGE] = { "stage",
			  { "tokenize", "queue", "schedule", "prefill", "decode", "sample",
			    "detokenize", "load" },
			  8 },
	[LABEL_STATE] = { "state", { "running", "queued" }, 2 },
	[LABEL_API] = { "api", { NULL }, 0 },
};
#define LABEL_NONE LABELS

static const struct metric {
	const char *name;
	enum pack_result_kind kind;
	enum pack_label label;
} metrics[] = {
#define PACK_METRIC(name, kind, label) { name, RESULT_##kind, LABEL_##label },
#include "probe/pack_metrics.def"
#undef PACK_METRIC
};
#define STAGE_METRIC "engine.stage.duration"

static const char *const kinds[] = { [RESULT_COUNTER] = "counter",
				     [RESULT_HISTOGRAM] = "histogram",
				     [RESULT_DURATION] = "duration",
				     [RESULT_GAUGE] = "gauge" };

/* ------------------------------------------------------------------ a metric of ours */

static const struct metric *find_metric(struct doc *d, const yaml_node_t *n)
{
	const char *name = n ? doc_scalar(d, n) : STAGE_METRIC;
	const char *known[COUNT(metrics)];

	for (size_t i = 0; name && i < COUNT(metrics); i++) {
		known[i] = metrics[i].name;
		if (!strcmp(known[i], name))
			return &metrics[i];
	}
	if (name)
		doc_unknown(d, n, "metric", name, known, COUNT(metrics));
	return NULL;
}

/* `each` is whichever key of the probe's `each` it stands for. */
static int read_free_label(struct doc *d, const struct pack_row *w, const yaml_node_t *n,
			   char *field)
{
	const char *word = doc_word(d, n, PACK_NAME_MAX - 1);

	if (!word)
		return -EINVAL;
	if (!strcmp(word, "each"))
		word = w->each;
	if (!word)
		return doc_fail(d, n, "the label 'each' needs a probe with 'each'");
	strcpy(field, word);
	return 0;
}

static int read_label(struct doc *d, const struct label *l, const struct pack_row *w,
		      const yaml_node_t *n, char *field)
{
	const char *word;

	if (!l->count)
		return read_free_label(d, w, n, field);
	word = doc_scalar(d, n);
	for (size_t i = 0; word && i < l->count; i++) {
		if (strcmp(l->words[i], word))
			continue;
		strcpy(field, word);
		return 0;
	}
	return word ? doc_unknown(d, n, l->key, word, l->words, l->count) : -EINVAL;
}

static int read_labels(struct doc *d, const struct metric *m, const struct pack_row *w,
		       struct pack_result *row)
{
	for (enum pack_label l = 0; l < LABELS; l++) {
		if (w->label[l] && l != m->label)
			return doc_fail(d, w->at, "metric %s has no %s", m->name, labels[l].key);
		if (!w->label[l] && l == m->label)
			return doc_fail(d, w->at, "metric %s needs '%s'", m->name, labels[l].key);
		if (w->label[l] && read_label(d, &labels[l], w, w->label[l], row->label))
			return -EINVAL;
	}
	snprintf(row->name, sizeof(row->name), "%s%s%s", m->name, *row->label ? ":" : "",
		 row->label);
	return 0;
}

/* Its name is that of the metric and its label, in whichever pack it stands. */
static int fill_metric(struct doc *d, const struct pack_row *w, struct pack_result *row)
{
	const struct metric *m = find_metric(d, w->metric);

	if (!m)
		return -EINVAL;
	if (w->name)
		return doc_fail(d, w->at,
				"a result has a name or a metric (a stage is one), not both");
	if (m->kind != row->kind)
		return doc_fail(d, w->at, "metric %s is a %s, not a %s", m->name, kinds[m->kind],
				kinds[row->kind]);
	row->metric = m->name;
	return read_labels(d, m, w, row);
}

/* ------------------------------------------------------------------ a name of the pack's own */

/* "pack:name"; the name of the probe does where none is given. */
static int fill_general(struct doc *d, const struct pack *pack, const struct pack_probe *p,
			const struct pack_row *w, struct pack_result *row)
{
	const char *name = w->name ? doc_word(d, w->name, PACK_NAME_MAX - 1) : p->name;

	if (!name)
		return -EINVAL;
	for (enum pack_label l = 0; l < LABELS; l++)
		if (w->label[l])
			return doc_fail(d, w->at, "'%s' goes with 'metric' only", labels[l].key);
	snprintf(row->name, sizeof(row->name), "%s:%s", pack->name, name);
	return 0;
}

static int add(struct doc *d, struct pack *pack, const struct pack_row *w,
	       const struct pack_result *row, uint16_t *number)
{
	struct pack_result *grown;

	for (size_t i = 0; i < pack->result_count; i++) {
		const struct pack_result *other = &pack->results[i];

		if (strcmp(other->name, row->name))
			continue;
		if (other->kind != row->kind || other->by_value != row->by_value)
			return doc_fail(d, w->at,
					"'%s' is used for two kinds of results: name one otherwise",
					row->name);
		*number = i;
		return 0;
	}
	grown = reallocarray(pack->results, pack->result_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	pack->results = grown;
	grown[pack->result_count] = *row;
	*number = pack->result_count++;
	return 0;
}

int pack_read_row(struct doc *d, struct pack *pack, const struct pack_probe *p,
		  const struct pack_row *written, struct pack_result *row, uint16_t *number)
{
	int err = written->metric || written->label[LABEL_STAGE]
			  ? fill_metric(d, written, row)
			  : fill_general(d, pack, p, written, row);

	return err ? err : add(d, pack, written, row, number);
}
