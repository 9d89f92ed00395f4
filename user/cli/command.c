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
