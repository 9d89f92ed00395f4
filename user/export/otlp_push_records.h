/* SPDX-License-Identifier: Apache-2.0 */
/* Pushes spans or log records: a bounded queue, batches by size or time, each sent until it is taken, refused or expired. */
#ifndef EXPORT_OTLP_PUSH_RECORDS_H
#define EXPORT_OTLP_PUSH_RECORDS_H

#include "export/otlp_queue.h"
#include "export/otlp_worker.h"

struct otlp_push_records {
	struct otlp_worker worker;
	struct otlp_queue queue;    /* under worker.lock */
	struct kept_record **batch; /* under way; room for queue.batch */
	size_t count;		    /* of the batch */
	uint64_t items;		    /* spans or log records of the batch */
	struct resource
		*own; /* the agent's, for records that have none; NULL: it was not described */
	bool looked_up;
};

/* worker.rules, .ops and .ctx are set before. Like otlp_worker_init(); then it runs. */
int otlp_push_records_start(struct otlp_push_records *p, const struct otlp_settings *settings,
			    enum otlp_signal signal);
/* From any thread, never waits. */
void otlp_push_records_add(struct otlp_push_records *p, const struct request_record *r,
			   struct resource *resource);
/* After otlp_worker_stop(). */
void otlp_push_records_free(struct otlp_push_records *p);

#endif
