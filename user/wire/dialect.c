// SPDX-License-Identifier: Apache-2.0
#include "wire/dialect.h"

/* Sets of dialects, as dialects.def names them. */
#define BIT(dialect) (1u << DIALECT_##dialect)
#define CHAT	     BIT(OPENAI_CHAT)
#define COMPLETION   BIT(OPENAI_COMPLETION)
#define OPENAI	     (CHAT | COMPLETION | BIT(OPENAI_EMBEDDINGS))
#define RESPONSES    BIT(OPENAI_RESPONSES)
#define ANTHROPIC    BIT(ANTHROPIC)
#define LLAMACPP     BIT(LLAMACPP)
#define OLLAMA	     BIT(OLLAMA)
#define TGI	     BIT(TGI)
#define KSERVE	     BIT(KSERVE)
#define SGLANG	     BIT(SGLANG)
#define REQUEST	     BIT(MAX)
#define ANSWER	     (REQUEST - 1)

static const struct {
	struct json_field field;
	unsigned int dialects;
} fields_of[] = {
#define FIELD(dialects, name, ...)                                                       \
	{ { .path = { __VA_ARGS__ },                                                     \
	    .role = ROLE_##name,                                                         \
	    .text = (int)ROLE_##name >= ROLE_NUMBERS && (int)ROLE_##name < ROLE_TEXTS }, \
	  dialects },
#include "wire/dialects.def"
#undef FIELD
};

size_t dialect_fields(enum dialect dialect, bool response, const struct json_field **fields)
{
	unsigned int set = response ? 1u << dialect : REQUEST;
	size_t count = 0;

	for (size_t i = 0; i < sizeof(fields_of) / sizeof(*fields_of); i++)
		if (fields_of[i].dialects & set && count < JSON_FIELDS_MAX)
			fields[count++] = &fields_of[i].field;
	return count;
}
