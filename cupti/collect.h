/* SPDX-License-Identifier: Apache-2.0 */
/* One subscription to CUPTI: which kinds of records it makes, and what becomes of the buffers it fills. */
#ifndef COLLECT_H
#define COLLECT_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "attributes.h"
#include "buffers.h"
#include "cupti_load.h"
#include "dump.h"
#include "pack.h"

struct collect {
	struct cupti_api api;
	void *subscriber; /* NULL: not subscribed */
	struct attributes attributes_before;
	bool node_level; /* the nodes of graphs instead of graphs */
	uint64_t on;	 /* kinds that we have turned on: a bit each */
	bool kinds_on;	 /* those that are on only while records are wanted */
	pid_t owner;	 /* children of a fork have CUPTI's memory, but not its threads */
	struct buffers buffers;
	uint64_t flushes_failed;
	cupti_result last_error;
	_Atomic bool wanted; /* buffers are read */
	_Atomic int64_t clock_offset;
	_Atomic pthread_t flusher; /* its own CPU time is not counted twice */

	pthread_mutex_t lock; /* of what follows */
	struct pack pack;
	struct names names;
	struct dump dump;
	uint64_t unparsed, dropped, callback_cpu_ns;
};

/* Needs c->api loaded. 0 or -ENOMEM. */
int collect_init(struct collect *c, bool node_level);

/* RESULT_OK, or the error that kept it from being of use; it is unsubscribed then. */
cupti_result collect_subscribe(struct collect *c);

/* Has CUPTI hand over all that it has of ours, so that whoever registers next is never handed a buffer that is not his. */
void collect_unsubscribe(struct collect *c);

/*
 * Ends without a step that may hang the server: a CUPTI that cannot turn kernels off keeps its subscription, makes kernels and
 * graphs, and nobody reads them. Others are unsubscribed from.
 */
void collect_stand_down(struct collect *c);

/* Turns on or off what is recorded beyond graphs, and the reading of buffers. */
void collect_want(struct collect *c, bool wanted);

/* Has CUPTI hand over its buffers, after setting the clock; forced: unfinished records too. */
void collect_flush(struct collect *c, bool forced);

#endif
