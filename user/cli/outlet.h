/* SPDX-License-Identifier: Apache-2.0 */
/* Where the agent's findings go besides /metrics: the file of records, and OTLP. What cannot be delivered is counted. */
#ifndef CLI_OUTLET_H
#define CLI_OUTLET_H

#include <pthread.h>
#include <stdbool.h>

#include "base/buf.h"
#include "cli/config.h"
#include "export/otlp.h"
#include "metric/registry.h"
#include "track/record.h"

struct outlet {
	struct registry *registry;
	struct otlp *otlp;
	struct sampler *sampler; /* NULL: no spans are exported */
	int records_fd;		 /* -1: there is no record file */
	struct buf line;
	pthread_t retiring; /* flushes the OTLP of before a reload */
	bool retires;
	bool full; /* the record file took no line when it was last tried */
};

#define OUTLET_INIT              \
	{                        \
		.records_fd = -1 \
	}

/* registry must outlive the outlet. Returns 0 or a negative errno after logging; outlet_close() is due in either case. */
int outlet_open(struct outlet *o, const struct config *c, struct registry *registry);
/*
 * Opens the record file anew (it may have been rotated) and, where `changed`, takes over sampling and endpoints from c. What the
 * old endpoints still have to send is sent in the background. On failure all stays as it was, after logging.
 */
int outlet_reload(struct outlet *o, const struct config *c, bool changed);
void outlet_record(struct outlet *o, const struct request_record *r);
/* Copies its counters into the registry. */
void outlet_update(struct outlet *o);
/* Flushes for at most 5 seconds. One that was never opened is fine. */
void outlet_close(struct outlet *o);

#endif
