// SPDX-License-Identifier: Apache-2.0
/* `metric show [NAME]...`: every number after a session of its own. */
#include <stdio.h>

#include "base/cleanup.h"
#include "cli/command.h"
#include "cli/hist_draw.h"
#include "cli/meter.h"
#include "cli/metric_text.h"
#include "cli/output.h"
#include "export/metric_json.h"

/* By family; without a name on the command line: all. */
static bool choose(const struct config *c, bool wanted[M_MAX])
{
	for (int id = 0; id < M_MAX; id++)
		wanted[id] = !c->operand_count;
	for (int i = 0; i < c->operand_count; i++) {
		enum metric_id id = metric_choose(c->operands[i]);

		if (id == M_MAX)
			return false;
		wanted[id] = true;
	}
	return true;
}

static void print_series(const struct metric_family *f, const struct snapshot_series *s)
{
	_cleanup_free_ char *labels = metric_labels_text(f, s);

	if (f->type == METRIC_HISTOGRAM) {
		printf("  %s\n", labels ?: "");
		hist_draw_summary(stdout, &s->hist, f->unit);
	} else {
		printf("  %-12.12g  %s\n", s->value, labels ?: "");
	}
}

static void print_text(const struct snapshot *s, const bool wanted[M_MAX])
{
	for (int id = 0; id < M_MAX; id++) {
		const struct snapshot_family *sf = &s->families[id];

		if (!wanted[id] || !sf->count)
			continue;
		printf("%s: %s\n", sf->family->prom_name, sf->family->help);
		for (size_t i = 0; i < sf->count; i++)
			print_series(sf->family, &sf->series[i]);
		putchar('\n');
	}
}

static void print_json(const struct config *c, const struct snapshot *s, const bool wanted[M_MAX])
{
	json_t *all = metric_json(s), *metrics = json_object_get(all, "metrics");

	for (int id = 0; id < M_MAX; id++)
		if (!wanted[id])
			json_object_del(metrics, metric_family(id)->prom_name);
	output_json(c, all);
}

static int print(const struct config *c, struct registry *r, const bool wanted[M_MAX])
{
	struct snapshot *s = registry_snapshot(r);

	if (!s) {
		log_error("out of memory");
		return 1;
	}
	if (c->json || c->pretty)
		print_json(c, s, wanted);
	else
		print_text(s, wanted);
	snapshot_free(s);
	return 0;
}

int cmd_metric_show(const struct config *c)
{
	static const struct meter_ops ops;
	struct meter meter;
	bool wanted[M_MAX];
	int err;

	if (!choose(c, wanted))
		return EXIT_USAGE;
	err = meter_open(&meter, c, &ops, NULL);
	if (!err)
		err = session_run(&meter.session, c->duration_s);
	if (!err)
		err = print(c, meter.registry, wanted);
	meter_close(&meter);
	return err ? 1 : 0;
}
