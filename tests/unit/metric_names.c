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
					 M_PROCESS_OPEN_FDS, M_PROCESS_START_TIME };

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

static void test_units(void **state)
{
	static const char *const words[][2] = { { "s", "_seconds" },
						{ "By", "_bytes" },
						{ "1", "_ratio" } };

	(void)state;
	for (int id = 0; id < M_MAX; id++) {
		const struct metric_family *f = metric_family(id);
		char base[128];
		size_t n = strlen(f->unit);
		bool known = !n || (f->unit[0] == '{' && f->unit[n - 1] == '}');

		base_name(f, base, sizeof(base));
		for (size_t i = 0; i < 3; i++) {
			assert_int_equal(ends_in(base, words[i][1]), !strcmp(f->unit, words[i][0]));
			known |= !strcmp(f->unit, words[i][0]);
		}
		assert_true(known);
	}
}

/* What an OpenTelemetry name measures, where Prometheus says the unit in its place: cpu.time -> cpu_seconds. */
static const char *const quantities[] = { "_time", "_size", "_io" };

/* Dots become underscores, a unit word is added or takes the place of the quantity. */
static bool translates(const char *otlp, const char *base)
{
	static const char *const units[] = { "", "_seconds", "_bytes", "_ratio" };
	char flat[128];
	size_t n = strlen(otlp), kept;

	assert_true(n < sizeof(flat));
	for (size_t i = 0; i <= n; i++)
		flat[i] = otlp[i] == '.' ? '_' : otlp[i];
	kept = n;
	for (size_t i = 0; i < sizeof(quantities) / sizeof(quantities[0]); i++)
		if (ends_in(flat, quantities[i]))
			kept = n - strlen(quantities[i]);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!strncmp(base, flat, n) && !strcmp(base + n, units[i]))
			return true;
		if (i && !strncmp(base, flat, kept) && !strcmp(base + kept, units[i]))
			return true;
	}
	return false;
}

static void test_translation(void **state)
{
	(void)state;
	assert_true(translates("a.run.time", "a_run_seconds"));
	assert_false(translates("a.run.time", "a_run"));
	assert_false(translates("a.run", "b_run"));
	for (int id = 0; id < M_MAX; id++) {
		const struct metric_family *f = metric_family(id);
		char base[128];

		base_name(f, base, sizeof(base));
		if (!is_legacy(id) && !translates(f->otlp_name, base))
			fail_msg("%s does not translate to %s", f->otlp_name, f->prom_name);
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
			assert_true(is_words(f->labels[i], "_"));
			for (size_t k = 0; k < sizeof(reserved) / sizeof(reserved[0]); k++)
				assert_string_not_equal(f->labels[i], reserved[k]);
			for (size_t k = 0; k < i; k++)
				assert_string_not_equal(f->labels[i], f->labels[k]);
		}
	}
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
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),		cmocka_unit_test(test_units),
		cmocka_unit_test(test_translation),	cmocka_unit_test(test_labels),
		cmocka_unit_test(test_help_and_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
