/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a series belongs to, as OTLP tells it: the attributes of an OpenTelemetry Resource. Immutable and shared by reference
 * count, so that exporters may keep it on their own threads.
 */
#ifndef METRIC_RESOURCE_H
#define METRIC_RESOURCE_H

#include <stddef.h>
#include <stdint.h>

struct attribute {
	const char *key;  /* "service.name" */
	const char *text; /* NULL: the value is `number` */
	int64_t number;
};

struct resource {
	unsigned int refs; /* atomic */
	size_t count;
	struct attribute attributes[];
};

/*
 * Copies keys and texts, '?' for each byte that is no UTF-8, as series do; attributes whose text is "" are left out. One
 * reference. NULL: out of memory.
 */
struct resource *resource_new(const struct attribute *attributes, size_t count);
/* From any thread. NULL is passed through. */
struct resource *resource_get(struct resource *r);
void resource_put(struct resource *r);
/* The text of an attribute; NULL: none such, or a number. */
const char *resource_text(const struct resource *r, const char *key);

#endif
