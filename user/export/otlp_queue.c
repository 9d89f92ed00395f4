// SPDX-License-Identifier: Apache-2.0
#include "export/otlp_queue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct kept_record *kept_record_new(const struct request_record *r, struct resource *resource)
{
	struct kept_record *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->record = *r;
	k->record.server = NULL;
	k->record.itl = NULL;
	k->itl_count = r->itl ? r->itl->count : 0;
	if (r->server) {
		snprintf(k->address, sizeof(k->address), "%s", r->server->address);
		k->port = r->server->port;
	}
	k->resource = resource_get(resource);
	return k;
}

void kept_record_free(struct kept_record *k)
{
	if (!k)
		return;
	resource_put(k->resource);
	free(k);
}

int otlp_queue_init(struct otlp_queue *q, size_t size, size_t batch, uint64_t delay_ns)
{
	*q = (struct otlp_queue){ .size = size, .batch = batch, .delay_ns = delay_ns };
	q->items = calloc(size, sizeof(struct kept_record *));
	return q->items ? 0 : -ENOMEM;
}

static struct kept_record *pop(struct otlp_queue *q)
{
	struct kept_record *oldest = q->items[q->first];

	q->first = (q->first + 1) % q->size;
	q->count--;
	return oldest;
}

void otlp_queue_free(struct otlp_queue *q)
{
	while (q->count)
		kept_record_free(pop(q));
	free(q->items);
	*q = (struct otlp_queue){ 0 };
}

struct kept_record *otlp_queue_push(struct otlp_queue *q, struct kept_record *item, uint64_t now_ns)
{
	struct kept_record *oldest = q->count == q->size ? pop(q) : NULL;

	if (!q->count && !oldest)
		q->since_ns = now_ns;
	q->items[(q->first + q->count++) % q->size] = item;
	return oldest;
}

uint64_t otlp_queue_due(const struct otlp_queue *q)
{
	if (!q->count)
		return UINT64_MAX;
	return q->count >= q->batch ? 0 : q->since_ns + q->delay_ns;
}

size_t otlp_queue_take(struct otlp_queue *q, struct kept_record **out, uint64_t now_ns)
{
	size_t n = 0;

	while (q->count && n < q->batch)
		out[n++] = pop(q);
	q->since_ns = now_ns;
	return n;
}
