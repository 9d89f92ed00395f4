// SPDX-License-Identifier: Apache-2.0
/* Classes of real kernels (tests/golden/gpu/kernel_names.tsv), and the table of names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "gpu/kernel_names.h"

#define GOLDEN "tests/golden/gpu/kernel_names.tsv"

static void test_golden(void **state)
{
	_cleanup_fclose_ FILE *f = fopen(GOLDEN, "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0, count = 0, wrong = 0;

	(void)state;
	assert_non_null(f);
	while (getline(&line, &size, f) > 0) {
		char *tab = strchr(line, '\t');
		const char *got;

		if (line[0] == '#')
			continue;
		assert_non_null(tab);
		*tab = '\0';
		tab[1 + strcspn(tab + 1, "\n")] = '\0';
		got = kernel_class_label(kernel_class_of(tab + 1));
		if (strcmp(got, line) != 0) {
			print_error("%s, not %s: %s\n", got, line, tab + 1);
			wrong++;
		}
		count++;
	}
	assert_int_equal(wrong, 0);
	assert_int_equal(count, 94);
}

/* A name and what it demangles to are of one class. */
static void test_demangled(void **state)
{
	_cleanup_fclose_ FILE *f = fopen(GOLDEN, "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0, changed = 0;

	(void)state;
	assert_non_null(f);
	while (getline(&line, &size, f) > 0) {
		_cleanup_free_ char *plain = NULL;
		char *name = strchr(line, '\t');

		if (line[0] == '#' || !name)
			continue;
		*strchr(++name, '\n') = '\0';
		plain = kernel_name_pretty(name);
		assert_non_null(plain);
		changed += strcmp(plain, name) != 0;
		assert_string_equal(kernel_class_label(kernel_class_of(plain)),
				    kernel_class_label(kernel_class_of(name)));
	}
	assert_true(changed >= 5);
}

static void test_pretty(void **state)
{
	static const struct {
		const char *name, *want;
	} cases[] = {
		{ "_Z12rms_norm_f32ILi1024EEvPKfPfi",
		  "rms_norm_f32<1024>(float const*, float*, int)" },
		{ "nvjet_hsh_128x256", "nvjet_hsh_128x256" },
		{ "_Znonsense", "_Znonsense" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *got = kernel_name_pretty(cases[i].name);

		assert_string_equal(got, cases[i].want);
	}
}

static uint64_t refused(const struct kernel_names *n)
{
	struct kernel_names_stats stats;

	kernel_names_get_stats(n, &stats);
	return stats.refused;
}

static void test_table(void **state)
{
	struct kernel_names *n = kernel_names_new(2, true);

	(void)state;
	kernel_names_told(n, 1, 7, "my_gemm_and_more", 7);
	kernel_names_told(n, 2, 7, "ncclDevKernel", 13);
	assert_string_equal(kernel_names_find(n, 1, 7)->text, "my_gemm");
	assert_int_equal(kernel_names_find(n, 1, 7)->class, KERNEL_GEMM);
	assert_int_equal(kernel_names_find(n, 2, 7)->class, KERNEL_COMM);
	assert_null(kernel_names_find(n, 1, 8));

	kernel_names_told(n, 1, 8, "memcpy", 6);
	assert_null(kernel_names_find(n, 1, 8));
	assert_int_equal(refused(n), 1);
	kernel_names_told(n, 1, 7, "rms_norm", 8);
	assert_int_equal(kernel_names_find(n, 1, 7)->class, KERNEL_NORM);
	assert_int_equal(refused(n), 1);

	kernel_names_process_gone(n, 1);
	assert_null(kernel_names_find(n, 1, 7));
	assert_non_null(kernel_names_find(n, 2, 7));
	kernel_names_free(n);
}

/* The agent needs no texts. */
static void test_not_kept(void **state)
{
	struct kernel_names *n = kernel_names_new(2, false);

	(void)state;
	kernel_names_told(n, 1, 7, "rms_norm", 8);
	assert_null(kernel_names_find(n, 1, 7)->text);
	assert_int_equal(kernel_names_find(n, 1, 7)->class, KERNEL_NORM);
	kernel_names_free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),	 cmocka_unit_test(test_demangled),
		cmocka_unit_test(test_pretty),	 cmocka_unit_test(test_table),
		cmocka_unit_test(test_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
