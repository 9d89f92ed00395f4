// SPDX-License-Identifier: Apache-2.0
/* Sites are kept by the file's identity: what is the same file is not parsed again, what has changed is. */
#include "probe_build.h"

#include "probe/cache.h"

static int ask(struct site_cache *c, const struct workshop *w, const char *file,
	       const char *pattern, uint64_t *offset)
{
	const struct target t = { .kind = TARGET_SYMBOL, .at = AT_ENTRY, .pattern = pattern };
	struct binary *b = open_built(w, file);
	struct sites sites = { 0 };
	int n = site_cache_resolve(c, b, &t, &sites);

	*offset = n > 0 ? sites.items[0].offset : 0;
	sites_free(&sites);
	binary_close(b);
	return n;
}

static void expect(const struct site_cache *c, uint64_t hits, uint64_t misses)
{
	struct site_cache_stats stats;

	site_cache_get_stats(c, &stats);
	assert_int_equal(stats.hits, hits);
	assert_int_equal(stats.misses, misses);
}

static void test_cache(void **state)
{
	const struct workshop *w = *state;
	struct site_cache *c = site_cache_new(3);
	struct site_cache_stats stats;
	uint64_t first, again;

	assert_non_null(c);
	build(w, "a.so", "", "int f(int a) { return a; }");
	assert_int_equal(ask(c, w, "a.so", "f", &first), 1);
	expect(c, 0, 1);
	assert_int_equal(ask(c, w, "a.so", "f", &again), 1);
	assert_int_equal(again, first);
	assert_true(first > 0);
	expect(c, 1, 1);
	assert_int_equal(ask(c, w, "a.so", "g", &again), 0);
	assert_int_equal(ask(c, w, "a.so", "g", &again), 0);
	expect(c, 2, 2);
	/* A copy with the same build-id, size and time is the same file; another time tells of a change. */
	run(w, "cp -p a.so b.so");
	assert_int_equal(ask(c, w, "b.so", "f", &again), 1);
	expect(c, 3, 2);
	run(w, "touch -d '2001-02-03' b.so");
	assert_int_equal(ask(c, w, "b.so", "f", &again), 1);
	expect(c, 3, 3);
	/* Without a build-id the place counts. */
	build(w, "c.so", "-Wl,--build-id=none", "int f(int a) { return a; }");
	run(w, "cp -p c.so d.so");
	assert_int_equal(ask(c, w, "c.so", "f", &again), 1);
	assert_int_equal(ask(c, w, "d.so", "f", &again), 1);
	expect(c, 3, 5);
	site_cache_get_stats(c, &stats);
	assert_int_equal(stats.entries, 3);
	assert_int_equal(stats.evicted, 2);
	site_cache_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cache),
	};

	return cmocka_run_group_tests(tests, workshop_open, workshop_close);
}
