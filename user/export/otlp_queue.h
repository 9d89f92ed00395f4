/* SPDX-License-Identifier: Apache-2.0 */
/* Finished requests that wait for their export: bounded, the oldest goes first. Without a lock of its own. */
#ifndef EXPORT_OTLP_QUEUE_H
#define EXPORT_OTLP_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "export/otlp_encode.h"

/* A copy with all that an exporter needs; takes a reference of resource. NULL: out of memory. */
struct kept_record *kept_record_new(const struct request_record *r, struct resource *resource);
void kept_record_free(struct kept_record *k);

struct otlp_queue {
	struct kept_record **items; /* ring */
	size_t size, batch;	    /* limits */
	uint64_t delay_ns;	    /* how long a batch may wait to become full */
	size_t first, count;
	uint64_t since_ns; /* the oldest has waited since then, or since the last batch was taken */
};

/* 0 or -ENOMEM. batch: 1..size. */
int otlp_queue_init(struct otlp_queue *q, size_t size, size_t batch, uint64_t delay_ns);
/* With all that is in it. */
void otlp_queue_free(struct otlp_queue *q);
/* Takes item over. Returns the oldest, the caller's now, where it had to make room; else NULL. */
struct kept_record *otlp_queue_push(struct otlp_queue *q, struct kept_record *item,
				    uint64_t now_ns);
/* When the next batch is to be sent: 0 at once (it is full), UINT64_MAX never (there is nothing). */
uint64_t otlp_queue_due(const struct otlp_queue *q);
/* Moves the oldest, at most q->batch of them, to out. Returns how many. */
size_t otlp_queue_take(struct otlp_queue *q, struct kept_record **out, uint64_t now_ns);

#endif
