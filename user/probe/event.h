/* SPDX-License-Identifier: Apache-2.0 */
/* What probes in an engine tell of its requests: struct tks_probe_event with the meaning that the pack's `event:` gives it. */
#ifndef PROBE_EVENT_H
#define PROBE_EVENT_H

#include <stdint.h>

enum pack_event {
	EVENT_NONE,
	EVENT_TOKENIZED, /* duration_ns was spent on the text of the request that this thread has read last */
	EVENT_QUEUED, /* the request that this thread has read last waits; `id` names it from here on */
	EVENT_STARTED,	/* request `id` is taken up, in `slot` */
	EVENT_TOKEN,	/* a token for `slot`: the first ends its prefill */
	EVENT_FINISHED, /* `slot` is done */
	EVENTS,
};

/* Engines without slots name the request in `slot` as well. Ids are the engine's own; they are never exported. */
struct engine_event {
	enum pack_event kind;
	uint32_t tgid, tid;
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	uint64_t id, slot;
	uint64_t duration_ns;
};

#endif
