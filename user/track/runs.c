// SPDX-License-Identifier: Apache-2.0
#include "track/runs.h"

#include <utlist.h>

#include "track/conn.h"

static bool by_engine(const struct request *rq)
{
	return rq->phases.queued != 0;
}

/* 0: it does not run yet. */
static uint64_t run_start(const struct request *rq)
{
	if (!rq->complete || !rq->route)
		return 0;
	return by_engine(rq) ? rq->phases.started : rq->complete_ns;
}

static uint64_t last_content(const struct request *rq)
{
	uint64_t last = 0;

	for (int i = 0; i < ANSWER_CHOICES_MAX; i++)
		if (rq->choice_ns[i] > last)
			last = rq->choice_ns[i];
	return last;
}

static uint64_t run_stop(const struct request *rq, uint64_t end_ns)
{
	uint64_t stop = by_engine(rq) ? rq->phases.finished : last_content(rq);

	return stop && stop < end_ns ? stop : end_ns;
}

static void tell(struct request *rq, uint64_t start_ns, uint64_t stop_ns)
{
	struct tracker *t = rq->conn->tracker;
	const struct request_run run = {
		.id = rq->run,
		.server = conn_server(rq->conn),
		.by_engine = by_engine(rq),
		.start_ns = start_ns,
		.stop_ns = stop_ns,
	};

	t->ops->run(t->ctx, &run);
}

/* False: it does not run, or nobody wants to know. */
static bool run_begin(struct request *rq)
{
	struct tracker *t = rq->conn->tracker;
	uint64_t start = run_start(rq);

	if (rq->run)
		return true;
	if (!t->ops->run || !start || !conn_is_server_leg(rq->conn) || !conn_server(rq->conn))
		return false;
	rq->run = ++t->runs;
	tell(rq, start, 0);
	return true;
}

void runs_tick(struct tracker *t)
{
	struct conn *c;
	struct request *rq;

	if (!t->ops->run)
		return;
	DL_FOREACH(t->oldest, c)
	DL_FOREACH(c->requests, rq)
	run_begin(rq);
}

void run_end(struct request *rq, struct request_record *r, uint64_t end_ns)
{
	uint64_t start = run_start(rq), stop;

	if (!run_begin(rq))
		return;
	stop = run_stop(rq, end_ns ?: rq->conn->tracker->now);
	tell(rq, start, stop > start ? stop : start);
	r->run = rq->run;
}
