/* SPDX-License-Identifier: Apache-2.0 */
/* Some rules, of the kinds that there are. Those of real engines are in the packs, and tested there (probe_recognise.c). */
#ifndef TESTS_DISCOVER_RULES_H
#define TESTS_DISCOVER_RULES_H

#include "discover/engine.h"

static const struct engine_rule rule_table[] = {
	{ "llama.cpp", ENGINE_SERVER, ENGINE_PROGRAM, "llama-server", NULL },
	{ "llama.cpp", ENGINE_SERVER, ENGINE_MAPS, "*/libllama-server-impl.so*", NULL },
	{ "llama.cpp", ENGINE_SERVER, ENGINE_MAPS, "*/libllama.so*", NULL },
	{ "ollama", ENGINE_SERVER, ENGINE_PROGRAM, "ollama", "serve" },
	{ "ollama", ENGINE_WORKER, ENGINE_PROGRAM, "ollama", "runner" },
	{ "sglang", ENGINE_SERVER, ENGINE_PROGRAM, "sglang.launch_server", NULL },
	{ "tgi", ENGINE_SERVER, ENGINE_PROGRAM, "text-generation-launcher", NULL },
	{ "tgi", ENGINE_WORKER, ENGINE_PROGRAM, "text-generation-server", NULL },
	{ "tgi", ENGINE_SERVER, ENGINE_PROGRAM, "text-generation-router*", NULL },
	{ "triton", ENGINE_SERVER, ENGINE_PROGRAM, "tritonserver", NULL },
	{ "vllm", ENGINE_SERVER, ENGINE_PROGRAM, "vllm.entrypoints.*", NULL },
	{ "vllm", ENGINE_WORKER, ENGINE_TITLE, "VLLM::*", NULL },
	{ "vllm", ENGINE_SERVER, ENGINE_MAPS, "*/vllm/_*.so", NULL },
};
static const struct engine_rules test_rules = { rule_table,
						sizeof(rule_table) / sizeof(rule_table[0]) };

#endif
