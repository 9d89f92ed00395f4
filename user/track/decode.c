// SPDX-License-Identifier: Apache-2.0
/* `wire decode`: the tracker on recorded bytes. No clock: all times stay unknown. */
#include <errno.h>

#include "track/conn.h"

/* Recorded requests come all at once, before the answers: they look pipelined. */
#define RECORDED_MAX 65536

static void feed(struct conn *c, enum tks_dir dir, const uint8_t *data, size_t len)
{
	struct stream_piece p = { .data = data, .len = len };

	conn_piece(c, dir, &p);
}

/*
 * Requests first, so that each answer finds its own. The end of the recording is an orderly end of the answers, but
 * tells nothing about an answer that was cut.
 */
int tracker_decode(const struct tracker_ops *ops, void *ctx, const uint8_t *request,
		   size_t request_len, const uint8_t *response, size_t response_len)
{
	struct tracker_config config = { .max_pipelined = RECORDED_MAX };
	struct tracker *t = tracker_new(&config, ops, ctx);
	struct tks_data d = { .dir = TKS_RECV };
	struct conn *c = t ? conn_new(t, &d) : NULL;

	if (!c) {
		tracker_free(t);
		return -ENOMEM;
	}
	feed(c, TKS_RECV, request, request_len);
	feed(c, TKS_SEND, response, response_len);
	if (c->x)
		http1_eof(&c->x->response);
	if (c->state == CONN_NEW)
		conn_unparsed(c, UNPARSED_UNKNOWN);
	conn_free(c);
	tracker_free(t);
	return 0;
}
