// SPDX-License-Identifier: Apache-2.0
/* Which processes are a server, and which are part of one. */
#include "discover_world.h"

/* ------------------------------------------------------------------ found by a scan */

static void test_one_server(void **state)
{
	struct world *w = *state;
	const struct server *s;
	uint32_t pids[4];

	tree_process(&w->tree, 10, 1, "/usr/bin/llama-server", "llama-server -m x");
	tree_listen(&w->tree, 10, 8080, 500);
	tree_process(&w->tree, 11, 1, "/usr/sbin/sshd", "sshd");
	tree_listen(&w->tree, 11, 22, 501);
	assert_int_equal(scan(w), 1);
	s = server(w, 0);
	assert_int_equal(s->id, 1);
	assert_string_equal(s->engine, "llama.cpp");
	assert_string_equal(s->service_name, "llama.cpp");
	assert_string_equal(s->instance_id, "host:10:1000");
	assert_string_equal(s->address, "127.0.0.1");
	assert_string_equal(s->reason, "executable llama-server");
	assert_int_equal(s->port, 8080);
	assert_int_equal(s->netns, HOST_NS);
	assert_int_equal(s->pid, 10);
	assert_int_equal(s->processes, 1);
	assert_int_equal(s->gone_ns, 0);
	assert_null(server(w, 1));
	assert_true(w->selected[10]);
	assert_int_equal(w->selects, 1);
	assert_int_equal(w->found, 1);
	assert_int_equal(discovery_pids(w->d, 1, pids, 4), 1);
	assert_int_equal(pids[0], 10);
	assert_int_equal(discovery_scan(w->d, w->now), 1); /* nothing new */
	assert_int_equal(w->found + w->selects, 2);
}

static void test_by_its_libraries(void **state)
{
	struct world *w = *state;

	/* Any program that serves the library, and one that only uses it. */
	tree_process(&w->tree, 10, 1, "/opt/node", "node app.js");
	tree_file(&w->tree, 10, "maps", "1-2 r-xp 0 08:01 1 /app/libllama.so\n");
	tree_listen(&w->tree, 10, 3000, 500);
	tree_process(&w->tree, 11, 1, "/usr/bin/llama-cli", "llama-cli -m x");
	tree_file(&w->tree, 11, "maps", "1-2 r-xp 0 08:01 1 /usr/lib/libllama.so.0\n");
	assert_int_equal(scan(w), 1);
	assert_string_equal(server(w, 0)->reason, "maps libllama.so");
	assert_int_equal(server(w, 0)->pid, 10);
	assert_false(w->selected[11]);
}

/* Ports that the engine's rule names, and unix sockets beside a TCP port (ZMQ), are no servers. */
static void test_side_doors(void **state)
{
	struct world *w = *state;

	tree_process(&w->tree, 10, 1, "/opt/tritonserver", "tritonserver --metrics-port=9002");
	tree_listen(&w->tree, 10, 9002, 500);
	tree_listen(&w->tree, 10, 8000, 501);
	tree_unix(&w->tree, HOST_NS, "00010000", 600, "/tmp/zmq");
	tree_fd(&w->tree, 10, 9, 600);
	tree_process(&w->tree, 11, 1, "/usr/bin/llama-server", "llama-server");
	tree_unix(&w->tree, HOST_NS, "00010000", 601, "/run/l.sock");
	tree_fd(&w->tree, 11, 9, 601);
	assert_int_equal(scan(w), 2);
	assert_int_equal(server(w, 0)->port, 8000);
	assert_string_equal(server(w, 1)->address, "/run/l.sock");
	assert_int_equal(resolve(w, 10, "127.0.0.1", 9002), 1);
}

/* The unix sockets of an engine may be there before its API. */
static void test_side_door_opens_first(void **state)
{
	struct world *w = *state;

	tree_process(&w->tree, 10, 1, "/opt/tritonserver", "tritonserver");
	tree_unix(&w->tree, HOST_NS, "00010000", 600, "/tmp/zmq");
	tree_fd(&w->tree, 10, 9, 600);
	tree_process(&w->tree, 11, 10, "/opt/worker", "worker");
	assert_int_equal(scan(w), 1);
	assert_int_equal(server(w, 0)->processes, 2);
	tree_listen(&w->tree, 10, 8000, 501);
	discovery_scan(w->d, w->now);
	assert_int_equal(server(w, 1)->processes, 2);
	assert_int_equal(resolve(w, 11, NULL, 0), 2);
	assert_true(server(w, 0)->gone_ns > 0);
	assert_int_equal(server(w, 1)->port, 8000);
	assert_int_equal(server(w, 1)->gone_ns, 0);
	assert_int_equal(resolve(w, 10, NULL, 0), 2);
	assert_true(w->selected[10]);
}

static void test_two_ports(void **state)
{
	struct world *w = *state;

	tree_process(&w->tree, 10, 1, "/opt/tritonserver", "tritonserver");
	tree_listen(&w->tree, 10, 8000, 500);
	tree_listen(&w->tree, 10, 9000, 501);
	tree_process(&w->tree, 11, 10, "/opt/triton_python_backend_stub",
		     "triton_python_backend_stub");
	assert_int_equal(scan(w), 2);
	assert_int_equal(resolve(w, 10, "127.0.0.1", server(w, 0)->port), 1);
	assert_int_equal(resolve(w, 10, "127.0.0.1", server(w, 1)->port), 2);
	assert_int_equal(resolve(w, 10, "127.0.0.1", 44444), 1); /* a client socket of its own */
	assert_int_equal(resolve(w, 11, NULL, 0), 1);
	assert_int_equal(server(w, 1)->processes, 2);
}

static void test_workers_merge(void **state)
{
	struct world *w = *state;

	/* Forked workers share a socket; others have their own (SO_REUSEPORT), and no parent in common. */
	tree_process(&w->tree, 10, 1, "/usr/bin/python3", "python3 -m vllm.entrypoints.api_server");
	tree_listen(&w->tree, 10, 8000, 500);
	tree_process(&w->tree, 11, 10, "/usr/bin/python3",
		     "python3 -m vllm.entrypoints.api_server");
	tree_fd(&w->tree, 11, 3, 500);
	tree_process(&w->tree, 12, 1, "/usr/bin/python3", "python3 -m vllm.entrypoints.api_server");
	tree_listen(&w->tree, 12, 8000, 501);
	/* The engine listens too, on a rendezvous port. */
	tree_process(&w->tree, 13, 10, "/usr/bin/python3", "VLLM::EngineCore");
	tree_listen(&w->tree, 13, 29500, 502);
	tree_process(&w->tree, 14, 13, "/usr/bin/python3", "python3 -c spawn_main");
	tree_listen(&w->tree, 14, 29501, 503);
	assert_int_equal(scan(w), 1);
	assert_int_equal(server(w, 0)->pid, 10);
	assert_int_equal(server(w, 0)->processes, 5);
	for (uint32_t pid = 10; pid <= 14; pid++)
		assert_true(w->selected[pid]);
	assert_int_equal(resolve(w, 14, NULL, 0), 1);
}

/* Text Generation Inference: the launcher listens nowhere, shards on unix sockets, the router serves. */
static void test_launcher_joins(void **state)
{
	struct world *w = *state;

	tree_process(&w->tree, 10, 1, "/usr/bin/text-generation-launcher",
		     "text-generation-launcher");
	tree_process(&w->tree, 11, 10, "/usr/bin/python3",
		     "python3 /usr/bin/text-generation-server serve");
	tree_unix(&w->tree, HOST_NS, "00010000", 600, "/tmp/text-generation-server-0");
	tree_fd(&w->tree, 11, 3, 600);
	tree_process(&w->tree, 12, 10, "/usr/bin/text-generation-router", "text-generation-router");
	tree_listen(&w->tree, 12, 80, 500);
	assert_int_equal(scan(w), 1);
	assert_int_equal(server(w, 0)->pid, 12);
	assert_int_equal(server(w, 0)->processes, 3);
	assert_int_equal(resolve(w, 11, NULL, 0), 1);
}

static void test_runner_behind_its_parent(void **state)
{
	struct world *w = *state;

	tree_process(&w->tree, 10, 1, "/usr/bin/ollama", "ollama serve");
	tree_listen(&w->tree, 10, 11434, 500);
	tree_process(&w->tree, 11, 10, "/usr/lib/ollama/llama-server", "llama-server --port 40001");
	tree_listen(&w->tree, 11, 40001, 501);
	assert_int_equal(scan(w), 1);
	assert_string_equal(server(w, 0)->engine, "ollama");
	assert_true(w->selected[11]);
	assert_int_equal(resolve(w, 11, "127.0.0.1", 40001), 1);
}

static void test_namespaces_and_wildcards(void **state)
{
	struct world *w = *state;
	struct tks_sock sk = sock(CONTAINER_NS, "10.0.0.2", 8080);

	tree_process(&w->tree, 10, 1, "/usr/bin/llama-server", "llama-server");
	tree_tcp(&w->tree, HOST_NS, "00000000000000000000000000000000", 8080, "0A", 500);
	tree_fd(&w->tree, 10, 3, 500);
	tree_process(&w->tree, 11, 1, "/usr/bin/llama-server", "llama-server");
	tree_enter(&w->tree, 11, CONTAINER_NS);
	tree_tcp(&w->tree, CONTAINER_NS, "00000000", 8080, "0A", 501);
	tree_fd(&w->tree, 11, 3, 501);
	assert_int_equal(scan(w), 2);
	assert_string_equal(server(w, 0)->address, "::");
	assert_string_equal(server(w, 1)->address, "0.0.0.0");
	/* A process that is not known (it has ended): by the address alone. */
	assert_int_equal(resolve(w, 99, "192.0.2.1", 8080), 1);
	assert_int_equal(resolve(w, 99, "::ffff:192.0.2.1", 8080), 1);
	assert_int_equal(resolve(w, 99, "2001:db8::1", 8080), 1);
	assert_int_equal(resolve(w, 99, "192.0.2.1", 8081), 0);
	assert_int_equal(resolve(w, 99, NULL, 0), 0);
	assert_int_equal(discovery_resolve(w->d, 99, &sk)->id, 2);
}

/* ------------------------------------------------------------------ by hand */

static void test_by_port(void **state)
{
	struct world *w = *state;
	const uint16_t port = 8001;

	tree_process(&w->tree, 10, 1, "/usr/bin/llama-server", "llama-server");
	tree_listen(&w->tree, 10, 8000, 500);
	tree_process(&w->tree, 11, 1, "/usr/bin/python3", "python3 -m uvicorn app:app");
	tree_listen(&w->tree, 11, 8001, 501);
	tree_listen(&w->tree, 11, 8002, 502);
	tree_process(&w->tree, 12, 11, "/usr/bin/python3", "python3 -c spawn");
	assert_int_equal(scan_with(w, (struct discovery_config){ .ports = &port, .port_count = 1 }),
			 1);
	assert_string_equal(server(w, 0)->engine, "unknown");
	assert_string_equal(server(w, 0)->service_name, "python3");
	assert_string_equal(server(w, 0)->reason, "selected by --port 8001");
	assert_int_equal(server(w, 0)->processes, 2);
	assert_false(w->selected[10]);
	assert_true(w->selected[11] && w->selected[12]);
}

static void test_by_pid(void **state)
{
	struct world *w = *state;
	const uint32_t pids[] = { 10, getpid() };

	tree_process(&w->tree, 10, 1, "/usr/bin/thing", "thing");
	tree_process(&w->tree, 11, 10, "/usr/bin/part", "part");
	tree_process(&w->tree, getpid(), 1, "/usr/bin/tokscope", "tokscope agent");
	assert_int_equal(scan_with(w, (struct discovery_config){ .pids = pids, .pid_count = 2 }),
			 0);
	assert_true(w->selected[10] && w->selected[11]);
	assert_int_equal(w->selects, 2); /* and never ourselves */
	tree_unix(&w->tree, HOST_NS, "00010000", 600, "/run/thing");
	tree_fd(&w->tree, 10, 3, 600);
	tick(w, 11 * SEC);
	assert_string_equal(server(w, 0)->address, "/run/thing");
	assert_string_equal(server(w, 0)->reason, "selected by --pid 10");
	assert_int_equal(server(w, 0)->port, 0);
	assert_int_equal(server(w, 0)->processes, 2);
}

static void test_by_comm(void **state)
{
	struct world *w = *state;
	const char *const comm = "thing";

	tree_process(&w->tree, 10, 1, "/usr/bin/thing", "thing");
	tree_listen(&w->tree, 10, 8000, 500);
	tree_process(&w->tree, 11, 1, "/usr/bin/things", "things");
	tree_listen(&w->tree, 11, 8001, 501);
	assert_int_equal(scan_with(w, (struct discovery_config){ .comms = &comm, .comm_count = 1 }),
			 1);
	assert_string_equal(server(w, 0)->reason, "selected by --comm thing");
	assert_false(w->selected[11]);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_one_server),
		T(test_by_its_libraries),
		T(test_side_doors),
		T(test_side_door_opens_first),
		T(test_two_ports),
		T(test_workers_merge),
		T(test_launcher_joins),
		T(test_runner_behind_its_parent),
		T(test_namespaces_and_wildcards),
		T(test_by_port),
		T(test_by_pid),
		T(test_by_comm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
