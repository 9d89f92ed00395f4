// SPDX-License-Identifier: Apache-2.0
/* `tokscope config show`: the settings as YAML that can be read again, or as JSON. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/command.h"
#include "cli/config_value.h"
#include "cli/output.h"

#define WHERE_MAX 512

/* ------------------------------------------------------------------ YAML */

/* Text that YAML takes as it is. */
static bool is_plain(const char *text)
{
	if (!isalnum((unsigned char)*text) && *text != '/')
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr("/._-:", *text))
			return false;
	return text[-1] != ':';
}

/* JSON is YAML, too. NULL: out of memory. */
static char *yaml_of(const json_t *value)
{
	const char *text = json_string_value(value);

	if (text && is_plain(text))
		return strdup(text);
	return json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
}

static bool same_section(const char *a, const char *b, size_t len)
{
	return !strncmp(a, b, len) && a[len] == '.' && b[len] == '.';
}

/* The sections that this key opens, after `before`, the key above it ("": none). Returns its depth, *name its last word. */
static int open_sections(const char *before, const char *key, const char **name)
{
	const char *word = key;
	int depth = 0;

	for (const char *dot; (dot = strchr(word, '.')); word = dot + 1, depth++) {
		if (same_section(before, key, dot - key))
			continue;
		if (!depth)
			putchar('\n');
		printf("%*s%.*s:\n", 2 * depth, "", (int)(dot - word), word);
	}
	*name = word;
	return depth;
}

/* What there is to know of a setting, above it. */
static void print_help(const struct option_spec *o, int depth)
{
	_cleanup_(buf_free) struct buf by = BUF_INIT;

	if (o->name)
		buf_printf(&by, ", --%s", o->name);
	if (o->variable)
		buf_printf(&by, ", %s", o->variable);
	if (o->flags & RELOAD)
		buf_puts(&by, ", read again on SIGHUP");
	printf("%*s# %s\n", 2 * depth, "", o->help);
	if (by.data)
		printf("%*s# %s\n", 2 * depth, "", by.data + 2);
}

/* A setting without a value is a comment. */
static int print_setting(const struct config *c, const struct option_spec *o, const char *name,
			 int depth)
{
	json_t *value = config_value(c, o, true);
	_cleanup_free_ char *text = value ? yaml_of(value) : NULL;
	char where[WHERE_MAX];

	printf("%*s", 2 * depth, "");
	if (!text)
		printf("# %s: out of memory", name);
	else if (json_is_null(value))
		printf("#%s: %s", name, o->metavar);
	else
		printf("%s: %s", name, text);
	if (!c->defaults)
		printf("  # %s", config_where(c, o, where, sizeof(where)));
	putchar('\n');
	json_decref(value);
	return text ? 0 : -ENOMEM;
}

static int show_yaml(const struct config *c)
{
	const char *before = "", *name;
	int err = 0;

	for (size_t i = 0; i < OPTIONS_MAX && !err; i++) {
		const struct option_spec *o = &options[i];
		int depth;

		if (!o->key)
			continue;
		depth = open_sections(before, o->key, &name);
		if (c->defaults)
			print_help(o, depth);
		err = print_setting(c, o, name, depth);
		before = o->key;
	}
	return err;
}

static const char preamble[] =
	"# The configuration of `tokscope agent`: every setting, with its default.\n"
	"#\n"
	"# tokscope reads " CONFIG_FILE_DEFAULT
	", or what --config.file names. A setting of the command line wins over the\n"
	"# environment, that over this file, and this over the default. Times without a unit are seconds (in OTEL_* variables\n"
	"# milliseconds). `tokscope config check FILE` checks a file, `tokscope config show` shows what holds and why, SIGHUP\n"
	"# has the agent read it again. Printed by `tokscope config show --defaults`.\n"
	"\n";

static int show_defaults(void)
{
	struct config defaults;
	int err = config_init(&defaults);

	defaults.defaults = true;
	fputs(preamble, stdout);
	if (!err)
		err = show_yaml(&defaults);
	config_free(&defaults);
	return err;
}

/* ------------------------------------------------------------------ JSON */

static int show_json(const struct config *c)
{
	json_t *all = json_object();
	char where[WHERE_MAX];

	for (size_t i = 0; i < OPTIONS_MAX; i++) {
		const struct option_spec *o = &options[i];

		if (!o->key)
			continue;
		json_object_set_new(all, o->key,
				    json_pack("{s:o, s:s}", "value", config_value(c, o, true),
					      "source", config_where(c, o, where, sizeof(where))));
	}
	output_json(c, all);
	return 0;
}

int cmd_config_show(const struct config *c)
{
	int err = c->json ? show_json(c) : c->defaults ? show_defaults() : show_yaml(c);

	return err ? 1 : 0;
}
