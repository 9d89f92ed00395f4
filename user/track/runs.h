/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a request runs: as the engine tells it, from its start to its end in there, else from request complete to the last
 * content. Private to user/track.
 */
#ifndef TRACK_RUNS_H
#define TRACK_RUNS_H

#include <stdint.h>

struct request;
struct request_record;
struct tracker;

/* Tells of requests that have begun to run since the last time. */
void runs_tick(struct tracker *t);
/* rq ends, and r is about to be reported: tells the end of its run, and puts the run's id into r. */
void run_end(struct request *rq, struct request_record *r, uint64_t end_ns);

#endif
