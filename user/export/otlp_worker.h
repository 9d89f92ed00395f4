/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the exporters of all signals share: a thread that sleeps until there is something to do, a connection to the collector,
 * and the telling of what fails. The thread belongs to the signal; the functions marked so are for any.
 */
#ifndef EXPORT_OTLP_WORKER_H
#define EXPORT_OTLP_WORKER_H

#include <pthread.h>
#include <stdbool.h>

#include "export/otlp_endpoint.h"
#include "export/otlp_retry.h"
#include "export/otlp_rules.h"
#include "export/otlp_send.h"

/* Why items will never be delivered: label values of tokscope_export_dropped_total. */
enum otlp_reason {
	OTLP_QUEUE_FULL,
	OTLP_REJECTED,	/* by the collector, in an answer that took the others (partial success) */
	OTLP_PERMANENT, /* by the collector: the whole message */
	OTLP_EXPIRED,	/* not delivered in the time that is given to a batch */
	OTLP_SHUTDOWN,
	OTLP_TOO_LARGE,
	OTLP_NO_MEMORY,
};

struct otlp_worker {
	enum otlp_signal signal;
	const struct otlp_rules *rules;
	struct otlp_ops ops;
	void *ctx;
	struct otlp_endpoint endpoint;
	struct otlp_sender *sender;
	uint64_t timeout_ms; /* of one attempt */
	struct otlp_retry retry;
	double retry_after_s; /* what the last answer asked for; NAN: nothing */
	unsigned int seed;    /* of the jitter */
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t wake; /* on CLOCK_MONOTONIC */
	bool stop;	     /* under lock */
	bool failing;	     /* atomic: the last attempt failed */
	bool told;	     /* of it */
	uint64_t quiet_ns;   /* no warning before that */
};

/*
 * Opens the signal's connection. Returns 1; 0 where the signal is not pushed; a negative errno after logging why. Where it is
 * not 1 there is nothing to free. export_timeout_ms: a limit besides the endpoint's own; 0: 30 s.
 */
int otlp_worker_init(struct otlp_worker *w, const struct otlp_settings *settings,
		     enum otlp_signal signal, uint64_t export_timeout_ms);
void otlp_worker_free(struct otlp_worker *w);

/* 0 or a negative errno after logging it. Once run returns, the thread is over. */
int otlp_worker_start(struct otlp_worker *w, void *(*run)(void *), void *arg);
/* From any thread: work is to end, what is under way at most at begin_ns plus the rules' time. */
void otlp_worker_stop(struct otlp_worker *w, uint64_t begin_ns);
/* Waits for the end of a thread that was started. */
void otlp_worker_join(struct otlp_worker *w);

/* With w->lock held: sleeps until then (UINT64_MAX: for ever), w->wake, or stop. */
void otlp_worker_sleep(struct otlp_worker *w, uint64_t until_ns);
/* Sleeps until then or stop; whether it was stop. */
bool otlp_worker_pause(struct otlp_worker *w, uint64_t until_ns);
bool otlp_worker_stopping(struct otlp_worker *w);

/* From any thread: counts what is lost. */
void otlp_worker_drop(const struct otlp_worker *w, enum otlp_reason reason, uint64_t count);
/* Makes a message of `items` items a body. False: it could not be, and its items are counted. */
bool otlp_worker_wrap(struct otlp_worker *w, struct buf *message, uint64_t items);
/* One attempt; what the collector refused of it for good is counted. Tells when failing begins and ends. */
enum otlp_result otlp_worker_send(struct otlp_worker *w, const struct buf *body, uint64_t items);
/* The attempt has to be made again: when, by w->retry. False: it is too late for this message. */
bool otlp_worker_again(struct otlp_worker *w);

#endif
