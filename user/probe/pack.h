/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probe packs (design.md 5): YAML that says how an engine is recognised, which functions of it are probed, and what becomes
 * of what is read there. docs/packs.md is the reference; user/probe/packs/ holds those that are built in.
 */
#ifndef PROBE_PACK_H
#define PROBE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "discover/engine.h"
#include "probe/event.h"
#include "probe/resolve.h"
#include "tks_probe.h"

#define PACK_NAME_MAX 64

/* The files that a probe is looked for in: any that fits one of them. */
struct pack_library {
	char **globs; /* on the name's last part; on the whole path where it has a slash */
	size_t count;
};

enum pack_result_kind {
	RESULT_COUNTER,
	RESULT_HISTOGRAM, /* of values */
	RESULT_DURATION,  /* seconds: of a timer, or of a value in nanoseconds */
	RESULT_GAUGE,
};

/*
 * One result, a row of the table that tks_probe_action.metric indexes. `metric` is one of the names in pack_metrics.def
 * ("engine.stage.duration", "engine.batch.size", ...), or NULL: then it is reported under the general families
 * tokscope_probe_*, with `name` as the label probe.
 */
struct pack_result {
	enum pack_result_kind kind;
	/* "llama.cpp:batch_tokens"; of a metric its own and the label: "engine.stage.duration:decode" */
	char name[PACK_NAME_MAX * 2];
	const char *metric;
	char label[PACK_NAME_MAX]; /* the value of the metric's label; "" where it has none */
	bool by_value;		   /* a GAUGE that is set, not added to */
};

/* Layout guards: all that are given must hold. */
struct pack_when {
	char **build_ids;
	size_t build_id_count;
	char **symbols; /* each must be there; "!name" must not */
	size_t symbol_count;
	char *file; /* glob on the file's path */
};

struct pack_probe {
	char name[PACK_NAME_MAX];
	int line; /* in the file, for messages */
	struct pack_library library;
	enum target_kind kind;
	enum target_at at;
	char **patterns; /* tried in order; the first that is found counts, unless `all` */
	size_t pattern_count;
	bool all;
	bool full;	  /* only in the full pack: not attached by default */
	bool loose_start; /* the timers that it starts may run already: no loss */
	bool loose_stop;  /* those that it stops may not run: likewise */
	struct pack_when when;
	char *no_unwind; /* why no exception passes: required for AT_RETURN_PROBE */
	struct tks_probe_site
		spec; /* metric and timer numbers are final; arguments of USDT are filled in at attach */
	uint8_t usdt_read
		[TKS_PROBE_READS]; /* TARGET_USDT: 1 + number of the argument a read begins with; 0: none */
	bool emits;
	enum pack_event event;
	/* Which values of struct tks_probe_event are the event's id and slot; TKS_PROBE_NO_READ: it has none. */
	uint8_t event_id, event_slot;
	char value_name[TKS_PROBE_READS][PACK_NAME_MAX];
	/* Of each action, numbered within the pack; `spec` holds the numbers over all packs. TKS_PROBE_NO_METRIC: none. */
	uint16_t local_result[TKS_PROBE_ACTIONS], local_timer[TKS_PROBE_ACTIONS];
};

struct pack {
	char name[PACK_NAME_MAX];
	char *origin;		   /* "built in", or its path */
	char *engine;		   /* label tokscope_server; NULL: any engine */
	char *summary;		   /* NULL: none */
	struct engine_rule *rules; /* how its processes are recognised (discover/engine.h) */
	size_t rule_count;
	bool many; /* its places are so many that they are only attached where those are cheap (loader_probes_many) */
	struct pack_probe *probes;
	size_t probe_count;
	struct pack_result *results; /* its own, by local_result */
	size_t result_count;
	uint16_t timer_count;
};

/*
 * All packs together, by name. They share one numbering of results and timers; what packs report under one metric and
 * label is one row. Zeroed: no packs.
 */
struct packs {
	struct pack *items;
	size_t count;
	struct engine_rule *rules; /* of all packs, for discovery; strings are those of the packs */
	size_t rule_count;
	struct pack_result *results;
	size_t result_count;
	uint16_t timer_count;
};

/* The packs inside the binary. Never fails but by -ENOMEM: they are checked by the tests. */
int packs_builtin(struct packs *p);
/*
 * One file; a pack of the same name replaces the one that is there. On failure p is as before, and *error (to be freed)
 * says "FILE:LINE: what, and what is allowed".
 */
int packs_load_file(struct packs *p, const char *path, char **error);
int packs_load_text(struct packs *p, const char *origin, const char *text, size_t len,
		    char **error);
/* Every *.yaml of a folder, by name; a folder that is not there is no error. Bad files are logged and passed over; returns
 * how many were, or negative errno. */
int packs_load_folder(struct packs *p, const char *folder);
void packs_free(struct packs *p);
/* What the agent works with: those inside the binary, then those of the folder. NULL with errno set, after logging. */
struct packs *packs_open(const char *folder);
void packs_close(struct packs *p); /* may be NULL */
/* NULL: none of that name. */
const struct pack *packs_find(const struct packs *p, const char *name);

/* As packs write them: "symbol", "usdt", ...; "entry", "return", "return_probe". */
const char *target_kind_name(enum target_kind kind);
const char *target_at_name(enum target_at at);

/* Does the pack's `when:` hold for this file? */
bool pack_when_holds(const struct pack_when *w, struct binary *b);
/* Is the probe to be looked for in this file? name: as the process sees it. */
bool pack_wants_file(const struct pack_probe *p, const char *name);
/* The spec for one site: with USDT arguments in place. Negative errno: the site lacks an argument the probe reads. */
int pack_site_spec(const struct pack_probe *p, const struct site *s, struct tks_probe_site *out);

#endif
