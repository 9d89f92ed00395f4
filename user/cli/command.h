/* SPDX-License-Identifier: Apache-2.0 */
/* The command and option tables (commands.def, options.def) and what is made of them. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdio.h>

#include "base/suggest.h"
#include "cli/config.h"

enum option_group {
	COMMON = 1 << 0,
	SELECT = 1 << 1,
	CAPTURE = 1 << 2,
	WEB = 1 << 3,
	RECORDS = 1 << 4,
	OUTPUT = 1 << 5,
	TRACE = 1 << 6,
	DECODE = 1 << 7,
	HELP = 1 << 8,
	GPU = 1 << 9,
	PACKS = 1 << 10,
	CHECK = 1 << 11,
	PROBES = 1 << 13,
	WATCH = 1 << 14,
	SHOW = 1 << 15,
	OPERANDS = 1 << 12, /* no options: the command takes words */
};

enum option_kind {
	OPTION_FLAG,
	OPTION_STRING,
	OPTION_STRINGS,
	OPTION_NUMBERS,
	OPTION_COUNT,
	OPTION_BYTES,
	OPTION_DECIMAL,
	OPTION_BACKEND,
	OPTION_GPU_HOOK,
	OPTION_PROBE_SET,
	OPTION_LOG_LEVEL,
};

struct option_spec {
	const char *name;
	char letter; /* 0: none */
	enum option_kind kind;
	size_t offset; /* of the field in struct config */
	unsigned int group;
	const char *metavar; /* NULL: a flag */
	const char *help;
};

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
extern const struct option_spec options[];
extern const size_t option_count;

#define EXIT_USAGE 2

/*
 * Finds the command that argv names; *used receives how many words it took. On failure prints what is wrong and the
 * nearest name, and returns NULL.
 */
const struct command *command_find(int argc, char **argv, int *used);

/* Parses the rest of the line. Returns 0 or -EINVAL after printing what is wrong. */
int args_parse(const struct command *cmd, int argc, char **argv, struct config *c);

void help_all(FILE *out);
void help_command(FILE *out, const struct command *cmd);
void help_man(FILE *out);

#define COMMAND(fn, ...) int fn(const struct config *c);
#include "cli/commands.def"
#undef COMMAND

#endif
