/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which requests become spans, decided when all of a request is known. A caller's sampled=1 is kept up to the cap, its
 * sampled=0 only where the request failed or was slow. Without a caller's decision: what failed or was slow, and a share of the
 * rest. One thread.
 */
#ifndef TRACK_SAMPLER_H
#define TRACK_SAMPLER_H

#include <stdint.h>

#include "track/record.h"

struct sampler_config {
	double ratio; /* 0..1 of the requests that nothing else decides on */
	double rate; /* spans a second at most, all reasons together; 0: no limit. A burst of 10 s is let through */
	double slow_ttft_s; /* at or above it a request is slow; 0: never */
	double slow_itl_s;  /* likewise, for its longest gap between tokens */
};

struct sampler_stats {
	uint64_t sampled;
	uint64_t not_sampled; /* by choice: nobody wanted it */
	uint64_t limited;     /* wanted, but over the rate */
};

struct sampler;

struct sampler *sampler_new(const struct sampler_config *config); /* NULL with errno set */
void sampler_free(struct sampler *s);
void sampler_configure(struct sampler *s, const struct sampler_config *config);
/*
 * Sets r->sampled; gives the record a span id, and a trace id where the caller sent none. Of the server's leg only: others stay
 * as they are. now_ns: CLOCK_MONOTONIC.
 */
void sampler_decide(struct sampler *s, struct request_record *r, uint64_t now_ns);
void sampler_get_stats(const struct sampler *s, struct sampler_stats *out);

#endif
