// SPDX-License-Identifier: Apache-2.0
/* Passwords and what is remembered of them. The hash is of "fakepassword". */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "export/web_auth.h"

#define TAIL  "$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"
#define OTHER "$2y$04$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"

static struct web_pair items[] = {
	{ "alice", "$2y" TAIL },
	{ "bob", "$2b" TAIL },
	{ "carol", "$2a" TAIL },
	{ "dave", OTHER },
};
static const struct web_pairs users = { items, 4 };

static void test_passwords(void **state)
{
	struct web_auth *a = web_auth_new();

	(void)state;
	assert_true(web_auth_check(a, &users, "alice", "fakepassword"));
	assert_true(web_auth_check(a, &users, "bob", "fakepassword"));
	assert_true(web_auth_check(a, &users, "carol", "fakepassword"));
	assert_false(web_auth_check(a, &users, "dave", "fakepassword"));
	assert_false(web_auth_check(a, &users, "alice", "fakepasswor"));
	assert_false(web_auth_check(a, &users, "alice", ""));
	assert_false(web_auth_check(a, &users, "Alice", "fakepassword"));
	assert_false(web_auth_check(a, &users, "", ""));
	assert_false(web_auth_check(a, &(struct web_pairs){ 0 }, "alice", "fakepassword"));
	web_auth_free(a);
}

/* bcrypt is computed once for each name, hash and password; also where there is no such name. */
static void test_kept(void **state)
{
	struct web_auth *a = web_auth_new();
	struct web_pair changed = { "alice", OTHER };

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_true(web_auth_check(a, &users, "alice", "fakepassword"));
		assert_false(web_auth_check(a, &users, "alice", "x"));
		assert_false(web_auth_check(a, &users, "mallory", "fakepassword"));
	}
	assert_int_equal(web_auth_computed(a), 3);
	assert_false(
		web_auth_check(a, &(struct web_pairs){ &changed, 1 }, "alice", "fakepassword"));
	assert_int_equal(web_auth_computed(a), 4);
	/* Taken off the list: what was right of alice is not right of nobody with bob's hash. */
	assert_false(
		web_auth_check(a, &(struct web_pairs){ &items[1], 1 }, "alice", "fakepassword"));
	web_auth_free(a);
}

/* Guesses do not push out what is right, and each of the oldest is forgotten. */
static void test_bounded(void **state)
{
	const struct web_pairs cheap = { &items[3], 1 };
	struct web_auth *a = web_auth_new();
	char guess[32];

	(void)state;
	assert_true(web_auth_check(a, &users, "alice", "fakepassword"));
	for (int i = 0; i < 100; i++) {
		snprintf(guess, sizeof(guess), "guess %d", i);
		assert_false(web_auth_check(a, &cheap, "dave", guess));
	}
	assert_int_equal(web_auth_computed(a), 101);
	assert_false(web_auth_check(a, &cheap, "dave", "guess 99"));
	assert_true(web_auth_check(a, &users, "alice", "fakepassword"));
	assert_int_equal(web_auth_computed(a), 101);
	assert_false(web_auth_check(a, &cheap, "dave", "guess 0"));
	assert_int_equal(web_auth_computed(a), 102);
	web_auth_free(a);
}

static void test_cost(void **state)
{
	(void)state;
	assert_int_equal(web_auth_cost("$2y" TAIL), 10);
	assert_int_equal(web_auth_cost(OTHER), 4);
	assert_int_equal(web_auth_cost("$2x" TAIL), -EINVAL);
	assert_int_equal(
		web_auth_cost("$2y$1a$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"),
		-EINVAL);
	assert_int_equal(
		web_auth_cost("$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeS!"),
		-EINVAL);
	assert_int_equal(web_auth_cost(""), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_passwords),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
