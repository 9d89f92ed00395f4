/* SPDX-License-Identifier: Apache-2.0 */
/* Which inference engine a process runs, by engines.def. */
#ifndef DISCOVER_ENGINE_H
#define DISCOVER_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "discover/server.h"

#define ENGINE_UNKNOWN "unknown" /* label of a server that was selected by hand and fits no rule */

enum engine_role {
	ENGINE_SERVER,
	ENGINE_WORKER,
};

/* Where a rule looks: the head of a pack's file, docs/packs.md, says what each means. */
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
};

struct engine_match {
	const char *engine; /* NULL: none; static storage */
	enum engine_role role;
	bool by_maps; /* by its libraries alone: any process of the engine has those */
	/* "executable llama-server", "runs vllm serve", "maps libllama.so.0" */
	char reason[SERVER_REASON_MAX];
};

/* By what it was started as. exe: path of the executable, "" where unreadable. False, and m zeroed: no rule fits. */
bool engine_match_program(struct engine_match *m, const char *exe, const char *const *argv,
			  int argc);
/* By its mapped files: reads all of /proc/PID/maps. */
bool engine_match_maps(struct engine_match *m, const char *proc_root, uint32_t pid);

#endif
