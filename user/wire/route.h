/* SPDX-License-Identifier: Apache-2.0 */
/* The inference routes (routes.def). What is not in the table is not an inference request. */
#ifndef WIRE_ROUTE_H
#define WIRE_ROUTE_H

#include "wire/http1.h"

/* The grammar of a request body and of its answer (dialects.def has one table of fields for each). */
enum dialect {
	DIALECT_NONE,
	DIALECT_OPENAI_CHAT,
	DIALECT_OPENAI_COMPLETION,
	DIALECT_OPENAI_RESPONSES,
	DIALECT_OPENAI_EMBEDDINGS, /* and rerank, score: usage only */
	DIALECT_ANTHROPIC,
	DIALECT_LLAMACPP,
	DIALECT_OLLAMA,
	DIALECT_TGI,
	DIALECT_KSERVE,
	DIALECT_SGLANG,
	DIALECT_MAX,
};

struct route {
	const char *pattern; /* template as reported: "/v2/models/{model}/generate_stream" */
	enum dialect dialect;
	const char *operation; /* gen_ai.operation.name: chat, text_completion, embeddings, ... */
	const char *
		provider; /* gen_ai.provider.name a gateway is given, NULL: the engine's own name */
};

/*
 * The route of a request, or NULL. `model` (may be NULL) receives what {model} matched, cut at len - 1, "" if the
 * template has none.
 */
const struct route *route_match(enum http1_method method, const char *path, char *model,
				size_t len);

#endif
