/* SPDX-License-Identifier: Apache-2.0 */
/* What the command line said. Filled by args.c from options.def, then passed down as const. */
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attach/probes.h"
#include "base/log.h"
#include "export/otlp_settings.h"
#include "load/loader.h"
#include "track/sampler.h"

/* A repeatable option; items are owned by argv or by the list, freed by config_free(). */
struct number_list {
	uint32_t *items;
	size_t count;
};

struct string_list {
	const char **items;
	size_t count;
};

struct config {
	bool help;
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
	uint64_t max_series; /* of one family; 0: the default */
	bool gen_ai_client;  /* also the metrics that clients report */
	int kubernetes; /* enum tristate; unset: when the API server is told of in the environment */
	const char *kubernetes_api, *kubernetes_token, *kubernetes_ca; /* NULL: as a pod is told */
	const char *node_name; /* NULL: NODE_NAME, else the host's name */
	/* output */
	bool json;
	bool pretty;
	bool man;
	/* request trace */
	uint64_t count;	   /* stop after this many requests; 0: never */
	double duration_s; /* stop after this long; 0: never */
	bool internal;	   /* show internal legs too */
	/* wire decode */
	const char *request_file;
	const char *response_file;
	/* what is left on the command line */
	char **operands;
	int operand_count;
};

void config_init(struct config *c);
void config_free(struct config *c);

#endif
