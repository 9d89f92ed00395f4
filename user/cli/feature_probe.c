// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/output.h"
#include "gpu/nvml.h"
#include "load/loader.h"

#define FEATURES_MAX 64

static void print_json(const struct config *c, const struct feature *rows, int count)
{
	json_t *list = json_array();

	for (int i = 0; i < count; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:b, s:s}", "name",
						      rows[i].name, "needed_for", rows[i].needed,
						      "available", rows[i].available, "picked",
						      rows[i].picked, "detail", rows[i].detail));
	output_json(c, list);
}

static void print_table(const struct feature *rows, int count)
{
	int width = 0;

	for (int i = 0; i < count; i++)
		if ((int)strlen(rows[i].needed) > width)
			width = strlen(rows[i].needed);
	printf("%-26s %-4s %-*s %s\n", "FEATURE", "HERE", width, "NEEDED FOR", "DETAIL");
	for (int i = 0; i < count; i++)
		printf("%-26s %-4s %-*s %s\n", rows[i].name, rows[i].available ? "yes" : "no",
		       rows[i].detail[0] ? width : 0, rows[i].needed, rows[i].detail);
}

static void probe_nvml(const struct config *c, struct feature *row)
{
	const struct nvml_config nc = { .path = c->nvml_path, .proc = "/proc" };

	*row = (struct feature){ .name = "nvml", .needed = "figures of GPUs themselves" };
	row->available = nvml_probe(&nc, row->detail);
}

int cmd_feature_probe(const struct config *c)
{
	struct feature rows[FEATURES_MAX];
	int count = feature_probe(rows, FEATURES_MAX - 1);

	if (count < 0) {
		log_error("cannot probe the kernel: %s%s", strerror(-count),
			  count == -EPERM ? " (run as root)" : "");
		return 1;
	}
	probe_nvml(c, &rows[count++]);
	if (c->json || c->pretty)
		print_json(c, rows, count);
	else
		print_table(rows, count);
	return 0;
}
