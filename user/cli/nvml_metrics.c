// SPDX-License-Identifier: Apache-2.0
#include "cli/nvml_metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gpu/nvml.h"

struct nvml_metrics {
	struct registry *registry;
	struct nvml *nvml;
	struct nvml_sample *shown; /* the last that was read; NULL: none yet */
};

/* Label values of one series, and the numbers among them as text. */
struct row {
	const char *values[METRIC_LABELS_MAX];
	char numbers[2][24];
};

static const char *number(struct row *l, int i, uint64_t value)
{
	snprintf(l->numbers[i], sizeof(l->numbers[i]), "%" PRIu64, value);
	return l->numbers[i];
}

/* gpu, hw_id, hw_name */
#define IDENTITY_LABELS 3

static void label_identity(struct row *l, const struct nvml_identity *who)
{
	l->values[0] = who->index == NVML_INDEX_UNKNOWN ? "unknown" : number(l, 0, who->index);
	l->values[1] = who->uuid;
	l->values[2] = who->name;
}

/* ------------------------------------------------------------------ values of a GPU */

static void label_reading(struct row *l, const struct nvml_gpu *g, enum nvml_reading reading)
{
	label_identity(l, &g->who);
	for (int i = 0; i < 2; i++)
		l->values[IDENTITY_LABELS + i] = nvml_reading_metrics[reading].labels[i];
}

static void show_values(struct registry *r, const struct nvml_gpu *g)
{
	for (enum nvml_reading i = 0; i < NVML_READINGS; i++) {
		struct row l = { 0 };

		if (!nvml_has(g, i))
			continue;
		label_reading(&l, g, i);
		registry_set(r, nvml_reading_metrics[i].id, 0, l.values, g->values[i]);
	}
}

/* `now`: the same GPU in the next sample; NULL: it is not there. */
static void withdraw_values(struct registry *r, const struct nvml_gpu *g,
			    const struct nvml_gpu *now)
{
	for (enum nvml_reading i = 0; i < NVML_READINGS; i++) {
		struct row l = { 0 };

		if (!nvml_has(g, i) || (now && nvml_has(now, i)))
			continue;
		label_reading(&l, g, i);
		registry_remove(r, nvml_reading_metrics[i].id, l.values);
	}
}

/* ------------------------------------------------------------------ the join */

/* instance NULL: the GPU as a whole. */
static void label_info(struct row *l, const struct nvml_gpu *g,
		       const struct nvml_instance *instance)
{
	l->values[0] = number(l, 0, g->who.index);
	l->values[1] = g->who.uuid;
	l->values[2] = instance ? instance->uuid : g->who.uuid;
	l->values[3] = instance ? number(l, 1, instance->id) : NULL;
	l->values[4] = instance ? instance->profile : NULL;
}

static void set_info(struct registry *r, const struct nvml_gpu *g,
		     const struct nvml_instance *instance)
{
	struct row l = { 0 };

	label_info(&l, g, instance);
	registry_set(r, M_GPU_INFO, 0, l.values, 1);
}

static void remove_info(struct registry *r, const struct nvml_gpu *g,
			const struct nvml_instance *instance)
{
	struct row l = { 0 };

	label_info(&l, g, instance);
	registry_remove(r, M_GPU_INFO, l.values);
}

static void show_info(struct registry *r, const struct nvml_gpu *g)
{
	set_info(r, g, NULL);
	for (unsigned int i = 0; i < g->instance_count; i++)
		set_info(r, g, &g->instances[i]);
}

static bool has_instance(const struct nvml_gpu *g, const struct nvml_instance *instance)
{
	for (unsigned int i = 0; i < g->instance_count; i++) {
		const struct nvml_instance *other = &g->instances[i];

		if (other->id == instance->id && !strcmp(other->uuid, instance->uuid) &&
		    !strcmp(other->profile, instance->profile))
			return true;
	}
	return false;
}

/* `now` as above. */
static void withdraw_info(struct registry *r, const struct nvml_gpu *g, const struct nvml_gpu *now)
{
	if (!now)
		remove_info(r, g, NULL);
	for (unsigned int i = 0; i < g->instance_count; i++)
		if (!now || !has_instance(now, &g->instances[i]))
			remove_info(r, g, &g->instances[i]);
}

/* ------------------------------------------------------------------ a sample */

static const struct nvml_gpu *find(const struct nvml_sample *s, const struct nvml_identity *who)
{
	for (unsigned int i = 0; i < s->gpu_count; i++) {
		const struct nvml_identity *w = &s->gpus[i].who;

		if (w->index == who->index && !strcmp(w->uuid, who->uuid) &&
		    !strcmp(w->name, who->name))
			return &s->gpus[i];
	}
	return NULL;
}

/* What stays is overwritten: the registry may be looked at any time. */
static void withdraw_absent(struct registry *r, const struct nvml_sample *shown,
			    const struct nvml_sample *now)
{
	for (unsigned int i = 0; i < shown->gpu_count; i++) {
		const struct nvml_gpu *g = &shown->gpus[i], *again = find(now, &g->who);

		withdraw_values(r, g, again);
		withdraw_info(r, g, again);
	}
}

static void show_read(struct nvml_metrics *m, struct nvml_sample *now)
{
	if (m->shown)
		withdraw_absent(m->registry, m->shown, now);
	for (unsigned int i = 0; i < now->gpu_count; i++)
		show_values(m->registry, &now->gpus[i]);
	nvml_sample_free(m->shown);
	m->shown = now;
}

/* What a GPU is called stays true when NVML is not read any more. */
static void withdraw_all_values(struct nvml_metrics *m)
{
	for (unsigned int i = 0; m->shown && i < m->shown->gpu_count; i++) {
		withdraw_values(m->registry, &m->shown->gpus[i], NULL);
		m->shown->gpus[i].has = 0;
	}
}

static void show_counts(struct registry *r, const struct nvml_sample *s)
{
	for (unsigned int i = 0; i < s->xid_count; i++) {
		struct row l = { 0 };

		label_identity(&l, &s->xids[i].who);
		l.values[IDENTITY_LABELS] = number(&l, 1, s->xids[i].xid);
		registry_set(r, M_GPU_XID_ERRORS, 0, l.values, s->xids[i].count);
	}
	for (enum nvml_failure i = 0; i < NVML_FAILURES; i++) {
		const char *values[METRIC_LABELS_MAX] = { nvml_failure_names[i] };

		if (s->failures[i])
			registry_set(r, M_GPU_NVML_FAILURES, 0, values, s->failures[i]);
	}
}

void nvml_metrics_update(struct nvml_metrics *m, uint64_t now_ns)
{
	struct nvml_sample *now = m ? nvml_take(m->nvml, now_ns) : NULL;

	if (!now)
		return;
	show_counts(m->registry, now);
	if (now->read) {
		show_read(m, now);
		return;
	}
	withdraw_all_values(m);
	nvml_sample_free(now);
}

void nvml_metrics_tell_info(struct nvml_metrics *m)
{
	for (unsigned int i = 0; nvml_metrics_told(m) && i < m->shown->gpu_count; i++)
		show_info(m->registry, &m->shown->gpus[i]);
}

bool nvml_metrics_told(const struct nvml_metrics *m)
{
	return m && m->shown && m->shown->gpu_count;
}

/* ------------------------------------------------------------------ open and close */

struct nvml_metrics *nvml_metrics_new(struct registry *r, const struct config *c)
{
	const struct nvml_config nc = { .always = c->nvml == NVML_ON,
					.path = c->nvml_path,
					.interval_ns = c->nvml_interval_ms * NSEC_PER_MSEC,
					.proc = "/proc" };
	struct nvml_metrics *m;

	if (c->nvml == NVML_OFF) {
		errno = ENOENT;
		return NULL;
	}
	m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->registry = r;
	m->nvml = nvml_new(&nc);
	if (m->nvml)
		return m;
	free(m);
	return NULL;
}

void nvml_metrics_free(struct nvml_metrics *m)
{
	if (!m)
		return;
	nvml_free(m->nvml);
	nvml_sample_free(m->shown);
	free(m);
}
