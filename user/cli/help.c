// SPDX-License-Identifier: Apache-2.0
/* --help and the manual page, from commands.def and options.def. */
#include "cli/command.h"

#include <string.h>

#define OPTION_COLUMN 30

static const char intro[] =
	"tokscope traces LLM inference servers with eBPF: time to first token, inter-token latency,\n"
	"tokens and outcomes of every request, with no change to the server.\n";

static void print_name(FILE *out, const struct command *cmd)
{
	fprintf(out, "tokscope %s%s%s", cmd->object, cmd->verb ? " " : "",
		cmd->verb ? cmd->verb : "");
}

/* Every line of text, each after prefix. */
static void print_lines(FILE *out, const char *prefix, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		fprintf(out, "%s%.*s\n", prefix, (int)len, text);
		text += len + (text[len] == '\n');
	}
}

static void print_options(FILE *out, unsigned int groups)
{
	for (size_t i = 0; i < option_count; i++) {
		const struct option_spec *o = &options[i];
		char left[64];

		if (!(o->group & groups))
			continue;
		if (o->letter)
			snprintf(left, sizeof(left), "-%c, --%s%s%s", o->letter, o->name,
				 o->metavar ? " " : "", o->metavar ? o->metavar : "");
		else
			snprintf(left, sizeof(left), "    --%s%s%s", o->name, o->metavar ? " " : "",
				 o->metavar ? o->metavar : "");
		fprintf(out, "  %-*s  %s\n", OPTION_COLUMN, left, o->help);
	}
}

void help_all(FILE *out)
{
	fprintf(out, "Usage: tokscope COMMAND [OPTION]...\n\n%s\nCommands:\n", intro);
	for (size_t i = 0; i < command_count; i++) {
		char name[40];

		snprintf(name, sizeof(name), "%s%s%s", commands[i].object,
			 commands[i].verb ? " " : "", commands[i].verb ? commands[i].verb : "");
		fprintf(out, "  %-16s  %s\n", name, commands[i].summary);
	}
	fprintf(out, "\nExamples:\n");
	print_lines(out, "  ",
		    "tokscope agent                      # then: curl 127.0.0.1:9464/metrics\n"
		    "tokscope server list\n"
		    "tokscope request trace --json");
	fprintf(out, "\n'tokscope COMMAND --help' shows the options of one command.\n");
}

void help_command(FILE *out, const struct command *cmd)
{
	fprintf(out, "Usage: ");
	print_name(out, cmd);
	fprintf(out, " [OPTION]...%s\n\n%s\n\nOptions:\n",
		cmd->groups & OPERANDS ? " ARGUMENT..." : "", cmd->summary);
	print_options(out, cmd->groups);
	fprintf(out, "\nExamples:\n");
	print_lines(out, "  ", cmd->examples);
}

/* roff: a hyphen in an option name is a minus; a dot at a line start would be a request. */
static void man_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '-')
			fputs("\\-", out);
		else if (*text == '\\')
			fputs("\\e", out);
		else
			fputc(*text, out);
	}
}

static void man_options(FILE *out, unsigned int groups)
{
	for (size_t i = 0; i < option_count; i++) {
		const struct option_spec *o = &options[i];

		if (!(o->group & groups))
			continue;
		fprintf(out, ".TP\n.B ");
		if (o->letter)
			fprintf(out, "\\-%c, ", o->letter);
		fprintf(out, "\\-\\-");
		man_text(out, o->name);
		fprintf(out, "%s%s\n", o->metavar ? " " : "", o->metavar ? o->metavar : "");
		man_text(out, o->help);
		fputc('\n', out);
	}
}

void help_man(FILE *out)
{
	fprintf(out,
		".TH TOKSCOPE 8 \"\" \"tokscope " TOKSCOPE_VERSION "\" \"System administration\"\n"
		".SH NAME\ntokscope \\- eBPF tracer for LLM inference servers\n"
		".SH SYNOPSIS\n.B tokscope\n.I COMMAND\n[\\fIOPTION\\fR]...\n.SH DESCRIPTION\n");
	man_text(out, intro);
	fprintf(out, ".SH COMMANDS\n");
	for (size_t i = 0; i < command_count; i++) {
		const struct command *cmd = &commands[i];

		fprintf(out, ".SS ");
		print_name(out, cmd);
		fprintf(out, "\n");
		man_text(out, cmd->summary);
		fprintf(out, "\n");
		man_options(out, cmd->groups & ~COMMON);
		fprintf(out, ".PP\nExamples:\n.PP\n.nf\n");
		man_text(out, cmd->examples);
		fprintf(out, "\n.fi\n");
	}
	fprintf(out, ".SH COMMON OPTIONS\n");
	man_options(out, COMMON);
	fprintf(out,
		".SH EXIT STATUS\n0 on success, 1 when the work failed, 2 for a wrong command line.\n"
		".SH PRIVACY\nPrompt and completion text never leaves the agent's memory: it is in no metric, "
		"record, log or core dump.\n");
}
