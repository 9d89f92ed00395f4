// SPDX-License-Identifier: Apache-2.0
#include "export/target_info.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "export/prometheus_format.h"

static const struct metric_family plain = {
	.prom_name = "target_info",
	.unit = "",
	.help = "The agent that exposes these metrics.",
	.type = (enum metric_type)METRIC_INFO,
	.labels = { "service_name", "service_version" },
	.label_count = 2,
};

/* "service.name" -> "service_name"; a digit in front gets a word before it (OpenTelemetry, compatibility/prometheus). */
static void append_name(struct buf *out, const char *key)
{
	if (isdigit((unsigned char)*key))
		buf_puts(out, "key_");
	for (; *key; key++)
		buf_append(out, isalnum((unsigned char)*key) ? key : "_", 1);
	buf_append(out, "", 1);
}

/* Names, each with its NUL, then the texts of numbers: all in one buffer, so that it may move while it grows. */
static void append_texts(struct buf *out, const struct resource *r, size_t count)
{
	for (size_t i = 0; i < count; i++)
		append_name(out, r->attributes[i].key);
	for (size_t i = 0; i < count; i++) {
		if (r->attributes[i].text)
			continue;
		buf_printf(out, "%" PRId64, r->attributes[i].number);
		buf_append(out, "", 1);
	}
}

static bool has_label(const struct metric_family *m, const char *name)
{
	for (size_t i = 0; i < m->label_count; i++)
		if (!strcmp(m->labels[i], name))
			return true;
	return false;
}

/* Two keys may become one name, and a label that stands twice makes the whole scrape invalid: the first one stays. */
static void add_labels(struct target_info *t, const struct resource *r, size_t count)
{
	const char *name = t->texts.data, *number = name;

	for (size_t i = 0; i < count; i++)
		number += strlen(number) + 1;
	t->metric.label_count = 0;
	for (size_t i = 0; i < count; i++) {
		const char *value = r->attributes[i].text ?: number;

		if (!r->attributes[i].text)
			number += strlen(number) + 1;
		if (!has_label(&t->metric, name)) {
			t->values[t->metric.label_count] = value;
			t->metric.labels[t->metric.label_count++] = name;
		}
		name += strlen(name) + 1;
	}
}

void target_info_make(struct target_info *t, const struct resource *r)
{
	size_t count = r ? r->count : 0;

	*t = (struct target_info){ .metric = plain, .values = { "tokscope", TOKSCOPE_VERSION } };
	t->series = (struct snapshot_series){ .values = t->values, .value = 1 };
	t->family = (struct snapshot_family){ &t->metric, &t->series, 1 };
	if (count > METRIC_LABELS_MAX)
		count = METRIC_LABELS_MAX;
	append_texts(&t->texts, r, count);
	if (count && !t->texts.err)
		add_labels(t, r, count);
}

void target_info_free(struct target_info *t)
{
	buf_free(&t->texts);
}
