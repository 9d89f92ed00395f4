/* SPDX-License-Identifier: Apache-2.0 */
/* What was asked for: by default, the configuration file, the environment and the command line. Passed down as const. */
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attach/probes.h"
#include "base/log.h"
#include "cli/config_table.h"
#include "export/otlp_settings.h"
#include "load/loader.h"
#include "track/sampler.h"

/* A repeatable option. */
struct number_list {
	uint32_t *items;
	size_t count;
};

struct string_list {
	const char **items;
	size_t count;
};

/* Weakest first: a setting is what the strongest one says about it. */
enum config_source {
	CONFIG_DEFAULT,
	CONFIG_FILE,
	CONFIG_ENVIRONMENT,
	CONFIG_ARGUMENT,
};

struct config_origin {
	enum config_source source;
	unsigned int line;    /* in the file */
	const char *variable; /* of the environment */
};

/* By default trace_based: those of requests whose trace is exported. */
enum exemplar_filter {
	EXEMPLARS_TRACE_BASED,
	EXEMPLARS_OFF,
};

/* When GPUs are read from NVML; auto: where dcgm-exporter does not read them. */
enum nvml_when {
	NVML_AUTO,
	NVML_ON,
	NVML_OFF,
};

struct command;

/* Every text and list in it is its own. */
struct config {
	bool help;
	const char *config_file; /* the one that was read; NULL: none */
	int log_level;
	/* selection by hand; empty: discover */
	struct number_list pids;
	struct number_list ports;
	struct string_list comms;
	/* capture */
	int backend; /* enum socket_backend */
	uint64_t ring_bytes;
	bool bpf_stats;
	int gpu_hook; /* enum gpu_hook */
	const char *gpu_majors;
	bool cupti;	       /* GPU work of processes that have libtokscope_cupti.so */
	int nvml;	       /* enum nvml_when */
	const char *nvml_path; /* NULL: looked for */
	uint64_t nvml_interval_ms;
	/* probe packs */
	const char *packs_folder;
	int probe_set;	     /* enum probe_set */
	double probe_budget; /* percent of one core for each traced process; 0: no limit */
	const char *library; /* probe watch */
	const char *binary;  /* probe check */
	/* agent */
	const char *listen;
	const char *records;
	const char *
		web_config; /* the exporter toolkit's web configuration: TLS and basic auth; NULL: none */
	struct otlp_settings otlp;
	struct sampler_config traces;
	uint64_t max_series;		     /* of one family; 0: the default */
	struct string_list extra_boundaries; /* "METRIC=BOUNDARY", read by extra_boundary_parse() */
	bool gen_ai_client;		     /* also the metrics that clients report */
	int exemplars;			     /* enum exemplar_filter */
	int kubernetes; /* enum tristate; unset: when the API server is told of in the environment */
	const char *kubernetes_api, *kubernetes_token, *kubernetes_ca; /* NULL: as a pod is told */
	const char *node_name; /* NULL: NODE_NAME, else the host's name */
	/* output */
	bool json;
	bool pretty;
	bool man;
	bool defaults;		 /* config show */
	const char *output_file; /* gpu timeline; NULL: its default */
	const char *cupti_mode;	 /* run: "graph", "node"; NULL: as the library does */
	/* request trace */
	uint64_t count;	   /* stop after this many requests; 0: never */
	double duration_s; /* stop after this long; 0: never */
	bool internal;	   /* show internal legs too */
	/* wire decode */
	const char *request_file;
	const char *response_file;
	/* the command line: argv[0] is the last word of the command */
	const struct command *command;
	int argc;
	char **argv;
	char **operands; /* what is left of it */
	int operand_count;
	/* by row of options.def */
	struct config_origin origin[OPTIONS_MAX];
	char **texts; /* owned */
	size_t text_count;
};

/* The defaults. Returns 0 or -ENOMEM; config_free() is due in either case. */
int config_init(struct config *c);
void config_free(struct config *c);
/* A copy of the text that lives as long as c; NULL: out of memory. */
const char *config_keep(struct config *c, const char *text);

/*
 * Fills c from all four sources. argv[0] is the last word of the command, as main() has it. The file and the environment are
 * read for commands of the group CONFIG only. Returns 0, -EINVAL for a wrong command line, -EBADMSG for a wrong file or
 * another negative errno, after printing what is wrong; config_free() is due in any case. A wrong OTEL_* variable is
 * warned about and ignored.
 */
int config_load(const struct command *cmd, int argc, char **argv, struct config *c);
/*
 * What no value by itself can tell: files that are not there, values that do not go together. Logs each problem with where it
 * comes from; returns their number.
 */
int config_check(const struct config *c);

#endif
