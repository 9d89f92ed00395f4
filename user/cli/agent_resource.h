/* SPDX-License-Identifier: Apache-2.0 */
/* The agent itself as an OpenTelemetry Resource; observed servers have theirs (discover/describe.h). */
#ifndef CLI_AGENT_RESOURCE_H
#define CLI_AGENT_RESOURCE_H

#include "cli/config.h"
#include "metric/resource.h"

/*
 * What is known of it, under what OTEL_RESOURCE_ATTRIBUTES says (which is left out as a whole, after logging, where it cannot be
 * read). host_id, host_name: of this machine. One reference, to be put. NULL: out of memory.
 */
struct resource *agent_resource(const struct config *c, const char *host_id, const char *host_name);

#endif
