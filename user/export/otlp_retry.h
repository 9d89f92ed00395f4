/* SPDX-License-Identifier: Apache-2.0 */
/* When a message that was not delivered is sent again: exponential backoff with jitter, or when the collector says. */
#ifndef EXPORT_OTLP_RETRY_H
#define EXPORT_OTLP_RETRY_H

#include <stdbool.h>
#include <stdint.h>

struct otlp_rules;

struct otlp_retry {
	const struct otlp_rules *rules;
	uint64_t since_ns; /* the message's first attempt */
	uint64_t at_ns;	   /* no attempt before that; 0: at once */
	bool asked;	   /* at_ns is the collector's wish, not the backoff's */
	double delay_ms;   /* the next backoff; stays between messages until one is delivered */
};

void otlp_retry_init(struct otlp_retry *r, const struct otlp_rules *rules);
/* Another message is sent for the first time. */
void otlp_retry_begin(struct otlp_retry *r, uint64_t now_ns);
/*
 * It failed and may be sent again: sets at_ns. retry_after_s: the collector's wish, NAN: none. jitter: of 0..1, by which the
 * backoff is spread from half to one and a half times its length. False: that would be later than rules->give_up_ms.
 */
bool otlp_retry_failed(struct otlp_retry *r, uint64_t now_ns, double retry_after_s, double jitter);
/* The collector has taken it, or has refused it for good: it answers. */
void otlp_retry_answered(struct otlp_retry *r);

#endif
