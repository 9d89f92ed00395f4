/* SPDX-License-Identifier: Apache-2.0 */
/* Where the agent's findings go besides /metrics: the file of records, and OTLP. What cannot be delivered is counted. */
#ifndef CLI_OUTLET_H
#define CLI_OUTLET_H

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
	bool full; /* the record file took no line when it was last tried */
};

/* registry must outlive the outlet. Returns 0 or a negative errno after logging; outlet_close() is due in either case. */
int outlet_open(struct outlet *o, const struct config *c, struct registry *registry);
/* Sampling, endpoints and the record file as c now says; on failure the old ones stay, after logging. */
int outlet_reload(struct outlet *o, const struct config *c);
void outlet_record(struct outlet *o, const struct request_record *r);
/* Copies its counters into the registry. */
void outlet_update(struct outlet *o);
/* Flushes for at most 5 seconds. */
void outlet_close(struct outlet *o);

#endif
