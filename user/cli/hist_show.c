// SPDX-License-Identifier: Apache-2.0
/* `tokscope hist show NAME [LABEL=VALUE]...`: live histograms of any family, from a session of its own. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/suggest.h"
#include "cli/command.h"
#include "cli/hist_draw.h"
#include "cli/meter.h"
#include "cli/metric_text.h"
#include "cli/output.h"
#include "export/metric_json.h"

/* One series of the family, found again by its labels. */
struct shown {
	char *labels;
	struct hist_film film;
	UT_hash_handle hh;
};

struct show {
	const struct config *config;
	struct meter meter;
	enum metric_id id;
	bool live; /* drawn anew each second, on a terminal */
	struct shown *series;
};

/* ------------------------------------------------------------------ which family */

static const struct {
	const char *name, *otlp;
} aliases[] = {
	{ "ttft", "gen_ai.server.time_to_first_token" },
	{ "tpot", "gen_ai.server.time_per_output_token" },
	{ "itl", "tokscope.inter_token_latency" },
	{ "duration", "gen_ai.server.request.duration" },
	{ "headers", "tokscope.request.time_to_headers" },
	{ "phase", "tokscope.request.phase.duration" },
	{ "tokens", "tokscope.request.tokens" },
	{ "stage", "tokscope.engine.stage.duration" },
	{ "batch", "tokscope.engine.batch.size" },
	{ "batch_tokens", "tokscope.engine.batch.tokens" },
	{ "probe", "tokscope.probe.duration" },
	{ "value", "tokscope.probe.value" },
	{ "ioctl", "tokscope.gpu.ioctl.duration" },
	{ "kernel", "tokscope.gpu.kernel.duration" },
	{ "graph", "tokscope.gpu.graph.duration" },
	{ "memcpy", "tokscope.gpu.memcpy.duration" },
	{ "launch", "tokscope.gpu.launch.delay" },
	{ "gap", "tokscope.gpu.step.gap" },
};
#define ALIASES (sizeof(aliases) / sizeof(aliases[0]))

static const char *alias_name(size_t i)
{
	return aliases[i].name;
}

static enum metric_id family_named(const char *name)
{
	enum metric_id id;

	for (size_t i = 0; i < ALIASES; i++)
		if (!strcmp(name, aliases[i].name))
			name = aliases[i].otlp;
	id = metric_named(name);
	return id != M_MAX && metric_family(id)->type == METRIC_HISTOGRAM ? id : M_MAX;
}

static void list_families(void)
{
	fputs("Histograms, by short or full name:\n", stderr);
	for (size_t i = 0; i < ALIASES; i++)
		fprintf(stderr, "  %-14s %s\n", aliases[i].name, aliases[i].otlp);
}

/* ------------------------------------------------------------------ which series */

static const char *label_value(const struct metric_family *f, const struct snapshot_series *s,
			       const char *name, size_t len)
{
	for (size_t i = 0; i < f->label_count; i++)
		if (!strncmp(f->labels[i], name, len) && !f->labels[i][len])
			return s->values[i] ?: "";
	return NULL;
}

/* All of LABEL=VALUE on the command line. */
static bool wanted(const struct config *c, const struct metric_family *f,
		   const struct snapshot_series *s)
{
	for (int i = 1; i < c->operand_count; i++) {
		const char *equals = strchr(c->operands[i], '=');
		const char *value =
			label_value(f, s, c->operands[i], (size_t)(equals - c->operands[i]));

		if (!value || strcmp(value, equals + 1))
			return false;
	}
	return true;
}

static bool filters_are_good(const struct config *c, const struct metric_family *f)
{
	static const char *const none[METRIC_LABELS_MAX];
	const struct snapshot_series empty = { .values = none };

	for (int i = 1; i < c->operand_count; i++) {
		const char *equals = strchr(c->operands[i], '=');

		if (equals &&
		    label_value(f, &empty, c->operands[i], (size_t)(equals - c->operands[i])))
			continue;
		log_error("%s: expected LABEL=VALUE with one of the labels of %s", c->operands[i],
			  f->prom_name);
		for (size_t k = 0; k < f->label_count; k++)
			fprintf(stderr, "  %s\n", f->labels[k]);
		return false;
	}
	return true;
}

static void take_series(struct show *w, const struct metric_family *f,
			const struct snapshot_series *s)
{
	char *labels = metric_labels_text(f, s);
	struct shown *shown;

	if (!labels)
		return;
	HASH_FIND_STR(w->series, labels, shown);
	if (!shown) {
		shown = calloc(1, sizeof(*shown));
		if (!shown) {
			free(labels);
			return;
		}
		shown->labels = labels;
		HASH_ADD_KEYPTR(hh, w->series, labels, strlen(labels), shown);
		labels = NULL;
	}
	free(labels);
	hist_film_add(&shown->film, &s->hist);
}

/* ------------------------------------------------------------------ output */

static void draw(struct show *w)
{
	const struct metric_family *f = metric_family(w->id);
	struct shown *s, *next;

	if (w->live)
		fputs("\033[H\033[J", stdout); /* home, and erase to the end: ECMA-48 */
	printf("%s: %s\n", f->prom_name, f->help);
	HASH_ITER(hh, w->series, s, next) {
		printf("\n%s\n", s->labels);
		hist_draw(stdout, &s->film, f->unit);
	}
	if (!w->series)
		puts("\n(nothing observed yet; Ctrl-C ends)");
	fflush(stdout);
}

static json_t *series_json(const struct metric_family *f, const struct snapshot_series *s)
{
	json_t *o = metric_json_hist(&s->hist);

	json_object_set_new(o, "name", json_string(f->prom_name));
	json_object_set_new(o, "labels", metric_json_labels(f, s));
	return o;
}

static void print_json(const struct show *w)
{
	struct snapshot *snap = registry_snapshot(w->meter.registry);
	const struct snapshot_family *sf = snap ? &snap->families[w->id] : NULL;

	for (size_t i = 0; sf && i < sf->count; i++)
		if (wanted(w->config, sf->family, &sf->series[i]))
			output_json(w->config, series_json(sf->family, &sf->series[i]));
	snapshot_free(snap);
}

static void on_tick(void *ctx, uint64_t now_ns)
{
	struct show *w = ctx;
	struct snapshot *snap = registry_snapshot(w->meter.registry);
	const struct snapshot_family *sf = snap ? &snap->families[w->id] : NULL;

	(void)now_ns;
	for (size_t i = 0; sf && i < sf->count; i++)
		if (wanted(w->config, sf->family, &sf->series[i]))
			take_series(w, sf->family, &sf->series[i]);
	snapshot_free(snap);
	if (w->live)
		draw(w);
}

static void finish(struct show *w)
{
	struct shown *s, *next;

	if (w->config->json || w->config->pretty)
		print_json(w);
	else if (!w->live)
		draw(w);
	HASH_ITER(hh, w->series, s, next) {
		HASH_DEL(w->series, s);
		hist_film_free(&s->film);
		free(s->labels);
		free(s);
	}
}

static bool choose(struct show *w, const struct config *c)
{
	const char *name = c->operand_count ? c->operands[0] : NULL, *near;

	if (!name) {
		log_error("which histogram? tokscope hist show NAME");
		list_families();
		return false;
	}
	w->id = family_named(name);
	if (w->id != M_MAX)
		return filters_are_good(c, metric_family(w->id));
	near = suggest(name, alias_name, ALIASES);
	log_error("no histogram is named '%s'%s%s%s", name, near ? "; did you mean '" : "",
		  near ?: "", near ? "'?" : "");
	list_families();
	return false;
}

int cmd_hist_show(const struct config *c)
{
	static const struct meter_ops ops = { .tick = on_tick };
	struct show w = { .config = c };
	int err;

	if (!choose(&w, c))
		return EXIT_USAGE;
	w.live = isatty(STDOUT_FILENO) && !c->json && !c->pretty;
	err = meter_open(&w.meter, c, &ops, &w);
	if (!err)
		err = session_run(&w.meter.session, c->duration_s);
	if (!err)
		on_tick(&w, 0);
	finish(&w);
	meter_close(&w.meter);
	return err ? 1 : 0;
}
