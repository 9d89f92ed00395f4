// SPDX-License-Identifier: Apache-2.0
/* What is exposed, whatever the format: the families of the snapshot, and target_info. */
#include "export/prometheus.h"

#include <string.h>

#include "export/prometheus_format.h"
#include "export/target_info.h"

/* UCUM unit -> the word that ends the family name (OpenMetrics 1.0.0, "UNIT"). */
static const struct {
	const char *ucum, *word;
} units[] = {
	{ "s", "seconds" }, { "By", "bytes" },	  { "1", "ratio" },
	{ "W", "watts" },   { "Cel", "celsius" }, { "Hz", "hertz" },
};

static const char *unit_word(const char *ucum)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(ucum, units[i].ucum))
			return units[i].word;
	return NULL;
}

static bool ends_in_word(const char *name, size_t len, const char *word)
{
	size_t n = strlen(word);

	return len > n && name[len - n - 1] == '_' && !memcmp(name + len - n, word, n);
}

const char *exposition_unit(const struct metric_family *f, const char *suffix)
{
	size_t len = strlen(f->prom_name) - strlen(suffix);
	const char *word = unit_word(f->unit);

	return word && ends_in_word(f->prom_name, len, word) ? word : NULL;
}

void exposition_each(const struct snapshot *s,
		     void (*fn)(void *writer, const struct snapshot_family *f), void *writer)
{
	struct target_info target;

	target_info_make(&target, snapshot_resource(s, 0));
	fn(writer, &target.family);
	for (int id = 0; id < M_MAX; id++)
		if (s->families[id].count)
			fn(writer, &s->families[id]);
	target_info_free(&target);
}

void exposition_write(struct buf *out, enum exposition e, const struct snapshot *s)
{
	static void (*const writers[])(struct buf *, const struct snapshot *) = {
		[EXPOSITION_TEXT] = exposition_write_text,
		[EXPOSITION_OPENMETRICS] = exposition_write_openmetrics,
		[EXPOSITION_PROTOBUF] = exposition_write_protobuf,
	};

	writers[e](out, s);
}
