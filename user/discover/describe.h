/* SPDX-License-Identifier: Apache-2.0 */
/* An observed server as an OpenTelemetry Resource (design.md 6, Identity). */
#ifndef DISCOVER_DESCRIBE_H
#define DISCOVER_DESCRIBE_H

#include "discover/server.h"
#include "metric/resource.h"

/* One reference, to be put. host_id, host_name: of this machine. NULL: out of memory. */
struct resource *server_resource(const struct server *s, const char *host_id,
				 const char *host_name);

#endif
