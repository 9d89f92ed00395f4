/* SPDX-License-Identifier: Apache-2.0 */
/* An engine that tells of its requests, as probes do. */
#ifndef TRACK_ENGINE_H
#define TRACK_ENGINE_H

#include "track_world.h"

static void tell(struct world *w, const struct engine_event *e)
{
	struct engine_event told = *e;

	w->now += MS;
	told.time_ns = w->now;
	if (!told.tgid)
		told.tgid = SERVER_PID;
	tracker_engine_event(w->tracker, &told);
}

#define TELL(w, ...) tell(w, &(const struct engine_event){ __VA_ARGS__ })

static struct link link_read_by(struct world *w, uint16_t port, uint32_t tid)
{
	struct link l = link_new(w, port);

	l.tid = tid;
	return l;
}

static void head_and_token(struct link *l)
{
	answer(l, SSE_HEAD);
	chunk(l, TOKEN);
}

#endif
