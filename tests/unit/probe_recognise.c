// SPDX-License-Identifier: Apache-2.0
/* The rules of the built-in packs: what is taken for an inference server, and what is not. */
#include "discover_tree.h"

#include "discover/engine.h"
#include "probe/pack.h"

static struct packs packs;
static struct engine_rules rules;

static bool match(struct engine_match *m, const char *exe, const char *cmdline)
{
	const char *argv[32];
	char words[512];
	int argc = 0;

	snprintf(words, sizeof(words), "%s", cmdline);
	for (char *w = strtok(words, " "); w; w = strtok(NULL, " "))
		argv[argc++] = w;
	return engine_match_program(m, &rules, exe, argv, argc);
}

static void test_servers(void **state)
{
	static const struct {
		const char *exe, *cmdline, *engine, *reason;
	} rows[] = {
		{ "/srv/root/usr/bin/llama-server", "/usr/bin/llama-server -m x", "llama.cpp",
		  "executable llama-server" },
		{ "/r/ld-linux-x86-64.so.2",
		  "/r/ld-linux-x86-64.so.2 --library-path /a:/b /r/usr/bin/llama-server -m x",
		  "llama.cpp", "runs llama-server" },
		{ "/r/ld-linux-aarch64.so.1",
		  "ld-linux-aarch64.so.1 /usr/bin/python3 -m vllm.entrypoints.openai.api_server",
		  "vllm", "runs vllm.entrypoints.openai.api_server" },
		{ "/usr/bin/python3.11", "python3 -m llama_cpp.server --model x", "llama.cpp",
		  "runs llama_cpp.server" },
		{ "/usr/bin/python3.12", "/opt/venv/bin/python /opt/venv/bin/vllm serve m --port 1",
		  "vllm", "runs vllm serve" },
		{ "/usr/bin/python3.12", "python3 -X dev -W ignore -um vllm.entrypoints.api_server",
		  "vllm", "runs vllm.entrypoints.api_server" },
		{ "/usr/bin/python3.12", "VLLM::APIServer_0", "vllm",
		  "process title VLLM::APIServer_0" },
		{ "/usr/bin/python3.10", "python -m sglang.launch_server --port 30000", "sglang",
		  "runs sglang.launch_server" },
		{ "/usr/local/bin/text-generation-router", "text-generation-router --port 80",
		  "tgi", "executable text-generation-router" },
		{ "/opt/tritonserver/bin/tritonserver", "tritonserver --model-repository=/m",
		  "triton", "executable tritonserver" },
		{ "/usr/bin/ollama", "/usr/bin/ollama serve", "ollama", "executable ollama serve" },
		{ "/usr/bin/python3.14", "/usr/bin/python3 /usr/bin/transformers serve",
		  "transformers", "runs transformers serve" },
		{ "/usr/bin/python3.12", "/usr/bin/python3 /usr/local/bin/trtllm-serve m", "trtllm",
		  "runs trtllm-serve" },
		{ "", "llama-server", "llama.cpp", "runs llama-server" },
	};
	struct engine_match m;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_true(match(&m, rows[i].exe, rows[i].cmdline));
		assert_string_equal(m.engine, rows[i].engine);
		assert_string_equal(m.reason, rows[i].reason);
		assert_int_equal(m.role, ENGINE_SERVER);
		assert_false(m.by_maps);
	}
}

/* Ports of an engine that are no API: by the options it was started with, else the defaults. */
static void test_other_ports(void **state)
{
	struct engine_match m;

	(void)state;
	assert_true(match(&m, "/opt/tritonserver", "tritonserver --model-repository=/m"));
	assert_int_equal(m.other_ports[0], 8002);
	assert_int_equal(m.other_ports[1], 8001);
	assert_int_equal(m.other_ports[2], 0);
	assert_true(match(&m, "/opt/tritonserver",
			  "tritonserver --metrics-port=9002 --grpc-port 70001 --metrics-portal=3"));
	assert_int_equal(m.other_ports[0], 9002);
	assert_int_equal(m.other_ports[1], 0);
	assert_true(match(&m, "/usr/bin/llama-server", "llama-server --metrics-port 7"));
	assert_int_equal(m.other_ports[0], 0);
}

static void test_workers(void **state)
{
	static const char *const rows[][3] = {
		{ "/usr/bin/python3.12", "VLLM::EngineCore", "vllm" },
		{ "/usr/bin/python3.12", "VLLM::Worker_TP1", "vllm" },
		{ "/usr/bin/python3.12", "sglang::scheduler_TP0", "sglang" },
		{ "/usr/bin/python3.12", "sglang::detokenizer", "sglang" },
		{ "/usr/bin/python3.11", "/usr/bin/python3 /usr/bin/text-generation-server serve m",
		  "tgi" },
		{ "/usr/bin/ollama", "/usr/bin/ollama runner --model x", "ollama" },
		{ "/o/triton_python_backend_stub", "/o/triton_python_backend_stub /m", "triton" },
	};
	struct engine_match m;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_true(match(&m, rows[i][0], rows[i][1]));
		assert_string_equal(m.engine, rows[i][2]);
		assert_int_equal(m.role, ENGINE_WORKER);
	}
}

static void test_bystanders(void **state)
{
	static const char *const rows[][2] = {
		{ "/usr/bin/grep", "grep -r llama-server /etc" },
		{ "/usr/bin/bash", "bash -c llama-server" },
		{ "/usr/bin/bash", "/bin/bash /usr/bin/llama-server" },
		{ "/usr/bin/vim", "vim vllm serve" },
		{ "/usr/bin/gcc", "gcc -o llama-server x.c" },
		{ "/usr/bin/llama-cli", "llama-cli -m x" },
		{ "/usr/bin/ollama", "ollama run m" },
		{ "/usr/bin/ollama", "ollama" },
		{ "/usr/bin/python3", "python3 /usr/bin/vllm bench serve" },
		{ "/usr/bin/python3", "python3 -m uvicorn app:app" },
		{ "/usr/bin/python3", "python3 tool.py llama-server" },
		{ "/usr/bin/python3", "python3 -m pytest vllm.entrypoints.test" },
		{ "/usr/bin/python3", "python3 -c vllm serve" },
		{ "/usr/bin/python3", "python3" },
		{ "/usr/bin/python3", "python3 -X" },
		{ "/r/ld-linux-x86-64.so.2", "ld-linux-x86-64.so.2 --library-path" },
		{ "/r/ld-linux-x86-64.so.2", "ld-linux-x86-64.so.2 /bin/cat llama-server" },
		{ "/usr/bin/docker", "docker run llama-server" },
		{ "", "" },
	};
	struct engine_match m;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (match(&m, rows[i][0], rows[i][1]))
			fail_msg("%s was taken for %s", rows[i][1], m.engine);
		assert_null(m.engine);
	}
}

static void test_mapped_files(void **state)
{
	static const char *const rows[][3] = {
		{ "7f00-7f01 r-xp 00000000 08:01 1    /usr/lib/libllama.so.0.7.0\n"
		  "7f02-7f03 r-xp 00000000 08:01 2    /usr/lib/llama/libllama-server-impl.so\n",
		  "llama.cpp", "maps libllama-server-impl.so" },
		{ "7f00-7f01 r-xp 00000000 08:01 1    /app/libllama.so\n", "llama.cpp",
		  "maps libllama.so" },
		{ "7f00-7f01 r--p 00000000 08:01 1    /r/usr/bin/llama-server\n", "llama.cpp",
		  "maps llama-server" },
		{ "7f00-7f01 r-xp 00000000 08:01 1    /v/site-packages/vllm/_C.abi3.so\n"
		  "7f02-7f03 r-xp 00000000 08:01 2    /v/site-packages/sgl_kernel/common_ops.abi3.so\n",
		  "sglang", "maps common_ops.abi3.so" },
		{ "7f00-7f01 r-xp 00000000 08:01 1    /v/vllm/_C.abi3.so", "vllm",
		  "maps _C.abi3.so" },
	};
	struct engine_match m;
	struct tree t;

	(void)state;
	tree_init(&t);
	tree_process(&t, 1, 0, "/bin/x", "x");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		tree_file(&t, 1, "maps", rows[i][0]);
		assert_true(engine_match_maps(&m, &rules, t.root, 1));
		assert_string_equal(m.engine, rows[i][1]);
		assert_string_equal(m.reason, rows[i][2]);
		assert_true(m.by_maps);
	}
	tree_file(
		&t, 1, "maps",
		"7f00-7f01 rw-p 00000000 00:00 0    [heap]\n7f02-7f03 r-xp 0 08:01 2   "
		"/usr/lib/libllamas.so\n7f04-7f05 r-xp 0 08:01 2   /home/llama-server/bin/tool\n\n");
	assert_false(engine_match_maps(&m, &rules, t.root, 1));
	assert_false(engine_match_maps(&m, &rules, t.root, 2));
	tree_remove(t.root);
}

/* A name with control characters and broken UTF-8 must not become a label like that. */
static void test_hostile_names(void **state)
{
	struct engine_match m;
	const char *argv[] = { "VLLM::\n\x1b[31m\xff\xc3\xa9" };

	(void)state;
	assert_true(engine_match_program(&m, &rules, "", argv, 1));
	assert_string_equal(m.reason, "process title VLLM::??[31m?\xc3\xa9");
}

static int load(void **state)
{
	(void)state;
	if (packs_builtin(&packs))
		return -1;
	rules = (struct engine_rules){ packs.rules, packs.rule_count };
	return 0;
}

static int unload(void **state)
{
	(void)state;
	packs_free(&packs);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_servers),	     cmocka_unit_test(test_other_ports),
		cmocka_unit_test(test_workers),	     cmocka_unit_test(test_bystanders),
		cmocka_unit_test(test_mapped_files), cmocka_unit_test(test_hostile_names),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
