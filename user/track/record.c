// SPDX-License-Identifier: Apache-2.0
#include "track/record.h"

#include <stddef.h>
#include <string.h>

const char *outcome_name(enum outcome o)
{
	static const char *const names[OUTCOME_MAX] = {
		[OUTCOME_UNKNOWN] = "unknown",
		[OUTCOME_OK] = "ok",
		[OUTCOME_ERROR] = "error",
		[OUTCOME_ABORTED] = "aborted",
	};

	return o < OUTCOME_MAX ? names[o] : "unknown";
}

const char *token_source_name(enum token_source s)
{
	switch (s) {
	case TOKENS_ENGINE:
		return "engine";
	case TOKENS_PROBE:
		return "probe";
	case TOKENS_USAGE:
		return "usage";
	case TOKENS_EVENTS:
		return "events";
	case TOKENS_NONE:
		break;
	}
	return NULL;
}

const char *phase_name(enum phase p)
{
	static const char *const names[PHASE_MAX] = {
		[PHASE_RECEIVE] = "receive", [PHASE_TOKENIZE] = "tokenize", [PHASE_QUEUE] = "queue",
		[PHASE_PREFILL] = "prefill", [PHASE_DECODE] = "decode",	    [PHASE_OTHER] = "other",
	};

	return p < PHASE_MAX ? names[p] : "other";
}

const char *request_provider(const struct request_record *r)
{
	if (r->server && strcmp(r->server->engine, "unknown"))
		return r->server->engine;
	return r->route ? r->route->provider : NULL;
}
