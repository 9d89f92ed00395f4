// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"

#include <string.h>

const struct command commands[] = {
#define COMMAND(fn, object, verb, groups, summary, examples) \
	{ fn, object, verb, (groups) | COMMON, summary, examples },
#include "cli/commands.def"
#undef COMMAND
};
const size_t command_count = sizeof(commands) / sizeof(commands[0]);

const struct option_spec options[] = {
#define OPTION(name, letter, kind, field, group, metavar, help) \
	{ name, letter, OPTION_##kind, offsetof(struct config, field), group, metavar, help },
#include "cli/options.def"
#undef OPTION
};
const size_t option_count = sizeof(options) / sizeof(options[0]);

#define WORD_MAX 32

/* Levenshtein distance of two words of at most WORD_MAX characters; longer ones are never near. */
static size_t distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[lb];
}

const char *suggest(const char *word, const char *(*candidate)(size_t i), size_t count)
{
	size_t nearest = strlen(word) / 3 + 2;
	const char *name = NULL;

	for (size_t i = 0; i < count; i++) {
		size_t d = distance(word, candidate(i));

		if (d < nearest) {
			nearest = d;
			name = candidate(i);
		}
	}
	return name;
}

static const char *object_name(size_t i)
{
	return commands[i].object;
}

static const char *verb_name(size_t i)
{
	return commands[i].verb ? commands[i].verb : "";
}

static void unknown(const char *what, const char *word, const char *near)
{
	fprintf(stderr, "tokscope: unknown %s '%s'", what, word);
	if (near && *near)
		fprintf(stderr, "; did you mean '%s'?", near);
	fprintf(stderr, "\nSee 'tokscope --help'.\n");
}

const struct command *command_find(int argc, char **argv, int *used)
{
	const struct command *object = NULL;

	for (size_t i = 0; i < command_count; i++) {
		const struct command *cmd = &commands[i];

		if (strcmp(cmd->object, argv[0]))
			continue;
		object = cmd;
		*used = cmd->verb ? 2 : 1;
		if (!cmd->verb || (argc > 1 && !strcmp(cmd->verb, argv[1])))
			return cmd;
	}
	if (!object)
		unknown("command", argv[0], suggest(argv[0], object_name, command_count));
	else if (argc < 2)
		fprintf(stderr, "tokscope: '%s' needs a verb: 'tokscope %s %s'\n", object->object,
			object->object, object->verb);
	else
		unknown("verb", argv[1], suggest(argv[1], verb_name, command_count));
	return NULL;
}
