// SPDX-License-Identifier: Apache-2.0
#include "cli/probe_metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "discover/labels.h"
#include "metric/fold.h"

#define OWN_LABEL SERVER_LABELS /* of an engine's family: the first after the server's */

struct probe_metrics {
	struct registry *registry;
	struct fold *seen;
};

struct probe_metrics *probe_metrics_new(struct registry *r)
{
	struct probe_metrics *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->registry = r;
	m->seen = fold_new();
	if (m->seen)
		return m;
	free(m);
	return NULL;
}

void probe_metrics_free(struct probe_metrics *m)
{
	if (!m)
		return;
	fold_free(m->seen);
	free(m);
}

/* ------------------------------------------------------------------ which series */

/* One update: what the callbacks of the loader need. */
struct update {
	struct probe_metrics *metrics;
	const struct session *session;
};

/* Where a result goes that names no metric of its own. */
static enum metric_id general_family(enum pack_result_kind kind)
{
	switch (kind) {
	case RESULT_DURATION:
		return M_PROBE_DURATION;
	case RESULT_HISTOGRAM:
		return M_PROBE_VALUE;
	case RESULT_GAUGE:
		return M_PROBE_LEVEL;
	case RESULT_COUNTER:
		break;
	}
	return M_PROBE_EVENTS;
}

/* Packs name families as OTLP does, without the first part: "engine.batch.size". */
static enum metric_id family_named(const char *name)
{
	for (enum metric_id id = 0; id < M_MAX; id++) {
		const char *otlp = metric_family(id)->otlp_name;

		if (!strncmp(otlp, "tokscope.", 9) && !strcmp(otlp + 9, name))
			return id;
	}
	return M_MAX;
}

/* What the family has beside the server's identity, "" where that is nothing. */
static const char *own_label(const struct pack_result *r)
{
	return r->metric ? r->label : r->name;
}

/* A series: false where the server is gone, or the pack is newer than this binary. */
struct series {
	enum metric_id id;
	uint32_t owner;
	struct labels labels;
};

static bool series_of(const struct update *u, uint32_t group, uint32_t metric, struct series *t)
{
	const struct packs *packs = u->session->packs;
	const struct pack_result *r = metric < packs->result_count ? &packs->results[metric] : NULL;
	const struct server *s = discovery_by_id(u->session->discovery, group);

	if (!r || !s)
		return false;
	t->id = r->metric ? family_named(r->metric) : general_family(r->kind);
	if (t->id == M_MAX)
		return false;
	t->owner = s->id;
	memset(&t->labels, 0, sizeof(t->labels));
	labels_of_server(&t->labels, s);
	t->labels.values[OWN_LABEL] = own_label(r);
	return true;
}

/* ------------------------------------------------------------------ cells, gauges */

/* Of a counter, and of a gauge that is added to: the sum is signed. */
static void take_sum(const struct probe_metrics *m, const struct series *t,
		     const struct fold_counts *growth)
{
	registry_add(m->registry, t->id, t->owner, t->labels.values, (int64_t)growth->value[1]);
}

/* All values of a cell are taken to be their mean: exact in the exponential slots, off by one at most in the classic. */
static void take_cell(const struct probe_metrics *m, const struct series *t,
		      const struct fold_counts *growth)
{
	const struct metric_family *family = metric_family(t->id);
	double unit = !strcmp(family->unit, "s") ? 1e9 : 1;
	struct hist h;

	if (family->type != METRIC_HISTOGRAM || hist_init(&h, registry_bounds(m->registry, t->id)))
		return;
	if (!hist_observe(&h, (double)growth->value[1] / growth->value[0] / unit, growth->value[0]))
		registry_merge(m->registry, t->id, t->owner, t->labels.values, &h);
	hist_free(&h);
}

static void on_cell(void *ctx, const struct tks_probe_cell_key *key,
		    const struct tks_probe_cell *sum)
{
	const struct fold_counts now = { { sum->count, sum->sum } };
	const struct update *u = ctx;
	struct fold_counts growth;
	struct series t;
	uint64_t number;

	memcpy(&number, key, sizeof(number));
	if (!series_of(u, key->group, key->metric, &t) ||
	    !fold_growth(u->metrics->seen, number, &now, &growth))
		return;
	if (key->cell == TKS_PROBE_COUNTER)
		take_sum(u->metrics, &t, &growth);
	else
		take_cell(u->metrics, &t, &growth);
}

static void on_gauge(void *ctx, const struct tks_probe_gauge_key *key,
		     const struct tks_probe_gauge *g)
{
	const struct update *u = ctx;
	struct series t;

	if (series_of(u, key->group, key->metric, &t))
		registry_set(u->metrics->registry, t.id, t.owner, t.labels.values, g->value);
}

/* ------------------------------------------------------------------ the probes themselves */

static void set(const struct update *u, enum metric_id id, const char *probe, const char *reason,
		double value)
{
	const char *values[METRIC_LABELS_MAX] = { probe, reason };

	registry_set(u->metrics->registry, id, 0, values, value);
}

static void on_status(void *ctx, const struct probe_status *s)
{
	const struct update *u = ctx;
	const struct {
		const char *reason;
		uint64_t count;
	} discarded[] = {
		{ "fault", s->hits.faults },	    { "unmatched", s->hits.unmatched },
		{ "restarted", s->hits.restarted }, { "off", s->hits.off },
		{ "lost", s->hits.lost },
	};
	char probe[2 * PACK_NAME_MAX + 2];

	snprintf(probe, sizeof(probe), "%s:%s", s->pack->name, s->probe->name);
	set(u, M_PROBE_ATTACHED, probe, NULL, s->attached > 0 && !s->implausible);
	set(u, M_PROBE_REFUSED, probe, NULL, s->refused);
	set(u, M_PROBE_HITS, probe, NULL, s->hits.hits);
	for (size_t i = 0; i < sizeof(discarded) / sizeof(discarded[0]); i++)
		if (discarded[i].count)
			set(u, M_PROBE_DISCARDED, probe, discarded[i].reason, discarded[i].count);
	if (s->shed)
		set(u, M_PROBE_SHED, probe, NULL, s->shed);
}

void probe_metrics_update(struct probe_metrics *m, const struct session *s)
{
	struct update u = { .metrics = m, .session = s };

	if (!s->probes)
		return;
	loader_probe_cells(s->loader, on_cell, &u);
	loader_probe_gauges(s->loader, on_gauge, &u);
	probes_status(s->probes, on_status, &u);
}

static bool is_of_group(uint64_t number, uint32_t group)
{
	struct tks_probe_cell_key key;

	memcpy(&key, &number, sizeof(key));
	return key.group == group;
}

void probe_metrics_retire(struct probe_metrics *m, const struct session *s,
			  const struct server *server)
{
	if (!s->probes)
		return;
	loader_probe_forget(s->loader, server->id);
	fold_forget(m->seen, is_of_group, server->id);
}
