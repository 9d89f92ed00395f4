/* SPDX-License-Identifier: Apache-2.0 */
/* Some rules, of the kinds that there are. Those of real engines are in the packs, and tested there (probe_recognise.c). */
#ifndef TESTS_DISCOVER_RULES_H
#define TESTS_DISCOVER_RULES_H

#include "discover/engine.h"

static const struct engine_rule rule_table[] = {
	{ "llama.cpp", ENGINE_SERVER, ENGINE_PROGRAM, "llama-server", NULL, NULL },
	{ "llama.cpp", ENGINE_SERVER, ENGINE_MAPS, "*/libllama-server-impl.so*", NULL, NULL },
	{ "llama.cpp", ENGINE_SERVER, ENGINE_MAPS, "*/libllama.so*", NULL, NULL },
	{ "ollama", ENGINE_SERVER, ENGINE_PROGRAM, "ollama", "serve", NULL },
	{ "ollama", ENGINE_WORKER, ENGINE_PROGRAM, "ollama", "runner", NULL },
	{ "sglang", ENGINE_SERVER, ENGINE_PROGRAM, "sglang.launch_server", NULL, NULL },
	{ "tgi", ENGINE_SERVER, ENGINE_PROGRAM, "text-generation-launcher", NULL, NULL },
	{ "tgi", ENGINE_WORKER, ENGINE_PROGRAM, "text-generation-server", NULL, NULL },
	{ "tgi", ENGINE_SERVER, ENGINE_PROGRAM, "text-generation-router*", NULL, NULL },
	{ "triton", ENGINE_SERVER, ENGINE_PROGRAM, "tritonserver", NULL,
	  "--metrics-port=8002 --grpc-port=8001" },
	{ "vllm", ENGINE_SERVER, ENGINE_PROGRAM, "vllm.entrypoints.*", NULL, NULL },
	{ "vllm", ENGINE_WORKER, ENGINE_TITLE, "VLLM::*", NULL, NULL },
	{ "vllm", ENGINE_SERVER, ENGINE_MAPS, "*/vllm/_*.so", NULL, NULL },
};
static const struct engine_rules test_rules = { rule_table,
						sizeof(rule_table) / sizeof(rule_table[0]) };

#endif
