/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finished requests, events and gauges become metrics, by the population rules of design.md 6. Internal legs are in the
 * records only. One thread.
 */
#ifndef TRACK_OBSERVE_H
#define TRACK_OBSERVE_H

#include "metric/registry.h"
#include "track/tracker.h"

struct observer;

struct observer_config {
	bool exemplars; /* histograms point to exported traces */
	bool gen_ai_client; /* also the metrics that instrumented clients report, for what knows only those */
};

/* registry must outlive the observer. NULL: out of memory. */
struct observer *observer_new(struct registry *registry, const struct observer_config *config);
void observer_free(struct observer *o);

void observer_finished(struct observer *o, const struct request_record *r);
void observer_unparsed(struct observer *o, const struct server *s, enum unparsed_reason reason);
/* Events are added up here and reach the registry with observer_flush(), or when a request of the server ends. */
void observer_stream_event(struct observer *o, const struct server *s, bool content);
void observer_flush(struct observer *o);
void observer_gauge(struct observer *o, const struct server *s, int in_flight,
		    int awaiting_first_token);
/* The server is gone for good: its series go too. */
void observer_retire(struct observer *o, const struct server *s);

#endif
