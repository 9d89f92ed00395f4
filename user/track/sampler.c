// SPDX-License-Identifier: Apache-2.0
#include "track/sampler.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"

/* Seconds of the rate that may come at once: requests end in bursts. */
#define BURST_S 10
/* Of a trace id, these bits decide (W3C Trace Context 2, "random trace-id": the last 7 bytes). */
#define RANDOM_BITS 56

struct sampler {
	struct sampler_config config;
	struct sampler_stats stats;
	double tokens; /* spans that the rate lets through now */
	uint64_t refilled_ns;
};

struct sampler *sampler_new(const struct sampler_config *config)
{
	struct sampler *s = calloc(1, sizeof(*s));

	if (s)
		sampler_configure(s, config);
	return s;
}

void sampler_free(struct sampler *s)
{
	free(s);
}

void sampler_configure(struct sampler *s, const struct sampler_config *config)
{
	s->config = *config;
	s->tokens = config->rate * BURST_S;
}

/* ------------------------------------------------------------------ ids */

/* An id of zeros means "none" (W3C Trace Context, 3.2.2). Returns 0 or a negative errno. */
static int random_id(uint8_t *id, size_t len)
{
	do {
		if (getrandom(id, len, 0) != (ssize_t)len)
			return errno ? -errno : -EIO;
	} while (!id[0]);
	return 0;
}

static void write_hex(char *text, const uint8_t *id, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sprintf(text + 2 * i, "%02x", id[i]);
}

/* Without randomness there is no span: nothing is made up. */
static int identify(struct request_record *r)
{
	uint8_t trace[16], span[8];
	int err = random_id(span, sizeof(span));

	if (!err && !*r->trace_id) {
		err = random_id(trace, sizeof(trace));
		if (!err)
			write_hex(r->trace_id, trace, sizeof(trace));
	}
	if (!err)
		write_hex(r->span_id, span, sizeof(span));
	return err;
}

/* ------------------------------------------------------------------ the decision */

static bool remarkable(const struct sampler_config *c, const struct request_record *r)
{
	if (r->outcome == OUTCOME_ERROR || r->outcome == OUTCOME_ABORTED)
		return true;
	/* A comparison with NAN is false: what is not known is not slow. */
	return (c->slow_ttft_s > 0 && r->ttft_s >= c->slow_ttft_s) ||
	       (c->slow_itl_s > 0 && r->itl_max_s >= c->slow_itl_s);
}

/* By the trace id, so that everyone with the same share decides alike for one trace. */
static bool by_chance(double ratio, const char *trace_id)
{
	uint64_t random = strtoull(trace_id + 32 - RANDOM_BITS / 4, NULL, 16);

	return (double)random >= ldexp(1 - ratio, RANDOM_BITS);
}

static bool wanted(const struct sampler *s, const struct request_record *r)
{
	if (remarkable(&s->config, r))
		return true;
	if (r->trace_flags >= 0)
		return r->trace_flags & 1;
	return by_chance(s->config.ratio, r->trace_id);
}

static bool within_rate(struct sampler *s, uint64_t now_ns)
{
	double rate = s->config.rate;

	if (rate <= 0)
		return true;
	if (s->refilled_ns)
		s->tokens += rate * (double)(now_ns - s->refilled_ns) / NSEC_PER_SEC;
	s->tokens = fmin(s->tokens, rate * BURST_S);
	s->refilled_ns = now_ns;
	if (s->tokens < 1)
		return false;
	s->tokens--;
	return true;
}

void sampler_decide(struct sampler *s, struct request_record *r, uint64_t now_ns)
{
	r->sampled = false;
	if (r->leg != LEG_SERVER || identify(r))
		return;
	if (!wanted(s, r)) {
		s->stats.not_sampled++;
	} else if (!within_rate(s, now_ns)) {
		s->stats.limited++;
	} else {
		s->stats.sampled++;
		r->sampled = true;
	}
}

void sampler_get_stats(const struct sampler *s, struct sampler_stats *out)
{
	*out = s->stats;
}
