/* SPDX-License-Identifier: Apache-2.0 */
/* The table of settings, options.def. */
#ifndef CLI_CONFIG_TABLE_H
#define CLI_CONFIG_TABLE_H

#include <stddef.h>

#define CONFIG_FILE_DEFAULT "/etc/tokscope/tokscope.yaml"

/* Which commands take an option: those with one of its groups. */
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
	OPERANDS = 1 << 12, /* no options: the command takes words */
	PROBES = 1 << 13,
	WATCH = 1 << 14,
	SHOW = 1 << 15,
	CONFIG = 1 << 16,    /* the command reads the configuration file and the environment */
	TELEMETRY = 1 << 17, /* what the agent exports, and how */
	SETTINGS = 1 << 18,
	TIMELINE = 1 << 19,
	RUN = 1 << 20,
	RELEASE = 1 << 21,
	COMMAND_LINE =
		1 << 22, /* the first word that is no option, and all after it, are a command */
	FEATURES = 1 << 23,

	/* everything that the agent takes */
	AGENT = SELECT | CAPTURE | GPU | PROBES | PACKS | WEB | RECORDS | TELEMETRY | CONFIG,
};

enum option_flag {
	RELOAD = 1 << 0,   /* a change is taken over on SIGHUP */
	SECRET = 1 << 1,   /* values are never shown */
	READABLE = 1 << 2, /* the value is a file that must be there */
};

enum option_kind {
	OPTION_FLAG,
	OPTION_TRISTATE,
	OPTION_STRING,
	OPTION_URL,
	OPTION_ADDRESS,
	OPTION_PAIRS,
	OPTION_STRINGS,
	OPTION_BOUNDARIES,
	OPTION_NUMBERS,
	OPTION_PORTS,
	OPTION_COUNT,
	OPTION_BYTES,
	OPTION_DECIMAL,
	OPTION_RATIO,
	OPTION_SECONDS,
	OPTION_MILLISECONDS,
	OPTION_LOG_LEVEL,
	OPTION_BACKEND,
	OPTION_GPU_HOOK,
	OPTION_NVML,
	OPTION_PROBE_SET,
	OPTION_EXEMPLARS,
	OPTION_PROTOCOL,
	OPTION_COMPRESSION,
	OPTION_TEMPORALITY,
	OPTION_HISTOGRAM,
	OPTION_EXPORTER,
	OPTION_KINDS,
};

struct option_spec {
	const char *name; /* of the flag; NULL: not on the command line */
	char letter;	  /* 0: none */
	enum option_kind kind;
	size_t offset; /* of the field in struct config */
	unsigned int group;
	const char *metavar;  /* NULL: takes no value; "[=...]": the value may be left out */
	const char *key;      /* in the file, "otlp.endpoint"; NULL: not there */
	const char *variable; /* of the environment; NULL: none */
	const char *fallback; /* the default, as it would be written; NULL: none */
	unsigned int flags;
	const char *help;
};

#define OPTION(...) +1
enum {
	OPTIONS_MAX = 0
#include "cli/options.def"
};
#undef OPTION

extern const struct option_spec options[OPTIONS_MAX];

/* NULL: no setting has this key. */
const struct option_spec *option_by_key(const char *key);

#endif
