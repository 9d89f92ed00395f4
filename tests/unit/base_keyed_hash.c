// SPDX-License-Identifier: Apache-2.0
/* The hash of tables whose keys others choose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/keyed_hash.h"

#define ITEMS 1000

/* The values of CPython, whose strings have this hash: PYTHONHASHSEED=0 python3 -c 'print(hash(b"a"))'. */
static void test_siphash(void **state)
{
	static const struct {
		const char *text;
		uint64_t want;
	} cases[] = {
		{ "a", 0x407448d2b89b1813 },
		{ "abcdefg", 0x6db12aae9070f506 },
		{ "abcdefgh", 0x3f7b849c0b8e35ea },
		{ "abcdefghijklmnopq", 0x61c47e6da27eaccc },
	};
	const uint64_t key[2] = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(siphash13(key, cases[i].text, strlen(cases[i].text)),
				 cases[i].want);
}

struct item {
	uint64_t key;
	UT_hash_handle hh;
};

/* The next key from there on that uthash's own hash puts into the first of 4096 chains. */
static uint64_t colliding(uint64_t from)
{
	unsigned int hash;

	for (;; from++) {
		HASH_JEN(&from, sizeof(from), hash);
		if (!(hash & 4095))
			return from;
	}
}

static void test_chosen_keys(void **state)
{
	struct item *items = calloc(ITEMS, sizeof(*items)), *table = NULL;

	(void)state;
	assert_non_null(items);
	for (size_t i = 0; i < ITEMS; i++) {
		items[i].key = colliding(i ? items[i - 1].key + 1 : 0);
		HASH_ADD(hh, table, key, sizeof(items[i].key), &items[i]);
	}
	/* Some ten each, where uthash's own hash would have all in one. */
	for (unsigned int i = 0; i < table->hh.tbl->num_buckets; i++)
		assert_true(table->hh.tbl->buckets[i].count < 100);
	assert_int_equal(table->hh.tbl->noexpand, 0);
	HASH_CLEAR(hh, table);
	free(items);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_siphash),
		cmocka_unit_test(test_chosen_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
