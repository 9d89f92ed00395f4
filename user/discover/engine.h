/* SPDX-License-Identifier: Apache-2.0 */
/* Which inference engine a process runs, by a table of rules: those of the probe packs. */
#ifndef DISCOVER_ENGINE_H
#define DISCOVER_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "discover/server.h"

#define ENGINE_UNKNOWN "unknown" /* label of a server that was selected by hand and fits no rule */

enum engine_role {
	ENGINE_SERVER, /* a server as soon as it listens */
	/* A part of one: traced, but what it listens on (shards, rendezvous stores) is no server of its own. */
	ENGINE_WORKER,
};

/*
 * Where a rule looks:
 * PROGRAM  what runs: basename of argv[0], of the executable, of an interpreter's script, or the module of `python -m`;
 *	    with `word`, the next argument must be that ("vllm serve", not "vllm bench")
 * TITLE    the whole of argv[0], where a process has renamed itself (setproctitle)
 * MAPS     path of a mapped file: looked at only where a process listens
 * The first rule that fits counts, PROGRAM and TITLE before MAPS.
 */
enum engine_source {
	ENGINE_PROGRAM,
	ENGINE_TITLE,
	ENGINE_MAPS,
};

struct engine_rule {
	const char *engine;
	enum engine_role role;
	enum engine_source source;
	const char *glob;
	const char *word; /* with ENGINE_PROGRAM: the next argument must be that; NULL: any */
	/* Ports that serve something else (metrics, gRPC): "--metrics-port=8002 ...", options with their defaults; NULL: none. */
	const char *other_ports;
};

#define ENGINE_OTHER_PORTS 4

struct engine_rules {
	const struct engine_rule *items;
	size_t count;
};

struct engine_match {
	const char *engine; /* NULL: none; the rule's */
	enum engine_role role;
	bool by_maps; /* by its libraries alone: any process of the engine has those */
	uint16_t other_ports[ENGINE_OTHER_PORTS]; /* 0: none */
	/* "executable llama-server", "runs vllm serve", "maps libllama.so.0" */
	char reason[SERVER_REASON_MAX];
};

/* By what it was started as. exe: path of the executable, "" where unreadable. False, and m zeroed: no rule fits. */
bool engine_match_program(struct engine_match *m, const struct engine_rules *rules, const char *exe,
			  const char *const *argv, int argc);
/* By its mapped files: reads all of /proc/PID/maps. */
bool engine_match_maps(struct engine_match *m, const struct engine_rules *rules,
		       const char *proc_root, uint32_t pid);
/* Two packs may name the same engine: the names count. NULL is none. */
bool engine_same(const char *a, const char *b);

#endif
