// SPDX-License-Identifier: Apache-2.0
/* --help and the manual page, from commands.def and options.def. */
#include "cli/command.h"

#include <string.h>

#define OPTION_COLUMN 32
#define WIDTH	      100

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

/* The rest of a line that has `column` characters, and lines below it that begin there. */
static void print_wrapped(FILE *out, int column, const char *text)
{
	int room = WIDTH - column;

	while (strlen(text) > (size_t)room) {
		int len = room;

		while (len && text[len] != ' ')
			len--;
		if (!len)
			break;
		fprintf(out, "%.*s\n%*s", len, text, column, "");
		text += len + 1;
	}
	fprintf(out, "%s\n", text);
}

/* "-p, --pid PID   what it is". That a switch is off by default goes without saying. */
static void print_option(FILE *out, const struct option_spec *o)
{
	bool is_switch = !o->metavar || *o->metavar == '[';
	char left[64], help[256];

	snprintf(left, sizeof(left), "%s%.1s%s--%s%s%s", o->letter ? "-" : "  ",
		 o->letter ? &o->letter : "", o->letter ? ", " : "  ", o->name,
		 is_switch ? "" : " ", o->metavar ? o->metavar : "");
	snprintf(help, sizeof(help), is_switch || !o->fallback ? "%s" : "%s (default: %s)", o->help,
		 o->fallback);
	fprintf(out, "  %-*s  ", OPTION_COLUMN, left);
	print_wrapped(out, OPTION_COLUMN + 4, help);
}

/* Of a command with many options, those that belong together. */
static const struct {
	unsigned int groups;
	const char *title;
} titles[] = {
	{ ~(SELECT | CAPTURE | GPU | PACKS | PROBES | WEB | RECORDS | TELEMETRY), "Options" },
	{ SELECT, "Which servers (default: all that are found)" },
	{ CAPTURE | GPU, "Capture" },
	{ PACKS | PROBES, "Probes inside the servers" },
	{ WEB | RECORDS | TELEMETRY, "What is exported" },
};

static void print_options(FILE *out, unsigned int groups)
{
	for (size_t t = 0; t < sizeof(titles) / sizeof(titles[0]); t++) {
		unsigned int mask = titles[t].groups & groups;

		if (mask)
			fprintf(out, "\n%s:\n", titles[t].title);
		for (size_t i = 0; i < OPTIONS_MAX; i++)
			if (options[i].name && options[i].group & mask)
				print_option(out, &options[i]);
	}
	if (groups & CONFIG)
		fprintf(out,
			"\nThe command line wins over the environment (OTEL_*), that over the file, that over the\n"
			"defaults; 'tokscope config show --defaults' prints all settings there are.\n");
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
	fprintf(out, " [OPTION]...%s\n\n%s\n",
		cmd->groups & OPERANDS	     ? " ARGUMENT..."
		: cmd->groups & COMMAND_LINE ? " [--] COMMAND..."
					     : "",
		cmd->summary);
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

/* One entry of a list: what it is called, what is meant, what holds without it. */
static void man_entry(FILE *out, const struct option_spec *o)
{
	man_text(out, o->help);
	if (o->fallback) {
		fprintf(out, " (default: ");
		man_text(out, o->fallback);
		fputc(')', out);
	}
	fputc('\n', out);
}

static void man_options(FILE *out, unsigned int groups)
{
	for (size_t i = 0; i < OPTIONS_MAX; i++) {
		const struct option_spec *o = &options[i];

		if (!o->name || !(o->group & groups))
			continue;
		fprintf(out, ".TP\n.B ");
		if (o->letter)
			fprintf(out, "\\-%c, ", o->letter);
		fprintf(out, "\\-\\-");
		man_text(out, o->name);
		fprintf(out, "%s%s\n", o->metavar && *o->metavar != '[' ? " " : "",
			o->metavar ? o->metavar : "");
		man_entry(out, o);
	}
}

static void man_settings(FILE *out)
{
	fprintf(out, ".SH CONFIGURATION\n");
	man_text(
		out,
		"Settings come from the command line, the environment, the file and the defaults; the first "
		"that says something wins. The file is YAML, " CONFIG_FILE_DEFAULT
		" or what --config.file names; its sections are what stands before the dots below. Times without "
		"a unit are seconds, in OTEL_* variables milliseconds. An OTEL_* variable with a wrong value is "
		"warned about and ignored. OTEL_EXPORTER_PROMETHEUS_PORT goes with OTEL_EXPORTER_PROMETHEUS_HOST, "
		"OTEL_TRACES_SAMPLER_ARG with OTEL_TRACES_SAMPLER. On SIGHUP the agent reads everything again, and warns of what it cannot "
		"change without a restart.\n");
	for (size_t i = 0; i < OPTIONS_MAX; i++) {
		const struct option_spec *o = &options[i];

		if (!o->key)
			continue;
		fprintf(out, ".TP\n.B %s\n", o->key);
		if (o->variable)
			fprintf(out, "%s: ", o->variable);
		man_entry(out, o);
	}
	fprintf(out, ".SH FILES\n.TP\n.I " CONFIG_FILE_DEFAULT "\nthe configuration\n"
		     ".TP\n.I /etc/tokscope/packs.d\nprobe packs\n");
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
	man_settings(out);
	fprintf(out,
		".SH EXIT STATUS\n0 on success, 1 when the work failed, 2 for a wrong command line.\n"
		".SH PRIVACY\nPrompt and completion text never leaves the agent's memory: it is in no metric, "
		"record, log or core dump.\n");
}
