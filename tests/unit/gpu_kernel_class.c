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
#include "tks_cupti.h"

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

/* "_Z1f1A" and the first type, then `times` types, each of the form with both references to the type before it. */
static void doubling(char name[TKS_CUPTI_NAME_MAX + 1], const char *form, size_t times)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t n = sprintf(name, "_Z1f1AIiiiE");

	for (size_t i = 0; i < times; i++)
		n += sprintf(name + n, form, digits[i], digits[i]);
}

/* What stands for more than anybody can print is cut, and costs no more than what is printed. */
static void test_pretty_bounded(void **state)
{
	static const char form[] = "S_IS%c_S%c_E";
	char name[TKS_CUPTI_NAME_MAX + 1];

	(void)state;
	for (size_t times = 1; times <= 36; times++) {
		_cleanup_free_ char *got = NULL;

		doubling(name, form, times);
		got = kernel_name_pretty(name);
		assert_memory_equal(got, "f(A<int, int, int>, A<A<int, int, int>", 38);
		assert_int_equal(strlen(got) == KERNEL_PRETTY_MAX, times > 6);
		assert_int_equal(!strcmp(got + strlen(got) - 3, "..."), times > 6);
	}
}

/* A pack expansion is searched for packs wherever its references lead, and nothing is printed meanwhile. */
static void test_pretty_hidden_work(void **state)
{
	static const char *const forms[] = { "DpS_IS%c_S%c_E", "S_IJJS%c_EES%c_E",
					     "S_IcvS%c_S%c_E" };
	char name[TKS_CUPTI_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		_cleanup_free_ char *some = NULL, *got = NULL;

		doubling(name, forms[i], 3);
		some = kernel_name_pretty(name);
		assert_memory_equal(some, "f(A<int, int, int>, ", 20);
		doubling(name, forms[i], 25);
		got = kernel_name_pretty(name);
		assert_string_equal(got, name);
	}
}

/* Few references are harmless, and long names of real kernels have many. */
static void test_pretty_references(void **state)
{
	static const struct {
		const char *name, *want;
	} cases[] = {
		{ "_Z3addIJifEEvDpT_", "add<int, float>(int, float)" },
		{ "_ZN7cutlass13device_kernelINS_4gemm6kernel13GemmUniversalIN4cute5tupleIJiiiiEEENS1_"
		  "10collective13CollectiveMmaINS1_34MainloopSm90TmaGmmaWarpSpecializedILi4ENS5_IJNS4_"
		  "1CILi2EEENSA_ILi1EEESC_EEENS1_24KernelTmaWarpSpecializedEEENS5_IJNSA_ILi128EEESG_NSA_"
		  "ILi64EEEEEENS_10bfloat16_tENS5_IJlSC_lEEESJ_SK_EEvEEEEvNT_6ParamsE",
		  "cutlass::device_kernel<cutlass::gemm::kernel::GemmUniversal<cute::tuple<" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *got = kernel_name_pretty(cases[i].name);

		assert_memory_equal(got, cases[i].want, strlen(cases[i].want));
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

/* Nobody's names are kept out by those that another process makes up. */
static void test_quota(void **state)
{
	struct kernel_names *n = kernel_names_new(16, false);

	(void)state;
	for (uint32_t id = 0; id < 100; id++)
		kernel_names_told(n, 1, id, "rms_norm", 8);
	assert_int_equal(refused(n), 96);
	kernel_names_told(n, 2, 7, "my_gemm", 7);
	assert_int_equal(kernel_names_find(n, 2, 7)->class, KERNEL_GEMM);
	kernel_names_process_gone(n, 1);
	kernel_names_told(n, 1, 99, "rms_norm", 8);
	assert_non_null(kernel_names_find(n, 1, 99));
	assert_int_equal(refused(n), 96);
	kernel_names_free(n);
}

/* As each is, each minute. */
static void test_told_again(void **state)
{
	struct kernel_names *n = kernel_names_new(2, true);
	const char *text;

	(void)state;
	kernel_names_told(n, 1, 7, "rms_norm", 8);
	text = kernel_names_find(n, 1, 7)->text;
	kernel_names_told(n, 1, 7, "rms_norm", 8);
	assert_ptr_equal(kernel_names_find(n, 1, 7)->text, text); /* nothing was done */
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
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_demangled),
		cmocka_unit_test(test_pretty),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_not_kept),
		cmocka_unit_test(test_quota),
		cmocka_unit_test(test_told_again),
		cmocka_unit_test(test_pretty_bounded),
		cmocka_unit_test(test_pretty_hidden_work),
		cmocka_unit_test(test_pretty_references),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
