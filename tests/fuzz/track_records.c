// SPDX-License-Identifier: Apache-2.0
/*
 * Kernel records in any order: each step of the input is (what, which socket, length, gap) and then payload bytes.
 * Whatever comes, gauges balance and every request that was begun is reported.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "track/tracker.h"

#define SOCKETS	   4
#define STEP_BYTES 4

enum step {
	STEP_DATA,
	STEP_UNIX,
	STEP_RESULT,
	STEP_STATE,
	STEP_EXIT,
	STEP_TICK,
	STEPS
};

struct totals {
	long in_flight, awaiting;
	uint64_t finished;
};

static struct server server = { .id = 1, .engine = "unknown", .port = 8080 };

static const struct server *resolve(void *ctx, uint32_t tgid, const struct tks_sock *sk)
{
	(void)ctx;
	(void)sk;
	return tgid ? &server : NULL;
}

static void finished(void *ctx, const struct request_record *r)
{
	struct totals *t = ctx;

	if (r->outcome == OUTCOME_UNKNOWN && r->output_tokens >= 0)
		abort(); /* a guess */
	if (r->status / 100 != 2 && (*r->request_model || *r->response_model))
		abort();
	/* No count of the connections is above 255, and none grows by going back. */
	if (r->retransmits > UINT8_MAX || r->send_stall_s > UINT8_MAX)
		abort();
	if (r->bytes_after_close > (int64_t)r->bytes_out)
		abort();
	t->finished++;
}

static void gauge(void *ctx, const struct server *s, int in_flight, int awaiting)
{
	struct totals *t = ctx;

	(void)s;
	t->in_flight += in_flight;
	t->awaiting += awaiting;
	if (t->awaiting < 0 || t->in_flight < t->awaiting)
		abort();
}

static const struct tracker_ops ops = { .resolve = resolve, .finished = finished, .gauge = gauge };

struct input {
	const uint8_t *data;
	size_t len;
};

static uint8_t take_byte(struct input *in)
{
	if (!in->len)
		return 0;
	in->len--;
	return *in->data++;
}

static struct tks_sock sock_of(unsigned int n)
{
	struct tks_sock sk = { .id = n + 1,
			       .ino = 1,
			       .netns = 1,
			       .family = 2,
			       .laddr = { 127, 0, 0, 1 },
			       .raddr = { 127, 0, 0, 1 } };

	/* Sockets 0 and 1 are the two ends of one connection. */
	sk.lport = n == 1 ? 40000 : 8080;
	sk.rport = n == 1 ? 8080 : 40000 + n;
	return sk;
}

struct driver {
	struct tracker *tracker;
	uint64_t pos[SOCKETS][2];
	uint64_t now;
};

static void data_step(struct driver *d, struct input *in, unsigned int n, uint8_t arg, uint8_t gap,
		      uint16_t flags)
{
	size_t len = arg < in->len ? arg : in->len;
	struct tks_data *r = calloc(1, sizeof(*r) + len);
	enum tks_dir dir = gap & 1;

	if (!r)
		return;
	d->pos[n][dir] += gap >> 4;
	r->h = (struct tks_header){ .flags = flags, .time_ns = d->now, .tgid = n };
	r->sk = sock_of(n);
	r->dir = dir;
	r->pos = flags & TKS_DATA_UNIX ? d->pos[n][dir] : (uint32_t)d->pos[n][dir];
	r->len = len;
	r->skip = gap >> 1 & 7;
	r->ret = len + r->skip;
	r->tcp = (struct tks_tcp){ arg, gap, arg ^ gap, arg };
	memcpy(r->data, in->data, len);
	in->data += len;
	in->len -= len;
	d->pos[n][dir] += r->ret;
	tracker_data(d->tracker, r);
	free(r);
}

static void result_step(struct driver *d, unsigned int n, uint8_t arg, uint8_t dir)
{
	struct tks_data r = { .h = { .time_ns = d->now, .tgid = n },
			      .sk = sock_of(n),
			      .dir = dir & 1,
			      .ret = -(arg & 1) * 32 };

	tracker_data(d->tracker, &r);
}

static void state_step(struct driver *d, unsigned int n, uint8_t state, uint8_t arg, uint8_t more)
{
	struct tks_sock_state s = { .h = { .time_ns = d->now, .tgid = n },
				    .sk = sock_of(n),
				    .new_state = state % 12,
				    .err = arg & 1 ? 104 : 0,
				    .first = d->pos[n][TKS_SEND] - more,
				    .sent = d->pos[n][TKS_SEND] + (arg >> 1) % 8 };

	tracker_sock_state(d->tracker, &s);
}

static void step(struct driver *d, struct input *in)
{
	enum step what = take_byte(in) % STEPS;
	unsigned int n = take_byte(in) % SOCKETS;
	uint8_t arg = take_byte(in), more = take_byte(in);

	d->now += 1000000;
	switch (what) {
	case STEP_DATA:
		data_step(d, in, n, arg, more, 0);
		break;
	case STEP_UNIX:
		data_step(d, in, n, arg, more, TKS_DATA_UNIX);
		break;
	case STEP_RESULT:
		result_step(d, n, arg, more);
		break;
	case STEP_STATE:
		state_step(d, n, arg, more, take_byte(in));
		break;
	case STEP_EXIT:
		tracker_process_exit(d->tracker, n, d->now);
		break;
	case STEP_TICK:
		d->now += arg * 100000000ULL;
		tracker_tick(d->tracker, d->now);
		break;
	case STEPS:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tracker_config config = { .max_connections = 3,
					 .max_pipelined = 4,
					 .tick_ns = 1000000000 };
	struct totals totals = { 0 };
	struct driver d = { .tracker = tracker_new(&config, &ops, &totals), .now = 1000000000 };
	struct input in = { data, size };
	struct tracker_stats stats;

	while (in.len >= STEP_BYTES)
		step(&d, &in);
	tracker_get_stats(d.tracker, &stats);
	if (stats.connections > config.max_connections || stats.records != totals.finished)
		abort();
	tracker_free(d.tracker);
	if (totals.in_flight || totals.awaiting)
		abort();
	return 0;
}
