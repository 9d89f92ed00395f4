/* SPDX-License-Identifier: Apache-2.0 */
/* The agent about itself: losses, probes, its own process. */
#ifndef CLI_SELF_METRICS_H
#define CLI_SELF_METRICS_H

#include "cli/session.h"
#include "metric/registry.h"

/* Copies every counter the session's parts keep into the registry. On the session's thread. */
void self_metrics_update(struct registry *r, const struct session *s);

#endif
