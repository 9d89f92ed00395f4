// SPDX-License-Identifier: Apache-2.0
/* The configuration read again: what is taken over, what needs a restart, and what leaves everything as it was. */
#include "config_world.h"

#include <signal.h>

#include "cli/config_reload.h"
#include "cli/interrupt.h"

/* The agent as it runs; reload() has `now` read again and takes its place. */
static int reload(struct world *w)
{
	struct config fresh;
	int changed = config_reload(&w->config, &fresh);

	if (changed < 0) {
		config_free(&fresh);
		return changed;
	}
	config_free(&w->config);
	w->config = fresh;
	return changed;
}

static void test_nothing_has_changed(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w, "traces: {ratio: 0.5}\n");
	assert_int_equal(world_load(&w), 0);
	assert_int_equal(reload(&w), 0);
	world_write(&w, "# moved\ntraces:\n  ratio: 0.50\n");
	assert_int_equal(reload(&w), 0);
	assert_setting(&w, "traces.ratio", "0.5 FILE:3");
	world_end(&w);
}

static void test_changes(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w, "traces: {ratio: 0.5}\notlp: {headers: {a: old}}\n");
	world_word(&w, "--log-level");
	world_word(&w, "error");
	assert_int_equal(world_load(&w), 0);
	world_write(&w, "log_level: debug\ntraces: {ratio: 0.25}\notlp: {headers: {a: new}}\n");
	assert_int_equal(reload(&w), 2);
	assert_setting(&w, "traces.ratio", "0.25 FILE:2");
	assert_setting(&w, "otlp.headers", "{\"a\": \"new\"} FILE:3");
	assert_setting(&w, "log_level", "\"error\" --log-level");
	world_end(&w);
}

/* They stay what they are, however often the file is read again. */
static void test_what_needs_a_restart(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w, "select: {ports: [1, 2], comms: [a]}\n"
			"web: {listen_address: 127.0.0.1:1}\n"
			"capture: {ring_size: 1m, bpf_stats: true}\n");
	assert_int_equal(world_load(&w), 0);
	world_write(&w, "log_level: warn\n"
			"select: {ports: [3], comms: [b, c]}\n"
			"web: {listen_address: 127.0.0.1:2}\n"
			"capture: {ring_size: 2m}\n");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(reload(&w), i == 0);
		assert_setting(&w, "log_level", "\"warn\" FILE:1");
		assert_setting(&w, "select.ports", "[1, 2] FILE:1");
		assert_setting(&w, "select.comms", "[\"a\"] FILE:1");
		assert_setting(&w, "web.listen_address", "\"127.0.0.1:1\" FILE:2");
		assert_setting(&w, "capture.ring_size", "\"1m\" FILE:3");
		assert_setting(&w, "capture.bpf_stats", "true FILE:3");
	}
	world_end(&w);
}

static void test_a_wrong_file_changes_nothing(void **state)
{
	static const char *const wrong[] = {
		"traces: {ratio: 2}\n",
		"traces: {ratio: 1\n",
		"otlp: {endpoint: http://h:1, certificate: /nonexistent}\n",
		"otlp: {endpoint: http://h:1, client_key: /dev/null}\n",
		"gpu: {majors: x}\n",
	};
	struct world w;

	(void)state;
	world_begin(&w, "traces: {ratio: 0.5}\n");
	assert_int_equal(world_load(&w), 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		world_write(&w, wrong[i]);
		assert_int_equal(reload(&w), -EBADMSG);
		assert_setting(&w, "traces.ratio", "0.5 FILE:1");
	}
	world_end(&w);
}

static void test_hangup(void **state)
{
	(void)state;
	interrupt_catch_reload();
	assert_false(interrupt_reload());
	raise(SIGHUP);
	assert_true(interrupt_reload());
	assert_false(interrupt_reload());
	assert_false(interrupted());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_has_changed),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_what_needs_a_restart),
		cmocka_unit_test(test_a_wrong_file_changes_nothing),
		cmocka_unit_test(test_hangup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
