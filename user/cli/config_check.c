// SPDX-License-Identifier: Apache-2.0
/* What no value by itself can tell, and `tokscope config check`. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/command.h"
#include "cli/config_value.h"
#include "export/otlp_endpoint.h"
#include "export/web_config.h"
#include "gpu/majors.h"

#define WHERE_MAX 512

/* Logs it with where the setting comes from; counts one. */
__attribute__((format(printf, 3, 4))) static int problem(const struct config *c, const char *key,
							 const char *fmt, ...)
{
	char where[WHERE_MAX], what[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	log_error("%s: %s: %s", config_where(c, option_by_key(key), where, sizeof(where)), key,
		  what);
	return 1;
}

static int check_readable(const struct config *c)
{
	int problems = 0;

	for (size_t i = 0; i < OPTIONS_MAX; i++) {
		const struct option_spec *o = &options[i];
		const char *path = NULL;

		if (o->flags & READABLE)
			path = *(const char *const *)((const char *)c + o->offset);
		if (path && access(path, R_OK))
			problems += problem(c, o->key, "cannot read %s: %s", path, strerror(errno));
	}
	return problems;
}

static int check_majors(const struct config *c)
{
	uint32_t majors[TKS_GPU_FAMILIES];

	if (!c->gpu_majors || !gpu_majors_parse(c->gpu_majors, "/dev/null", majors))
		return 0;
	return problem(c, "gpu.majors", "expected nvidia=MAJOR,nvidia-uvm=MAJOR or one of them");
}

static int check_web(const struct config *c)
{
	_cleanup_free_ char *error = NULL;
	struct web_config web = { 0 };
	int err = c->web_config ? web_config_read(&web, c->web_config, &error) : 0;

	web_config_free(&web);
	return err ? problem(c, "web.config_file", "%s", error ? error : "out of memory") : 0;
}

/* The exporter's own opinion, which it logs. */
static int check_otlp(const struct config *c)
{
	for (int s = 0; s < OTLP_SIGNALS; s++) {
		struct otlp_endpoint e = { 0 };
		int err = otlp_endpoint_resolve(&c->otlp, s, &e);

		otlp_endpoint_free(&e);
		if (err < 0)
			return 1;
	}
	return 0;
}

int config_check(const struct config *c)
{
	int unreadable = check_readable(c);

	return unreadable + check_majors(c) + (unreadable ? 0 : check_web(c) + check_otlp(c));
}

/* ------------------------------------------------------------------ tokscope config check */

/* Reads the file the way `tokscope agent --config.file PATH` does. */
static int check_file(const char *path)
{
	char agent[] = "agent", option[] = "--config.file";
	char *words[] = { agent, option, (char *)path, NULL };
	struct config c;
	int used, err;

	err = config_load(command_find(1, words, &used), 3, words, &c);
	if (!err && config_check(&c))
		err = -EBADMSG;
	config_free(&c);
	return err;
}

int cmd_config_check(const struct config *c)
{
	const char *path = c->operand_count ? c->operands[0] : CONFIG_FILE_DEFAULT;

	if (c->operand_count > 1) {
		log_error("one file at a time: tokscope config check [FILE]");
		return EXIT_USAGE;
	}
	if (check_file(path))
		return 1;
	printf("%s: ok\n", path);
	return 0;
}
