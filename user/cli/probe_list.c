// SPDX-License-Identifier: Apache-2.0
/* `probe list`: the probe packs, their probes, and what each measures. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/output.h"
#include "probe/pack.h"

static const char *const events[EVENTS] = {
	[EVENT_NONE] = "",	     [EVENT_TOKENIZED] = "tokenized", [EVENT_QUEUED] = "queued",
	[EVENT_STARTED] = "started", [EVENT_TOKEN] = "token",	      [EVENT_FINISHED] = "finished",
};

/* Names of the results that a probe reports to. */
static json_t *measures(const struct packs *packs, const struct pack_probe *p)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < p->spec.actions; i++)
		if (p->spec.action[i].metric != TKS_PROBE_NO_METRIC)
			json_array_append_new(
				list, json_string(packs->results[p->spec.action[i].metric].name));
	return list;
}

static json_t *texts(char *const *items, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_string(items[i]));
	return list;
}

static json_t *probe_object(const struct packs *packs, const struct pack_probe *p)
{
	return json_pack("{s:s, s:b, s:s, s:s, s:o, s:o, s:o, s:s?}", "name", p->name, "default",
			 !p->full, "kind", target_kind_name(p->kind), "at", target_at_name(p->at),
			 "patterns", texts(p->patterns, p->pattern_count), "libraries",
			 texts(p->library.globs, p->library.count), "measures", measures(packs, p),
			 "event", p->emits ? events[p->event] : NULL);
}

static json_t *pack_object(const struct packs *packs, const struct pack *pack)
{
	json_t *probes = json_array();

	for (size_t i = 0; i < pack->probe_count; i++)
		json_array_append_new(probes, probe_object(packs, &pack->probes[i]));
	return json_pack("{s:s, s:s, s:s?, s:s?, s:i, s:o}", "pack", pack->name, "origin",
			 pack->origin, "engine", pack->engine, "summary", pack->summary, "rules",
			 (int)pack->rule_count, "probes", probes);
}

static void print_probe(const json_t *probe)
{
	const json_t *list = json_object_get(probe, "measures"), *name;
	const char *event = json_string_value(json_object_get(probe, "event"));
	const char *between = "";
	size_t i;

	printf("  %-30s %-8s %-13s ", json_string_value(json_object_get(probe, "name")),
	       json_is_true(json_object_get(probe, "default")) ? "default" : "full",
	       json_string_value(json_object_get(probe, "at")));
	json_array_foreach(list, i, name) {
		printf("%s%s", between, json_string_value(name));
		between = ", ";
	}
	if (event)
		printf("%sevent %s", between, event);
	else if (!json_array_size(list))
		printf("(starts a timer)");
	putchar('\n');
}

static void print_pack(const json_t *pack)
{
	const char *engine = json_string_value(json_object_get(pack, "engine"));
	const char *summary = json_string_value(json_object_get(pack, "summary"));
	const json_t *probe;
	size_t i;

	printf("%s (%s; %s)%s%s\n", json_string_value(json_object_get(pack, "pack")),
	       engine ? engine : "any engine", json_string_value(json_object_get(pack, "origin")),
	       summary ? ": " : "", summary ? summary : "");
	json_array_foreach(json_object_get(pack, "probes"), i, probe)
		print_probe(probe);
}

int cmd_probe_list(const struct config *c)
{
	struct packs *packs = packs_open(c->packs_folder);
	json_t *list = json_array();
	const json_t *pack;
	size_t i;

	if (!packs) {
		json_decref(list);
		return 1;
	}
	for (i = 0; i < packs->count; i++)
		json_array_append_new(list, pack_object(packs, &packs->items[i]));
	packs_close(packs);
	if (c->json || c->pretty) {
		output_json(c, list);
		return 0;
	}
	json_array_foreach(list, i, pack)
		print_pack(pack);
	json_decref(list);
	return 0;
}
