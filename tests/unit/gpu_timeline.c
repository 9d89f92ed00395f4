// SPDX-License-Identifier: Apache-2.0
/* The timeline is valid JSON in Chrome's format, with every event where it belongs. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "gpu_world.h"

#include "base/cleanup.h"
#include "gpu/timeline.h"

struct world {
	struct registry *r;
	struct activity *a;
	struct timeline *t;
};

static void owner(void *ctx, uint32_t tgid, struct activity_owner *out)
{
	(void)ctx;
	(void)tgid;
	(void)out;
}

static void work(void *ctx, const struct activity_work *w)
{
	timeline_add(((struct world *)ctx)->t, w);
}

static const char *process(void *ctx, uint32_t tgid)
{
	(void)ctx;
	return tgid == 10 ? "llama \"server\"" : NULL;
}

static int open_world(void **state)
{
	const struct registry_config rc = { 0 };
	struct world *w = calloc(1, sizeof(*w));
	const struct activity_config c = {
		.owner = owner, .work = work, .ctx = w, .keep_names = true
	};

	w->r = registry_new(&rc);
	w->a = activity_new(w->r, &c);
	w->t = timeline_new(8);
	*state = w;
	return w->a && w->t ? 0 : -1;
}

static int close_world(void **state)
{
	struct world *w = *state;

	timeline_free(w->t);
	activity_free(w->a);
	registry_free(w->r);
	free(w);
	return 0;
}

/* The array of events, to be put. */
static json_t *written(struct world *w, uint64_t since_ns)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	json_t *all, *events;
	json_error_t error;

	assert_int_equal(timeline_write(w->t, f, since_ns, process, NULL), 0);
	fclose(f);
	all = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	if (!all)
		fail_msg("%s: %s", error.text, text);
	events = json_incref(json_object_get(all, "traceEvents"));
	json_decref(all);
	return events;
}

/* The nth event of that phase and name. NULL: there is none. */
static json_t *find(json_t *events, const char *phase, const char *name, size_t nth)
{
	json_t *e;
	size_t i;

	json_array_foreach(events, i, e)
		if (!strcmp(json_string_value(json_object_get(e, "ph")), phase) &&
		    !strcmp(json_string_value(json_object_get(e, "name")), name) && !nth--)
			return e;
	return NULL;
}

static double real(json_t *e, const char *key)
{
	return json_number_value(json_object_get(e, key));
}

static const char *name_of_track(json_t *events, json_t *event, const char *what)
{
	json_t *e;

	for (size_t i = 0; (e = find(events, "M", what, i)); i++)
		if (real(e, "pid") == real(event, "pid") && real(e, "tid") == real(event, "tid"))
			return json_string_value(
				json_object_get(json_object_get(e, "args"), "name"));
	return NULL;
}

static void test_events(void **state)
{
	struct world *w = *state;
	json_t *events, *e;

	tell_device(w->a, 10, 0, 1);
	tell_name(w->a, 10, 1, "_Z12rms_norm_f32ILi1024EEvPKfPfi");
	TELL(w->a, 10, { .kind = TKS_CUPTI_LAUNCH, .tid = 77, .correlation = 5, SPAN(1000, 1500) },
	     { .kind = TKS_CUPTI_KERNEL,
	       .stream = 7,
	       .name = 1,
	       .correlation = 5,
	       .bytes = 32,
	       SPAN(3001, 5002) },
	     { .kind = TKS_CUPTI_GRAPH,
	       .stream = 8,
	       .graph = 3,
	       .correlation = 6,
	       SPAN(6000, 9000) },
	     { .kind = TKS_CUPTI_MEMCPY,
	       .stream = 7,
	       .sub = TKS_CUPTI_DTOH,
	       .bytes = 64,
	       SPAN(9000, 9100) });
	TELL(w->a, 11, { .kind = TKS_CUPTI_MEMSET, .device = 2, .stream = 7, SPAN(9000, 9100) });
	events = written(w, 0);

	e = find(events, "X", "rms_norm_f32<1024>(float const*, float*, int)", 0);
	assert_non_null(e);
	check_near(real(e, "ts"), 2.001);
	check_near(real(e, "dur"), 2.001);
	assert_int_equal((int)real(e, "pid"), 10);
	assert_string_equal(name_of_track(events, e, "thread_name"), "GPU " UUID_1 " stream 7");
	assert_string_equal(name_of_track(events, e, "process_name"), "llama \"server\"");
	assert_string_equal(json_string_value(json_object_get(json_object_get(e, "args"), "class")),
			    "norm");
	assert_int_equal((int)real(json_object_get(e, "args"), "blocks"), 32);

	e = find(events, "X", "launch", 0);
	assert_string_equal(name_of_track(events, e, "thread_name"), "thread 77");
	assert_int_equal((int)real(e, "ts"), 0);
	assert_string_equal(
		json_string_value(json_object_get(find(events, "s", "launch", 0), "id")), "10:5");
	assert_string_equal(
		json_string_value(json_object_get(find(events, "f", "launch", 0), "id")), "10:5");

	e = find(events, "X", "graph 3", 0);
	assert_string_equal(name_of_track(events, e, "thread_name"), "GPU " UUID_1 " stream 8");
	e = find(events, "X", "memcpy dtoh", 0);
	assert_int_equal((int)real(json_object_get(e, "args"), "bytes"), 64);
	e = find(events, "X", "memset", 0);
	assert_string_equal(name_of_track(events, e, "thread_name"), "GPU 2 stream 7");
	assert_null(name_of_track(events, e, "process_name"));
	json_decref(events);
}

/* Only the latest are kept; what ended before `since` is not shown. */
static void test_bounded(void **state)
{
	struct world *w = *state;
	struct timeline_stats stats;
	json_t *events;

	for (uint64_t i = 0; i < 11; i++)
		TELL(w->a, 10,
		     { .kind = TKS_CUPTI_GRAPH, .graph = i, SPAN(i * 100, i * 100 + 50) });
	timeline_get_stats(w->t, &stats);
	assert_int_equal(stats.events, 8);
	assert_int_equal(stats.dropped, 3);
	events = written(w, 0);
	assert_null(find(events, "X", "graph 2", 0));
	assert_int_equal((int)(real(find(events, "X", "graph 10", 0), "ts") * 1000 + 0.5), 700);
	json_decref(events);
	events = written(w, NOW - 1000 * MS + 550);
	assert_null(find(events, "X", "graph 4", 0));
	assert_non_null(find(events, "X", "graph 5", 0));
	json_decref(events);
}

/* Whatever a process calls its kernels. */
static void test_hostile_name(void **state)
{
	struct world *w = *state;
	json_t *events;

	tell_name(w->a, 10, 1, "a\"b\\\n\xff\xc3");
	TELL(w->a, 10, { .kind = TKS_CUPTI_KERNEL, .name = 1, SPAN(0, 1) },
	     { .kind = TKS_CUPTI_KERNEL, .name = 2, SPAN(1, 2) });
	events = written(w, 0);
	assert_non_null(find(events, "X", "a\"b\\\n??", 0));
	assert_non_null(find(events, "X", "kernel", 0));
	json_decref(events);
}

static void test_empty(void **state)
{
	json_t *events = written(*state, 0);

	assert_int_equal(json_array_size(events), 1);
	json_decref(events);
}

static void test_full_disk(void **state)
{
	struct world *w = *state;
	FILE *f = fopen("/dev/full", "we");

	setvbuf(f, NULL, _IONBF, 0);
	TELL(w->a, 10, { .kind = TKS_CUPTI_GRAPH, SPAN(0, 1) });
	assert_int_equal(timeline_write(w->t, f, 0, process, NULL), -EIO);
	fclose(f);
}

#define in_world(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_world(test_events), in_world(test_bounded),	 in_world(test_hostile_name),
		in_world(test_empty),  in_world(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
