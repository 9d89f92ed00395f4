/* SPDX-License-Identifier: Apache-2.0 */
/* Label values of one measurement that begins with a server's identity, and the memory that they are in. */
#ifndef DISCOVER_LABELS_H
#define DISCOVER_LABELS_H

#include <stdint.h>
#include <stdio.h>

#include "discover/server.h"
#include "metric/registry.h"

#define SERVER_LABELS 7

#define NUMBER_MAX    12 /* a 32-bit number as text */

struct labels {
	const char *values[METRIC_LABELS_MAX];
	char port[NUMBER_MAX];
	char number[NUMBER_MAX]; /* for one more value */
};

/* S of metrics.def, in its order. The texts are those of s and `port`, which must live as long. */
static inline void server_labels(const struct server *s, char port[NUMBER_MAX], const char **values)
{
	snprintf(port, NUMBER_MAX, "%u", s->port);
	values[0] = s->service_name;
	values[1] = s->instance_id;
	values[2] = s->engine;
	values[3] = s->address;
	values[4] = s->port ? port : NULL;
	values[5] = s->k8s.namespace_name;
	values[6] = s->k8s.pod_name;
}

static inline void labels_of_server(struct labels *l, const struct server *s)
{
	server_labels(s, l->port, l->values);
}

#endif
