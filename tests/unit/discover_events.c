// SPDX-License-Identifier: Apache-2.0
/* How servers come, change and go: by kernel events, by time, by what a later scan finds. */
#include "discover_world.h"

/* ------------------------------------------------------------------ later */

static void test_listens_later(void **state)
{
	struct world *w = *state;

	assert_int_equal(scan(w), 0);
	tree_process(&w->tree, 10, 1, "/usr/bin/llama-server", "llama-server");
	tree_fd(&w->tree, 10, 3,
		500); /* not in net/tcp yet: the event comes from inside listen() */
	event_listen(w, 10, 8080, 500);
	assert_int_equal(w->found, 1);
	assert_true(w->selected[10]);
	assert_int_equal(resolve(w, 10, "127.0.0.1", 8080), 1);
}

static void test_engine_mapped_late(void **state)
{
	struct world *w = *state;

	assert_int_equal(scan(w), 0);
	tree_process(&w->tree, 10, 1, "/usr/bin/python3", "python3 my.py");
	tree_listen(&w->tree, 10, 8080, 500);
	event_listen(w, 10, 8080, 500);
	tick(w, 100 * MS);
	tick(w, 300 * MS);
	tick(w, 1000 * MS);
	assert_int_equal(w->found, 0);
	tree_file(&w->tree, 10, "maps", "1-2 r-xp 0 08:01 1 /v/vllm/_C.abi3.so\n");
	tick(w, 2900 * MS); /* the next look is 3 s after the last */
	assert_int_equal(w->found, 0);
	tick(w, 100 * MS);
	assert_int_equal(w->found, 1);
	assert_string_equal(server(w, 0)->reason, "maps _C.abi3.so");
}

static void test_without_events(void **state)
{
	struct world *w = *state;

	assert_int_equal(scan(w), 0);
	tree_process(&w->tree, 10, 1, "/usr/bin/bash", "bash");
	tick(w, 10 * SEC);
	tree_exec(&w->tree, 10, "/usr/bin/python3", "python3 -m sglang.launch_server");
	tree_listen(&w->tree, 10, 30000, 500);
	tick(w, 9 * SEC);
	assert_int_equal(w->found, 0);
	tick(w, 1 * SEC);
	assert_int_equal(w->found, 1);
	assert_string_equal(server(w, 0)->engine, "sglang");
	tree_exit(&w->tree, 10);
	tick(w, 10 * SEC);
	assert_int_equal(server(w, 0)->gone_ns, w->now);
	assert_false(w->selected[10]);
}

static void test_unix_listener_in_a_second(void **state)
{
	struct world *w = *state;

	tree_folder(&w->tree, "self");
	tree_folder(&w->tree, "self/ns");
	tree_link(&w->tree, "self/ns/net", "net:[4026531840]");
	tree_link(&w->tree, "self/net", "../net-4026531840");
	assert_int_equal(scan(w), 0);
	tree_process(&w->tree, 10, 1, "/usr/bin/llama-server", "llama-server --host /run/l.sock");
	tree_unix(&w->tree, HOST_NS, "00010000", 600, "/run/l.sock");
	tree_fd(&w->tree, 10, 3, 600);
	tick(w, 1 * SEC);
	assert_int_equal(w->found, 1);
	assert_string_equal(server(w, 0)->address, "/run/l.sock");
	assert_int_equal(resolve(w, 10, NULL, 0), 1);
}

static void test_fork_exec_exit(void **state)
{
	struct world *w = *state;

	tree_process(&w->tree, 10, 1, "/usr/bin/ollama", "ollama serve");
	tree_listen(&w->tree, 10, 11434, 500);
	assert_int_equal(scan(w), 1);
	tree_process(&w->tree, 11, 10, "/usr/bin/ollama", "ollama serve");
	event(w, TKS_PROC_FORK, 10, 11);
	assert_int_equal(server(w, 0)->processes, 2);
	tree_exec(&w->tree, 11, "/usr/lib/ollama/llama-server", "llama-server --port 40001");
	event(w, TKS_PROC_EXEC, 11, 0);
	tree_listen(&w->tree, 11, 40001, 501);
	event_listen(w, 11, 40001, 501);
	tick(w, 100 * MS);
	assert_int_equal(w->found, 1);
	assert_int_equal(server(w, 0)->processes, 2);
	assert_int_equal(w->selects, 1); /* the kernel has selected the child itself */
	assert_int_equal(w->unselects, 0);
	event(w, TKS_PROC_FORK, 10, 12); /* gone before it could be looked at */
	event(w, TKS_PROC_EXIT, 12, 0);
	tree_exit(&w->tree, 11);
	event(w, TKS_PROC_EXIT, 11, 0);
	assert_int_equal(server(w, 0)->processes, 1);
	assert_int_equal(server(w, 0)->gone_ns, 0);
	assert_false(w->selected[11]);
}

static void test_exec_into_something_else(void **state)
{
	struct world *w = *state;

	tree_process(&w->tree, 10, 1, "/usr/bin/llama-server", "llama-server");
	tree_listen(&w->tree, 10, 8080, 500);
	assert_int_equal(scan(w), 1);
	tree_exit(&w->tree, 10);
	tree_process(&w->tree, 10, 1, "/usr/bin/cat", "cat"); /* the same pid and start time */
	event(w, TKS_PROC_EXEC, 10, 0);
	assert_false(w->selected[10]);
	assert_int_equal(server(w, 0)->gone_ns, w->now);
	assert_int_equal(server(w, 0)->processes, 0);
}

static void test_restart_and_retire(void **state)
{
	struct world *w = *state;
	uint64_t gone;

	tree_process(&w->tree, 10, 1, "/usr/bin/llama-server", "llama-server");
	tree_listen(&w->tree, 10, 8080, 500);
	assert_int_equal(scan(w), 1);
	tree_exit(&w->tree, 10);
	event(w, TKS_PROC_EXIT, 10, 0);
	gone = w->now;
	assert_int_equal(server(w, 0)->gone_ns, gone);
	assert_int_equal(resolve(w, 10, "127.0.0.1", 8080), 1); /* its last records come late */
	w->now += SEC;
	tree_process(&w->tree, 20, 1, "/usr/bin/llama-server", "llama-server");
	tree_listen(&w->tree, 20, 8080, 501);
	event_listen(w, 20, 8080, 501);
	assert_int_equal(server(w, 1)->id, 2);
	assert_string_equal(server(w, 1)->instance_id, "host:20:2000");
	assert_int_equal(resolve(w, 10, "127.0.0.1", 8080), 2);
	assert_int_equal(resolve(w, 20, "127.0.0.1", 8080), 2);
	tick(w, 299 * SEC - MS);
	assert_int_equal(w->retired, 0);
	tick(w, MS);
	assert_int_equal(w->retired, 1);
	assert_int_equal(server(w, 0)->id, 2);
	assert_int_equal(resolve(w, 20, "127.0.0.1", 8080), 2);
}

/* A server that is gone has the exact address, one that lives the wildcard. */
static void test_restart_at_another_address(void **state)
{
	struct world *w = *state;

	tree_process(&w->tree, 10, 1, "/usr/bin/llama-server", "llama-server");
	tree_listen(&w->tree, 10, 8080, 500);
	assert_int_equal(scan(w), 1);
	tree_exit(&w->tree, 10);
	event(w, TKS_PROC_EXIT, 10, 0);
	tree_process(&w->tree, 20, 1, "/usr/bin/llama-server", "llama-server");
	tree_tcp(&w->tree, HOST_NS, "00000000", 8080, "0A", 501);
	tree_fd(&w->tree, 20, 3, 501);
	assert_int_equal(discovery_scan(w->d, w->now), 2);
	assert_int_equal(resolve(w, 99, "127.0.0.1", 8080), 2);
}

/* The old process has closed its listener but still drains connections when the new one listens. */
static void test_successor_while_the_old_drains(void **state)
{
	struct world *w = *state;
	char fd[256];

	tree_process(&w->tree, 10, 1, "/usr/bin/llama-server", "llama-server");
	tree_listen(&w->tree, 10, 8080, 500);
	assert_int_equal(scan(w), 1);
	tree_path(&w->tree, fd, "10/fd/3");
	assert_int_equal(unlink(fd), 0);
	tree_process(&w->tree, 20, 1, "/usr/bin/llama-server", "llama-server");
	tree_listen(&w->tree, 20, 8080, 501);
	event_listen(w, 20, 8080, 501);
	assert_int_equal(w->found, 2);
	assert_int_equal(resolve(w, 10, "127.0.0.1", 8080), 1);
	assert_int_equal(resolve(w, 20, "127.0.0.1", 8080), 2);
	assert_int_equal(resolve(w, 99, "127.0.0.1", 8080), 2);
}

static void test_pid_is_used_again(void **state)
{
	struct world *w = *state;

	tree_process(&w->tree, 10, 1, "/usr/bin/llama-server", "llama-server");
	tree_listen(&w->tree, 10, 8080, 500);
	assert_int_equal(scan(w), 1);
	tree_exit(&w->tree, 10);
	tree_process(&w->tree, 10, 1, "/usr/bin/cat", "cat");
	tree_stat(&w->tree, 10, 1, 5555, "cat", 'S');
	tick(w, 10 * SEC);
	assert_false(w->selected[10]);
	assert_int_equal(server(w, 0)->gone_ns, w->now);
}

static void test_select_fails(void **state)
{
	struct world *w = *state;

	tree_process(&w->tree, 10, 1, "/usr/bin/llama-server", "llama-server");
	tree_listen(&w->tree, 10, 8080, 500);
	w->select_result = -E2BIG;
	assert_int_equal(scan(w), 1); /* it is a server all the same */
	w->select_result = 0;
	tick(w, 10 * SEC);
	assert_true(w->selected[10]);
	assert_int_equal(w->selects, 2);
}

static void test_no_proc(void **state)
{
	struct world *w = *state;
	struct tree tree = w->tree;

	strcpy(w->tree.root, "/nonexistent");
	assert_int_equal(scan(w), -ENOENT);
	event_listen(w, 10, 8080, 500);
	tick(w, SEC);
	assert_null(server(w, 0));
	w->tree = tree;
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_listens_later),
		T(test_engine_mapped_late),
		T(test_without_events),
		T(test_unix_listener_in_a_second),
		T(test_fork_exec_exit),
		T(test_exec_into_something_else),
		T(test_restart_and_retire),
		T(test_restart_at_another_address),
		T(test_successor_while_the_old_drains),
		T(test_pid_is_used_again),
		T(test_select_fails),
		T(test_no_proc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
