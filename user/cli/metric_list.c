// SPDX-License-Identifier: Apache-2.0
/* `metric list`, `metric schema`: the catalogue of the binary at hand. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/output.h"
#include "export/metric_json.h"

static void print_table(void)
{
	for (int id = 0; id < M_MAX; id++) {
		const struct metric_family *f = metric_family(id);

		printf("%-46s %-9s %-12s %s\n", f->prom_name, metric_type_name(f->type), f->unit,
		       f->help);
	}
}

int cmd_metric_list(const struct config *c)
{
	json_t *list;

	if (!c->json && !c->pretty) {
		print_table();
		return 0;
	}
	list = json_array();
	for (int id = 0; id < M_MAX; id++)
		json_array_append_new(list, metric_json_family(metric_family(id)));
	output_json(c, list);
	return 0;
}

int cmd_metric_schema(const struct config *c)
{
	output_json(c, metric_json_schema());
	return 0;
}
