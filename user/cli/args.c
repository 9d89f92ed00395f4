// SPDX-License-Identifier: Apache-2.0
/* argv -> struct config, driven by options.def. */
#include "cli/command.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* getopt_long returns this plus the index of the option in the table. */
#define OPTION_BASE 256

void config_init(struct config *c)
{
	*c = (struct config){
		.log_level = LOG_LEVEL_INFO,
		.backend = SOCKET_BACKEND_AUTO,
		.gpu_hook = GPU_HOOK_AUTO,
		.packs_folder = "/etc/tokscope/packs.d",
		.probe_budget = 2,
		.listen = "127.0.0.1:9464",
	};
}

void config_free(struct config *c)
{
	free(c->pids.items);
	free(c->ports.items);
	free(c->comms.items);
}

static int parse_unsigned(const char *text, uint64_t max, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || *out > max)
		return -EINVAL;
	return 0;
}

static int parse_bytes(const char *text, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	if (errno || end == text || *text == '-' || *out > UINT64_MAX >> 20)
		return -EINVAL;
	if (*end == 'k' || *end == 'K') {
		*out <<= 10;
		end++;
	} else if (*end == 'm' || *end == 'M') {
		*out <<= 20;
		end++;
	}
	return *end ? -EINVAL : 0;
}

static int parse_decimal(const char *text, double *out)
{
	char *end;

	*out = strtod(text, &end);
	return end == text || *end || !isfinite(*out) || *out < 0 ? -EINVAL : 0;
}

static int append_number(struct number_list *list, const char *text)
{
	uint64_t value;
	uint32_t *items;

	if (parse_unsigned(text, UINT32_MAX, &value) || !value)
		return -EINVAL;
	items = realloc(list->items, (list->count + 1) * sizeof(*items));
	if (!items)
		return -ENOMEM;
	list->items = items;
	list->items[list->count++] = value;
	return 0;
}

static int append_string(struct string_list *list, const char *text)
{
	const char **items = realloc(list->items, (list->count + 1) * sizeof(*items));

	if (!items)
		return -ENOMEM;
	list->items = items;
	list->items[list->count++] = text;
	return 0;
}

static int assign_name(int *field, int value)
{
	if (value < 0)
		return value;
	*field = value;
	return 0;
}

static int assign(const struct option_spec *o, struct config *c, char *text)
{
	void *field = (char *)c + o->offset;

	switch (o->kind) {
	case OPTION_FLAG:
		*(bool *)field = true;
		return 0;
	case OPTION_STRING:
		*(const char **)field = text;
		return 0;
	case OPTION_STRINGS:
		return append_string(field, text);
	case OPTION_NUMBERS:
		return append_number(field, text);
	case OPTION_COUNT:
		return parse_unsigned(text, UINT64_MAX, field);
	case OPTION_BYTES:
		return parse_bytes(text, field);
	case OPTION_DECIMAL:
		return parse_decimal(text, field);
	case OPTION_BACKEND:
		return assign_name(field, socket_backend_parse(text));
	case OPTION_GPU_HOOK:
		return assign_name(field, gpu_hook_parse(text));
	case OPTION_PROBE_SET:
		return assign_name(field, probe_set_parse(text));
	case OPTION_LOG_LEVEL:
		return assign_name(field, log_level_parse(text));
	}
	return -EINVAL;
}

/* The getopt tables of one command: only the options of its groups. */
struct getopt_tables {
	struct option longs[64];
	char shorts[64];
};

static void build_tables(const struct command *cmd, struct getopt_tables *t)
{
	size_t n = 0, s = 0;

	memset(t, 0, sizeof(*t));
	t->shorts[s++] = ':';
	for (size_t i = 0; i < option_count; i++) {
		const struct option_spec *o = &options[i];

		if (!(o->group & cmd->groups))
			continue;
		t->longs[n++] =
			(struct option){ o->name, o->metavar != NULL, NULL, OPTION_BASE + (int)i };
		if (!o->letter)
			continue;
		t->shorts[s++] = o->letter;
		if (o->metavar)
			t->shorts[s++] = ':';
	}
}

static const struct option_spec *option_of(int code)
{
	if (code >= OPTION_BASE)
		return &options[code - OPTION_BASE];
	for (size_t i = 0; i < option_count; i++)
		if (options[i].letter == code)
			return &options[i];
	return NULL;
}

static const char *option_name(size_t i)
{
	return options[i].name;
}

static int usage(const struct command *cmd)
{
	fprintf(stderr, "See 'tokscope %s%s%s --help'.\n", cmd->object, cmd->verb ? " " : "",
		cmd->verb ? cmd->verb : "");
	return -EINVAL;
}

static int unknown_option(const struct command *cmd, const char *word)
{
	const char *bare = word + strspn(word, "-");
	const char *near = suggest(bare, option_name, option_count);

	fprintf(stderr, "tokscope: unknown option '%s'", word);
	if (near && strcmp(near, bare))
		fprintf(stderr, "; did you mean '--%s'?", near);
	else if (near)
		fprintf(stderr, ": this command does not take it");
	fputc('\n', stderr);
	return usage(cmd);
}

int args_parse(const struct command *cmd, int argc, char **argv, struct config *c)
{
	struct getopt_tables tables;
	int code;

	build_tables(cmd, &tables);
	opterr = 0;
	optind = 1;
	while ((code = getopt_long(argc, argv, tables.shorts, tables.longs, NULL)) != -1) {
		const struct option_spec *o;

		if (code == '?')
			return unknown_option(cmd, argv[optind - 1]);
		if (code == ':') {
			fprintf(stderr, "tokscope: option '%s' needs a value\n", argv[optind - 1]);
			return usage(cmd);
		}
		o = option_of(code);
		if (assign(o, c, optarg)) {
			fprintf(stderr, "tokscope: bad value '%s' for --%s: %s\n",
				optarg ? optarg : "", o->name, o->help);
			return usage(cmd);
		}
	}
	c->operands = argv + optind;
	c->operand_count = argc - optind;
	if (c->operand_count && !(cmd->groups & OPERANDS)) {
		fprintf(stderr, "tokscope: unexpected argument '%s'\n", c->operands[0]);
		return usage(cmd);
	}
	return 0;
}
