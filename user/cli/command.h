/* SPDX-License-Identifier: Apache-2.0 */
/* The table of commands (commands.def), the command line, and help on them. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdio.h>

#include "base/suggest.h"
#include "cli/config.h"

/* Returns the exit status of the process: 0, 1 (failed), 2 (usage). */
typedef int (*command_fn)(const struct config *c);

struct command {
	command_fn run;
	const char *object;
	const char *verb; /* NULL: the object is the command */
	unsigned int groups;
	const char *summary;
	const char *examples;
};

extern const struct command commands[];
extern const size_t command_count;

#define EXIT_USAGE 2

/*
 * Finds the command that argv names; *used receives how many words it took. On failure prints what is wrong and the
 * nearest name, and returns NULL.
 */
const struct command *command_find(int argc, char **argv, int *used);

/* Parses the rest of the line; its order may change. Returns 0, -EINVAL or -ENOMEM after printing what is wrong. */
int args_parse(const struct command *cmd, int argc, char **argv, struct config *c);

void help_all(FILE *out);
void help_command(FILE *out, const struct command *cmd);
void help_man(FILE *out);

#define COMMAND(fn, ...) int fn(const struct config *c);
#include "cli/commands.def"
#undef COMMAND

#endif
