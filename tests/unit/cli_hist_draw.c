// SPDX-License-Identifier: Apache-2.0
/* Histograms as people see them: rows, bars and heat lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/hist_draw.h"
#include "metric/bounds.h"

static char *drawn(const struct hist_film *f, const char *unit)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	hist_draw(out, f, unit);
	fclose(out);
	return text;
}

static void observe(struct hist *h, double v, uint64_t times)
{
	assert_int_equal(hist_observe(h, v, times), 0);
}

static void test_empty(void **state)
{
	struct hist_film f = { 0 };
	struct hist h;
	char *text;

	(void)state;
	hist_init(&h, &bounds_call);
	hist_film_add(&f, &h);
	text = drawn(&f, "s");
	assert_string_equal(text, "  count 0  mean -  p50 -  p90 -  p99 -  max -\n");
	free(text);
	hist_film_free(&f);
	hist_free(&h);
}

/* One row for 4, one for 8: full bar, half a bar; the heat lines tell which interval had which. */
static void test_rows_and_heat(void **state)
{
	struct hist_film f = { 0 };
	struct hist h;
	char *text, *row;

	(void)state;
	hist_init(&h, &bounds_batch);
	observe(&h, 4, 100);
	hist_film_add(&f, &h);
	observe(&h, 8, 50);
	hist_film_add(&f, &h);
	text = drawn(&f, "{request}");
	assert_non_null(strstr(text, "count 150  mean 5.333"));
	row = strstr(text, "..4 ");
	assert_non_null(row);
	assert_memory_equal(strchr(row, '|'), "|################################| 100       |@ |",
			    48);
	row = strstr(text, "..8 ");
	assert_non_null(row);
	assert_memory_equal(strchr(row, '|'), "|################                | 50        | @|",
			    48);
	free(text);
	hist_film_free(&f);
	hist_free(&h);
}

/* However wide the values lie, it stays on one screen, and nothing is left out. */
static void test_wide(void **state)
{
	struct hist_film f = { 0 };
	unsigned long long seen = 0, n;
	struct hist h;
	char *text, *line;
	int rows = 0;

	(void)state;
	hist_init(&h, &bounds_call);
	for (double v = 1e-6; v < 1e3; v *= 1.5)
		observe(&h, v, 3);
	for (int i = 0; i < 3 * HEAT_COLUMNS; i++)
		hist_film_add(&f, &h);
	text = drawn(&f, "s");
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		const char *bar = strchr(line, '|');

		if (!bar)
			continue;
		assert_int_equal(sscanf(strchr(bar + 1, '|') + 1, "%llu", &n), 1);
		seen += n;
		rows++;
	}
	assert_true(rows > 10 && rows <= 24);
	assert_int_equal(seen, h.count);
	free(text);
	hist_film_free(&f);
	hist_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_rows_and_heat),
		cmocka_unit_test(test_wide),
	};

	return cmocka_run_group_tests_name("cli_hist_draw", tests, NULL, NULL);
}
