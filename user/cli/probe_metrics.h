/* SPDX-License-Identifier: Apache-2.0 */
/* Results of the probes, as the kernel side counts them, become metrics. */
#ifndef CLI_PROBE_METRICS_H
#define CLI_PROBE_METRICS_H

#include "cli/session.h"
#include "metric/registry.h"

struct probe_metrics;

/* NULL: out of memory. */
struct probe_metrics *probe_metrics_new(struct registry *r);
void probe_metrics_free(struct probe_metrics *m);

/* About once a second. */
void probe_metrics_update(struct probe_metrics *m, const struct session *s);
/* The server's series go with it. */
void probe_metrics_retire(struct probe_metrics *m, const struct session *s,
			  const struct server *server);

#endif
