/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent knows of each server, as JSON: the answer of its /servers page and the rows of `server list`.
 * Published by the session's thread once a second, read by the listener's.
 */
#ifndef CLI_SERVER_STATUS_H
#define CLI_SERVER_STATUS_H

#include <jansson.h>

#include "base/buf.h"
#include "discover/discovery.h"
#include "track/tracker.h"

struct server_status;

struct server_status *server_status_new(void); /* NULL: out of memory */
void server_status_free(struct server_status *st);

void server_status_unparsed(struct server_status *st, const struct server *s,
			    enum unparsed_reason reason);
void server_status_retire(struct server_status *st, const struct server *s);

/* Session's thread: renders all servers. */
void server_status_publish(struct server_status *st, const struct discovery *d);
/* Any thread: appends the last rendering. Returns 0 or -EAGAIN before the first. */
int server_status_json(struct server_status *st, struct buf *out);

/* One server as a JSON object; `unparsed` holds UNPARSED_MAX counts, NULL: not known (no agent). */
json_t *server_status_object(const struct server *s, const uint64_t *unparsed);

#endif
