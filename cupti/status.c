// SPDX-License-Identifier: Apache-2.0
#include "status.h"

#include "keeper.h"
#include "probes.h"

void status_tell(struct keeper *k)
{
	struct collect *c = &k->collect;
	struct tks_cupti_status status = {
		.version = TKS_CUPTI_VERSION,
		.cupti_version = c->api.version,
		.state = k->state,
		.reason = k->reason,
		.result = k->result,
		.node_level = c->node_level,
		.buffers_refused = c->buffers.refused,
	};

	if (!probe_status_attached())
		return;
	pthread_mutex_lock(&c->lock);
	status.records = c->pack.records;
	status.unparsed = c->unparsed;
	status.dropped = c->dropped;
	status.invalid = c->pack.invalid;
	status.unknown = c->pack.unknown;
	status.names_lost = c->names.lost;
	status.cpu_ns = k->cpu_ns + c->callback_cpu_ns;
	status.overhead_ns = c->pack.overhead_ns;
	pthread_mutex_unlock(&c->lock);
	probe_status(&status);
}
