/* SPDX-License-Identifier: Apache-2.0 */
/* Label values of one measurement that begins with a server's identity, and the memory that they are in. */
#ifndef CLI_LABELS_H
#define CLI_LABELS_H

#include <stdint.h>
#include <stdio.h>

#include "discover/server.h"
#include "metric/registry.h"

/* S of metrics.def */
#define SERVER_LABELS 5

#define NUMBER_MAX    12 /* a 32-bit number as text */

struct labels {
	const char *values[METRIC_LABELS_MAX];
	char port[NUMBER_MAX];
	char number[NUMBER_MAX]; /* for one more value */
};

/* The texts are those of s, which must live as long. */
static inline void labels_of_server(struct labels *l, const struct server *s)
{
	snprintf(l->port, sizeof(l->port), "%u", s->port);
	l->values[0] = s->service_name;
	l->values[1] = s->instance_id;
	l->values[2] = s->engine;
	l->values[3] = s->address;
	l->values[4] = s->port ? l->port : NULL;
}

#endif
