// SPDX-License-Identifier: Apache-2.0
/* The defaults, the four sources in their order, and what the configuration owns. */
#include "cli/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/config_source.h"
#include "cli/config_value.h"

int config_init(struct config *c)
{
	const struct config_origin from = { .source = CONFIG_DEFAULT };

	*c = (struct config){ 0 };
	for (size_t i = 0; i < OPTIONS_MAX; i++) {
		int err = options[i].fallback
				  ? config_assign(c, &options[i], options[i].fallback, from)
				  : 0;

		if (err)
			return err;
	}
	return 0;
}

void config_free(struct config *c)
{
	free(c->pids.items);
	free(c->ports.items);
	free(c->comms.items);
	free(c->extra_boundaries.items);
	for (size_t i = 0; i < c->text_count; i++)
		free(c->texts[i]);
	free(c->texts);
}

const char *config_keep(struct config *c, const char *text)
{
	char **texts = realloc(c->texts, (c->text_count + 1) * sizeof(*texts));

	if (!texts)
		return NULL;
	c->texts = texts;
	texts[c->text_count] = strdup(text);
	return texts[c->text_count] ? texts[c->text_count++] : NULL;
}

/* Which file is to be read: the one that was named, else the default one where there is one. */
static const char *file_to_read(const struct config *c)
{
	if (c->config_file)
		return c->config_file;
	return access(CONFIG_FILE_DEFAULT, F_OK) ? NULL : CONFIG_FILE_DEFAULT;
}

/* c starts anew from the defaults; `path` may be a text of c before. */
static int load_sources(const struct command *cmd, int argc, char **argv, const char *path,
			struct config *c)
{
	int err = config_init(c);

	if (!err && path) {
		c->config_file = config_keep(c, path);
		err = c->config_file ? config_read_file(c, path) : -ENOMEM;
	}
	if (!err)
		err = config_read_environment(c);
	return err ?: args_parse(cmd, argc, argv, c);
}

/* The command line is read twice: it says which file to read, and it has the last word. */
int config_load(const struct command *cmd, int argc, char **argv, struct config *c)
{
	struct config line;
	int err = config_init(&line);

	*c = (struct config){ 0 };
	if (!err)
		err = args_parse(cmd, argc, argv, &line);
	if (err || line.help || !(cmd->groups & CONFIG)) {
		*c = line;
		return err;
	}
	err = load_sources(cmd, argc, argv, file_to_read(&line), c);
	config_free(&line);
	return err;
}
