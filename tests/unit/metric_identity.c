// SPDX-License-Identifier: Apache-2.0
/* Who series belong to: resources, labels that change later, exemplars. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "metric/registry.h"

#define VALUES(...) ((const char *const[METRIC_LABELS_MAX]){ __VA_ARGS__ })

static struct registry *new_registry(void)
{
	struct registry *r = registry_new(&(struct registry_config){ 0 });

	assert_non_null(r);
	return r;
}

static struct snapshot *snap(struct registry *r)
{
	struct snapshot *s = registry_snapshot(r);

	assert_non_null(s);
	return s;
}

static void test_resource(void **state)
{
	const struct attribute attributes[] = { { "service.name", "chat", 0 },
						{ "container.id", "", 0 },
						{ "process.pid", NULL, 42 } };
	struct resource *r = resource_new(attributes, 3);

	(void)state;
	assert_non_null(r);
	assert_int_equal(r->count, 2);
	assert_string_equal(resource_text(r, "service.name"), "chat");
	assert_ptr_not_equal(resource_text(r, "service.name"), attributes[0].text);
	assert_null(resource_text(r, "container.id"));
	assert_null(resource_text(r, "process.pid"));
	assert_int_equal(r->attributes[1].number, 42);
	assert_null(resource_text(NULL, "service.name"));
	assert_ptr_equal(resource_get(r), r);
	resource_put(r);
	resource_put(r);
	resource_put(NULL);
}

static struct resource *named(const char *name)
{
	struct resource *r = resource_new(&(struct attribute){ "service.name", name, 0 }, 1);

	assert_non_null(r);
	return r;
}

static void describe(struct registry *r, uint32_t owner, const char *name)
{
	struct resource *resource = named(name);

	registry_describe(r, owner, resource);
	resource_put(resource);
}

static void test_owners(void **state)
{
	struct registry *r = new_registry();
	struct snapshot *s;
	struct resource *kept;

	(void)state;
	describe(r, 7, "old");
	describe(r, 3, "three");
	describe(r, 0, "agent");
	describe(r, 7, "seven");
	registry_add(r, M_REQUESTS, 7, VALUES("seven"), 1);
	s = snap(r);
	assert_int_equal(s->owner_count, 3);
	assert_int_equal(s->families[M_REQUESTS].series[0].owner, 7);
	kept = registry_resource(r, 3);
	assert_null(registry_resource(r, 8));
	registry_retire(r, 7);
	registry_retire(r, 3);
	/* What a snapshot or a caller holds outlives the server. */
	assert_string_equal(resource_text(snapshot_resource(s, 0), "service.name"), "agent");
	assert_string_equal(resource_text(snapshot_resource(s, 3), "service.name"), "three");
	assert_string_equal(resource_text(snapshot_resource(s, 7), "service.name"), "seven");
	assert_null(snapshot_resource(s, 8));
	assert_string_equal(resource_text(kept, "service.name"), "three");
	resource_put(kept);
	snapshot_free(s);
	s = snap(r);
	assert_int_equal(s->owner_count, 1);
	snapshot_free(s);
	registry_free(r);
}

static void test_relabel(void **state)
{
	struct registry *r = new_registry();
	const struct snapshot_family *f;
	struct snapshot *s;

	(void)state;
	registry_add(r, M_STREAM_EVENTS, 1,
		     VALUES("a", "id", NULL, NULL, NULL, NULL, NULL, "content"), 5);
	registry_add(r, M_STREAM_EVENTS, 2,
		     VALUES("a", "id2", NULL, NULL, NULL, NULL, NULL, "content"), 7);
	registry_add(r, M_STREAM_EVENTS, 1,
		     VALUES("b", "pod", NULL, NULL, NULL, NULL, NULL, "content"), 1);
	registry_observe(r, M_NET_RTT, 1, VALUES("a", "id"), 0.5);
	registry_set(r, M_PROBE_ATTACHED, 1, VALUES("a"),
		     1); /* its first label is none of a server */
	registry_relabel(r, 1, VALUES("b", "pod"), 2);
	s = snap(r);
	f = &s->families[M_STREAM_EVENTS];
	assert_int_equal(f->count, 2);
	assert_string_equal(f->series[0].values[1], "id2");
	assert_true(f->series[0].value == 7);
	/* The series that had the name already is added to. */
	assert_string_equal(f->series[1].values[0], "b");
	assert_string_equal(f->series[1].values[7], "content");
	assert_true(f->series[1].value == 6);
	f = &s->families[M_NET_RTT];
	assert_int_equal(f->count, 1);
	assert_string_equal(f->series[0].values[1], "pod");
	assert_int_equal(f->series[0].hist.count, 1);
	assert_int_equal(f->series[0].owner, 1);
	assert_string_equal(s->families[M_PROBE_ATTACHED].series[0].values[0], "a");
	snapshot_free(s);
	registry_free(r);
}

static void test_exemplars(void **state)
{
	const struct exemplar first = {
		.trace_id = "01", .span_id = "a", .value = 0.06, .time_ns = 1
	};
	const struct exemplar second = {
		.trace_id = "02", .span_id = "b", .value = 0.07, .time_ns = 2
	};
	const struct exemplar above = {
		.trace_id = "03", .span_id = "c", .value = 1000, .time_ns = 3
	};
	struct registry *r = new_registry();
	const struct snapshot_series *series;
	struct snapshot *s;

	(void)state;
	registry_observe(r, M_TIME_TO_FIRST_TOKEN, 1, VALUES("x"), 0.06);
	registry_observe(r, M_TIME_TO_FIRST_TOKEN, 1, VALUES("y"), 0.06);
	registry_exemplar(r, M_TIME_TO_FIRST_TOKEN, VALUES("x"), &first);
	registry_exemplar(r, M_TIME_TO_FIRST_TOKEN, VALUES("x"), &second);
	registry_exemplar(r, M_TIME_TO_FIRST_TOKEN, VALUES("x"), &above);
	registry_exemplar(r, M_TIME_TO_FIRST_TOKEN, VALUES("z"), &above);
	registry_exemplar(r, M_REQUESTS, VALUES("x"), &above);
	s = snap(r);
	assert_int_equal(s->families[M_TIME_TO_FIRST_TOKEN].count, 2);
	series = &s->families[M_TIME_TO_FIRST_TOKEN].series[0];
	assert_non_null(series->exemplars);
	for (size_t i = 0; i <= series->hist.bounds->count; i++) {
		const char *want = i == series->hist.bounds->count ? "03" : "";

		/* 0.06 is a boundary: the value 0.06 is below it, 0.07 above. */
		if (i < series->hist.bounds->count && series->hist.bounds->le[i] == 0.06)
			want = "01";
		if (i < series->hist.bounds->count && series->hist.bounds->le[i] == 0.08)
			want = "02";
		assert_string_equal(series->exemplars[i].trace_id, want);
	}
	assert_null(s->families[M_TIME_TO_FIRST_TOKEN].series[1].exemplars);
	snapshot_free(s);
	registry_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resource),
		cmocka_unit_test(test_owners),
		cmocka_unit_test(test_relabel),
		cmocka_unit_test(test_exemplars),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
