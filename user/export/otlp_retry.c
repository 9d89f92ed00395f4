// SPDX-License-Identifier: Apache-2.0
#include "export/otlp_retry.h"

#include <math.h>

#include "base/clock.h"
#include "export/otlp_rules.h"

#define FACTOR 1.5 /* as the OpenTelemetry Collector's exporters do (configretry) */

void otlp_retry_init(struct otlp_retry *r, const struct otlp_rules *rules)
{
	*r = (struct otlp_retry){ .rules = rules, .delay_ms = rules->retry_first_ms };
}

void otlp_retry_begin(struct otlp_retry *r, uint64_t now_ns)
{
	r->since_ns = now_ns;
}

/* The next backoff in milliseconds. */
static double back_off(struct otlp_retry *r, double jitter)
{
	double delay_ms = r->delay_ms * (0.5 + jitter);

	r->delay_ms = fmin(r->delay_ms * FACTOR, r->rules->retry_max_ms);
	return delay_ms;
}

bool otlp_retry_failed(struct otlp_retry *r, uint64_t now_ns, double retry_after_s, double jitter)
{
	double delay_ms;

	r->asked = !isnan(retry_after_s);
	delay_ms = r->asked ? retry_after_s * 1000 : back_off(r, jitter);
	/* A collector may silence us for no longer than a message lives. */
	delay_ms = fmin(fmax(delay_ms, 0), r->rules->give_up_ms);
	r->at_ns = now_ns + (uint64_t)(delay_ms * NSEC_PER_MSEC);
	return r->at_ns < r->since_ns + r->rules->give_up_ms * NSEC_PER_MSEC;
}

void otlp_retry_answered(struct otlp_retry *r)
{
	r->delay_ms = r->rules->retry_first_ms;
	r->at_ns = 0;
}
