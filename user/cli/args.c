// SPDX-License-Identifier: Apache-2.0
/* argv -> struct config. */
#include "cli/command.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "cli/config_value.h"

/* getopt_long returns this plus the index of the option in the table. */
#define OPTION_BASE 256

/* The getopt tables of one command: only the options of its groups. */
struct getopt_tables {
	struct option longs[OPTIONS_MAX + 1];
	char shorts[2 * OPTIONS_MAX + 3];
};

static int takes_value(const struct option_spec *o)
{
	if (!o->metavar)
		return no_argument;
	return *o->metavar == '[' ? optional_argument : required_argument;
}

static void build_tables(const struct command *cmd, struct getopt_tables *t)
{
	size_t n = 0, s = 0;

	memset(t, 0, sizeof(*t));
	if (cmd->groups & COMMAND_LINE)
		t->shorts[s++] = '+';
	t->shorts[s++] = ':';
	for (size_t i = 0; i < OPTIONS_MAX; i++) {
		const struct option_spec *o = &options[i];

		if (!o->name || !(o->group & cmd->groups))
			continue;
		t->longs[n++] =
			(struct option){ o->name, takes_value(o), NULL, OPTION_BASE + (int)i };
		if (!o->letter)
			continue;
		t->shorts[s++] = o->letter;
		if (o->metavar)
			t->shorts[s++] = ':';
	}
}

/* A letter may be another option for another command. */
static const struct option_spec *option_of(const struct command *cmd, int code)
{
	if (code >= OPTION_BASE)
		return &options[code - OPTION_BASE];
	for (size_t i = 0; i < OPTIONS_MAX; i++)
		if (options[i].letter == code && options[i].group & cmd->groups)
			return &options[i];
	return NULL;
}

/* For suggestions; what is no flag counts as the first one again. */
static const char *option_name(size_t i)
{
	return options[i].name ? options[i].name : options[0].name;
}

static int usage(const struct command *cmd)
{
	fprintf(stderr, "See 'tokscope %s%s%s --help'.\n", cmd->object, cmd->verb ? " " : "",
		cmd->verb ? cmd->verb : "");
	return -EINVAL;
}

/* What follows an equals sign may be a secret, and is not repeated. */
static int unknown_option(const struct command *cmd, const char *word)
{
	const char *near;
	char bare[64];

	word += strspn(word, "-");
	snprintf(bare, sizeof(bare), "%.*s", (int)strcspn(word, "="), word);
	near = suggest(bare, option_name, OPTIONS_MAX);
	fprintf(stderr, "tokscope: unknown option '%s%s'", bare[0] && !bare[1] ? "-" : "--", bare);
	if (near && strcmp(near, bare))
		fprintf(stderr, "; did you mean '--%s'?", near);
	else if (near)
		fprintf(stderr, ": this command does not take it");
	fputc('\n', stderr);
	return usage(cmd);
}

/*
 * getopt takes the beginning of a name for the name. Not here: scripts would break with the next option, and what somebody meant
 * as --otlp.headers would be a file's name, and in a message.
 */
static bool is_abbreviated(const struct option_spec *o, const char *word)
{
	return !strncmp(word, "--", 2) && strcspn(word + 2, "=") != strlen(o->name);
}

static int bad_value(const struct command *cmd, const struct option_spec *o, const char *text)
{
	if (option_is_private(o))
		fprintf(stderr, "tokscope: bad value for --%s: it is not %s\n", o->name,
			option_expected(o));
	else
		fprintf(stderr, "tokscope: bad value '%s' for --%s: it is not %s\n", text, o->name,
			option_expected(o));
	return usage(cmd);
}

static int out_of_memory(void)
{
	log_error("out of memory");
	return -ENOMEM;
}

int args_parse(const struct command *cmd, int argc, char **argv, struct config *c)
{
	const struct config_origin from = { .source = CONFIG_ARGUMENT };
	struct getopt_tables tables;
	int code, err;

	build_tables(cmd, &tables);
	opterr = 0;
	optind = 0; /* begin anew, also in the middle of what was read before: getopt(3) */
	while ((code = getopt_long(argc, argv, tables.shorts, tables.longs, NULL)) != -1) {
		const struct option_spec *o;
		const char *word;

		if (code == '?')
			return unknown_option(cmd, argv[optind - 1]);
		if (code == ':') {
			fprintf(stderr, "tokscope: option '%s' needs a value\n", argv[optind - 1]);
			return usage(cmd);
		}
		o = option_of(cmd, code);
		word = argv[optind - 1 - (optarg == argv[optind - 1])];
		if (is_abbreviated(o, word))
			return unknown_option(cmd, word);
		err = config_assign(c, o, optarg, from);
		if (err)
			return err == -EINVAL ? bad_value(cmd, o, optarg) : out_of_memory();
	}
	c->command = cmd;
	c->argc = argc;
	c->argv = argv;
	c->operands = argv + optind;
	c->operand_count = argc - optind;
	if (c->operand_count && !(cmd->groups & (OPERANDS | COMMAND_LINE))) {
		fprintf(stderr, "tokscope: unexpected argument '%s'\n", c->operands[0]);
		return usage(cmd);
	}
	return 0;
}
