// SPDX-License-Identifier: Apache-2.0
/*
 * The rules every row of metrics.def keeps: Prometheus naming (prometheus.io/docs/practices/naming), OpenTelemetry's
 * translation of names and units (specification/compatibility/prometheus_and_openmetrics.md), and house style of HELP.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "metric/registry.h"

/*
 * Names that predate the conventions: the process_* metrics of every Prometheus client library. Here the OpenTelemetry
 * name and unit do not translate into the Prometheus name.
 */
static const enum metric_id legacy[] = { M_PROCESS_CPU, M_PROCESS_RSS, M_PROCESS_VIRTUAL,
					 M_PROCESS_OPEN_FDS };

static bool is_legacy(enum metric_id id)
{
	for (size_t i = 0; i < sizeof(legacy) / sizeof(legacy[0]); i++)
		if (legacy[i] == id)
			return true;
	return false;
}

static bool ends_in(const char *s, const char *tail)
{
	size_t n = strlen(s), t = strlen(tail);

	return n >= t && !strcmp(s + n - t, tail);
}

/* Lower-case words of letters and digits, joined by single characters of `joints`, starting with a letter. */
static bool is_words(const char *s, const char *joints)
{
	if (!islower((unsigned char)s[0]))
		return false;
	for (const char *p = s; *p; p++) {
		if (islower((unsigned char)*p) || isdigit((unsigned char)*p))
			continue;
		if (!strchr(joints, *p) || strchr(joints, p[1]))
			return false;
	}
	return true;
}

/* prom_name without _total. */
static void base_name(const struct metric_family *f, char *out, size_t size)
{
	size_t n = strlen(f->prom_name) - (ends_in(f->prom_name, "_total") ? strlen("_total") : 0);

	assert_true(n < size);
	memcpy(out, f->prom_name, n);
	out[n] = '\0';
}

static void test_names(void **state)
{
	static const char *const reserved[] = { "_bucket", "_count", "_sum", "_created" };

	(void)state;
	for (int id = 0; id < M_MAX; id++) {
		const struct metric_family *f = metric_family(id);

		assert_true(is_words(f->prom_name, "_"));
		assert_true(is_words(f->otlp_name, "._"));
		assert_int_equal(ends_in(f->prom_name, "_total"), f->type == METRIC_COUNTER);
		for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
			assert_false(ends_in(f->prom_name, reserved[i]));
		for (int other = 0; other < id; other++) {
			assert_string_not_equal(f->prom_name, metric_family(other)->prom_name);
			assert_string_not_equal(f->otlp_name, metric_family(other)->otlp_name);
		}
	}
}

/* UCUM units and the words they become. */
static const char *const words[][2] = { { "s", "_seconds" }, { "By", "_bytes" },
					{ "W", "_watts" },   { "Cel", "_celsius" },
					{ "Hz", "_hertz" },  { "1", "_ratio" } };
#define WORDS (sizeof(words) / sizeof(words[0]))

static void test_units(void **state)
{
	(void)state;
	for (int id = 0; id < M_MAX; id++) {
		const struct metric_family *f = metric_family(id);
		char base[128];
		size_t n = strlen(f->unit);
		bool known = !n || (f->unit[0] == '{' && f->unit[n - 1] == '}');

		base_name(f, base, sizeof(base));
		for (size_t i = 0; i < WORDS; i++) {
			assert_int_equal(ends_in(base, words[i][1]), !strcmp(f->unit, words[i][0]));
			known |= !strcmp(f->unit, words[i][0]);
		}
		assert_true(known);
	}
}

/* The characters of a Prometheus name: all others become '_', of several in a row one stays. */
static void flatten(const char *name, char *out)
{
	char *at = out;

	for (; *name; name++) {
		char c = isalnum((unsigned char)*name) ? *name : '_';

		if (c != '_' || at == out || at[-1] != '_')
			*at++ = c;
	}
	*at = '\0';
}

/*
 * The name that a collector makes of OTLP's: dots to underscores, the unit as a word unless the name ends so, "_ratio" for gauges
 * only, "_total" for counters (OpenTelemetry specification, and prometheus/otlptranslator metric_namer.go).
 */
static void translate(const struct metric_family *f, char out[160])
{
	const char *word = "";

	assert_true(strlen(f->otlp_name) < 128);
	flatten(f->otlp_name, out);
	for (size_t i = 0; i < WORDS; i++)
		if (!strcmp(f->unit, words[i][0]) &&
		    (strcmp(f->unit, "1") || f->type == METRIC_GAUGE))
			word = words[i][1];
	if (!ends_in(out, word))
		strcat(out, word);
	if (f->type == METRIC_COUNTER)
		strcat(out, "_total");
}

static void test_translation(void **state)
{
	const struct metric_family run = { .otlp_name = "a.b_c.run",
					   .unit = "s",
					   .type = METRIC_COUNTER };
	char name[160];

	(void)state;
	translate(&run, name);
	assert_string_equal(name, "a_b_c_run_seconds_total");
	for (int id = 0; id < M_MAX; id++) {
		const struct metric_family *f = metric_family(id);

		translate(f, name);
		if (is_legacy(id))
			assert_string_not_equal(name, f->prom_name);
		else
			assert_string_equal(name, f->prom_name);
	}
}

/* ------------------------------------------------------------------ labels */

static const struct {
	const char *label, *key;
} attributes[] = {
#define ATTRIBUTE(label, key, ...) { label, key },
#include "metric/attributes.def"
#undef ATTRIBUTE
};
#define ATTRIBUTES (sizeof(attributes) / sizeof(attributes[0]))

static bool is_attribute(const char *label)
{
	for (size_t i = 0; i < ATTRIBUTES; i++)
		if (!strcmp(attributes[i].label, label))
			return true;
	return false;
}

static bool is_used(const char *label)
{
	for (int id = 0; id < M_MAX; id++)
		for (size_t i = 0; i < metric_family(id)->label_count; i++)
			if (!strcmp(metric_family(id)->labels[i], label))
				return true;
	return false;
}

/* The label is what a collector makes of the attribute, and some family has it; the overflow label is the registry's own. */
static void test_attributes(void **state)
{
	char label[128];

	(void)state;
	for (size_t i = 0; i < ATTRIBUTES; i++) {
		assert_true(is_words(attributes[i].key, "._"));
		assert_true(strlen(attributes[i].key) < sizeof(label));
		flatten(attributes[i].key, label);
		assert_string_equal(label, attributes[i].label);
		assert_true(is_used(label) || !strcmp(label, "otel_metric_overflow"));
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(attributes[i].key, attributes[k].key);
	}
}

/* dcgm-exporter's labels, as it writes them: tokscope_gpu_info joins to its series. */
static bool is_of_dcgm(const char *label)
{
	return !strcmp(label, "UUID") || !strcmp(label, "GPU_I_ID") ||
	       !strcmp(label, "GPU_I_PROFILE");
}

/* tokscope's own labels are single words, the same in OTLP; what is put together is a convention's, with its name there. */
static void test_labels_are_known(void **state)
{
	static const char *const own[] = { "outcome",  "phase",	  "source",  "reason", "kind",
					   "stage",    "state",	  "probe",   "device", "command",
					   "gpu",      "class",	  "program", "family", "signal",
					   "decision", "version", "backend", "clock",  "xid",
					   "api" };

	(void)state;
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		assert_true(is_used(own[i]));
	for (int id = 0; id < M_MAX; id++) {
		const struct metric_family *f = metric_family(id);

		for (size_t i = 0; i < f->label_count; i++) {
			bool known = is_attribute(f->labels[i]) || is_of_dcgm(f->labels[i]);

			for (size_t k = 0; k < sizeof(own) / sizeof(own[0]); k++)
				known |= !strcmp(f->labels[i], own[k]);
			if (!known)
				fail_msg(
					"%s of %s: neither in attributes.def nor a word of tokscope's",
					f->labels[i], f->prom_name);
		}
	}
}

static void test_labels(void **state)
{
	static const char *const reserved[] = { "le", "quantile", "job", "instance",
						"otel_metric_overflow" };

	(void)state;
	for (int id = 0; id < M_MAX; id++) {
		const struct metric_family *f = metric_family(id);

		assert_in_range(f->label_count, 0, METRIC_LABELS_MAX);
		assert_null(f->labels[f->label_count]);
		for (size_t i = 0; i < f->label_count; i++) {
			assert_true(is_words(f->labels[i], "_") || is_of_dcgm(f->labels[i]));
			for (size_t k = 0; k < sizeof(reserved) / sizeof(reserved[0]); k++)
				assert_string_not_equal(f->labels[i], reserved[k]);
			for (size_t k = 0; k < i; k++)
				assert_string_not_equal(f->labels[i], f->labels[k]);
		}
	}
}

static void test_named(void **state)
{
	(void)state;
	for (int id = 0; id < M_MAX; id++) {
		assert_int_equal(metric_named(metric_family(id)->prom_name), id);
		assert_int_equal(metric_named(metric_family(id)->otlp_name), id);
	}
	assert_int_equal(metric_named("tokscope_requests"), M_MAX);
	assert_int_equal(metric_named(""), M_MAX);
}

static void test_help_and_bounds(void **state)
{
	(void)state;
	for (int id = 0; id < M_MAX; id++) {
		const struct metric_family *f = metric_family(id);

		assert_true(ends_in(f->help, "."));
		assert_null(strchr(f->help, '\n'));
		assert_true(strlen(f->help) >= 10 && strlen(f->help) <= 160);
		assert_int_equal(f->bounds != NULL, f->type == METRIC_HISTOGRAM);
		for (size_t i = 1; f->bounds && i < f->bounds->count; i++)
			assert_true(f->bounds->le[i - 1] < f->bounds->le[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	    cmocka_unit_test(test_units),
		cmocka_unit_test(test_translation), cmocka_unit_test(test_labels),
		cmocka_unit_test(test_attributes),  cmocka_unit_test(test_labels_are_known),
		cmocka_unit_test(test_named),	    cmocka_unit_test(test_help_and_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
