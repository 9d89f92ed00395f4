// SPDX-License-Identifier: Apache-2.0
/*
 * One direction of a connection, and the bodies in it. First byte: bit 0 an answer, bit 1 every answer is one to HEAD,
 * bits 2 and up the dialect; then the stream.
 */
#include "../unit/wire_log.h"
#include "fuzz.h"

static struct wire_log start(uint8_t options)
{
	return (struct wire_log){ .response = options & 1,
				  .no_body = options & 2,
				  .dialect = (options >> 2) % DIALECT_MAX };
}

/* The cut of the stream must not show. */
static void check_cut(uint8_t options, const uint8_t *data, size_t len, wire_cut cut, void *ctx,
		      const char *want)
{
	struct wire_log l = start(options);

	wire_log_stream(&l, data, len, cut, ctx);
	fuzz_same(l.out.data, want);
	wire_log_free(&l);
}

/* Header values and targets must not stay: line[] is in use only where a line is read. */
static void check_wiped(const struct http1 *p)
{
	if (p->state == HTTP1_S_LINE || p->state == HTTP1_S_HEADER || p->state == HTTP1_S_TRAILER)
		return;
	for (size_t i = 0; i < sizeof(p->line); i++)
		fuzz_check(!p->line[i]);
	for (size_t i = 0; i < sizeof(p->head.target); i++)
		fuzz_check(!p->head.target[i]);
}

/* Every other piece is missing. Once framing is lost it stays so. */
static void check_gaps(uint8_t options, const uint8_t *data, size_t len, uint32_t x)
{
	struct wire_log l = start(options);
	struct http1 p;
	int err = 0;
	bool gap = false;

	wire_log_body_flush(&l);
	http1_init(&p, l.response ? HTTP1_RESPONSE : HTTP1_REQUEST, &wire_log_events, &l);
	for (size_t at = 0, n; at < len; at += n, gap = !gap) {
		bool broken = p.state == HTTP1_S_BROKEN;

		n = wire_cut_random(&x, at, len - at);
		err = gap ? http1_gap(&p, n) : http1_feed(&p, data + at, n);
		fuzz_check(!broken || err);
		fuzz_check((err != 0) == (p.state == HTTP1_S_BROKEN));
		check_wiped(&p);
	}
	http1_eof(&p);
	http1_restart(&p);
	fuzz_check(http1_idle(&p));
	wire_log_free(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint32_t x = fuzz_seed(data, len);
	struct wire_log whole;

	if (!len)
		return 0;
	whole = start(data[0]);
	wire_log_stream(&whole, data + 1, len - 1, wire_cut_none, NULL);
	check_cut(data[0], data + 1, len - 1, wire_cut_bytes, NULL, whole.out.data);
	check_cut(data[0], data + 1, len - 1, wire_cut_random, &x, whole.out.data);
	check_gaps(data[0], data + 1, len - 1, x);
	wire_log_free(&whole);
	return 0;
}
