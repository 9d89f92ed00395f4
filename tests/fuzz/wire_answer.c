// SPDX-License-Identifier: Apache-2.0
/* A body. First byte: bits 0 and 1 its format, bit 2 a request's, bits 3 and up the dialect; then the body. */
#include "../unit/wire_log.h"
#include "fuzz.h"

struct input {
	enum dialect dialect;
	enum body_format format;
	bool response;
	const uint8_t *data;
	size_t len;
};

static struct answer *start(const struct input *in, struct wire_log *l)
{
	struct answer *a =
		answer_new(in->dialect, in->response, in->format, &wire_log_answer_events, l);

	if (!a)
		abort();
	return a;
}

static void check_name(const char *s, size_t max, const char *allowed)
{
	fuzz_check(strlen(s) <= max);
	fuzz_check(strspn(s, allowed) == strlen(s));
}

/* Whatever the body says, the facts keep to their bounds. */
static void check_facts(const struct answer_facts *f)
{
#define LOWER "abcdefghijklmnopqrstuvwxyz"
	check_name(f->model, ANSWER_MODEL_MAX, LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/@+-");
	check_name(f->finish_reason, ANSWER_REASON_MAX, LOWER "_");
	fuzz_check(f->input_tokens >= -1 && f->output_tokens >= -1 && f->cached_tokens >= -1);
	fuzz_check(f->stream >= -1 && f->stream <= 1 && f->choices >= -1);
	fuzz_check(f->content_events <= f->events);
}

static void run(const struct input *in, struct wire_log *l, wire_cut cut, void *ctx)
{
	struct answer *a = start(in, l);

	buf_puts(&l->out, "");
	for (size_t at = 0, n; at < in->len; at += n) {
		uint8_t *piece;

		n = cut(ctx, at, in->len - at);
		piece = malloc(n);
		if (!piece)
			abort();
		memcpy(piece, in->data + at, n);
		answer_feed(a, piece, n);
		free(piece);
	}
	answer_end(a);
	check_facts(answer_facts(a));
	wire_log_facts(&l->out, answer_facts(a));
	answer_free(a);
}

static void check_cut(const struct input *in, wire_cut cut, void *ctx, const char *want)
{
	struct wire_log l = { 0 };

	run(in, &l, cut, ctx);
	fuzz_same(l.out.data, want);
	wire_log_free(&l);
}

/* After a gap at any place, one event that is lost and one that is read, the terminator. */
static void check_resume(const struct input *in, size_t at)
{
	static const char *const tails[] = {
		[BODY_SSE] = "x\n\n\ndata: [DONE]\n\n", [BODY_NDJSON] = "x\n[DONE]\n"
	};
	const char *tail = in->format < sizeof(tails) / sizeof(*tails) ? tails[in->format] : NULL;
	struct wire_log l = { 0 };
	struct answer *a;
	uint64_t events;

	if (!tail || !in->response)
		return;
	a = start(in, &l);
	answer_feed(a, in->data, at);
	answer_gap(a, 1);
	events = answer_facts(a)->events;
	answer_feed(a, (const uint8_t *)tail, strlen(tail));
	fuzz_check(answer_facts(a)->events == events + 1);
	fuzz_check(answer_facts(a)->done);
	fuzz_check(!answer_facts(a)->in_sync);
	answer_end(a);
	check_facts(answer_facts(a));
	answer_free(a);
	wire_log_free(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint32_t x = fuzz_seed(data, len);
	struct wire_log whole = { 0 };
	struct input in;

	if (!len)
		return 0;
	in = (struct input){ .dialect = (data[0] >> 3) % DIALECT_MAX,
			     .format = data[0] & 3,
			     .response = !(data[0] & 4),
			     .data = data + 1,
			     .len = len - 1 };
	run(&in, &whole, wire_cut_none, NULL);
	check_cut(&in, wire_cut_bytes, NULL, whole.out.data);
	check_cut(&in, wire_cut_random, &x, whole.out.data);
	check_resume(&in, x % len);
	wire_log_free(&whole);
	return 0;
}
