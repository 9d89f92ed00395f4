// SPDX-License-Identifier: Apache-2.0
#include "export/otlp_worker.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

/* OTEL_BSP_EXPORT_TIMEOUT, OTEL_BLRP_EXPORT_TIMEOUT, OTEL_METRIC_EXPORT_TIMEOUT */
#define EXPORT_TIMEOUT_MS 30000
/* curl and OpenSSL need some 50 KiB; the look-up of a name has a thread of its own. */
#define STACK_BYTES (256 << 10)
#define QUIET_NS    (60 * NSEC_PER_SEC)

/* ------------------------------------------------------------------ life */

static int init_wait(struct otlp_worker *w)
{
	pthread_condattr_t attr;
	int err;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	err = pthread_cond_init(&w->wake, &attr);
	pthread_condattr_destroy(&attr);
	if (!err)
		pthread_mutex_init(&w->lock, NULL);
	return -err;
}

int otlp_worker_init(struct otlp_worker *w, const struct otlp_settings *settings,
		     enum otlp_signal signal, uint64_t export_timeout_ms)
{
	uint64_t limit_ms = export_timeout_ms ? export_timeout_ms : EXPORT_TIMEOUT_MS;
	int rc = otlp_endpoint_resolve(settings, signal, &w->endpoint);

	if (rc <= 0)
		return rc;
	w->signal = signal;
	w->timeout_ms = w->endpoint.timeout_ms < limit_ms ? w->endpoint.timeout_ms : limit_ms;
	w->retry_after_s = NAN;
	w->seed = (unsigned int)clock_monotonic_ns();
	otlp_retry_init(&w->retry, w->rules);
	w->sender = otlp_sender_new(&w->endpoint);
	if (w->sender && !init_wait(w))
		return 1;
	log_error("out of memory while opening the export of %s", otlp_signal_name(signal));
	otlp_sender_free(w->sender);
	otlp_endpoint_free(&w->endpoint);
	return -ENOMEM;
}

void otlp_worker_free(struct otlp_worker *w)
{
	otlp_sender_free(w->sender);
	otlp_endpoint_free(&w->endpoint);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->wake);
}

/* Signals stay with the threads of the agent. */
int otlp_worker_start(struct otlp_worker *w, void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;
	sigset_t all, old;
	char name[16];
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&w->thread, &attr, run, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (err) {
		log_error("cannot start the thread that exports %s: %s; raise the agent's limits",
			  otlp_signal_name(w->signal), strerror(err));
		return -err;
	}
	w->started = true;
	snprintf(name, sizeof(name), "otlp-%s", otlp_signal_name(w->signal));
	pthread_setname_np(w->thread, name);
	return 0;
}

void otlp_worker_stop(struct otlp_worker *w, uint64_t begin_ns)
{
	bool failing = __atomic_load_n(&w->failing, __ATOMIC_RELAXED);
	uint64_t ms = failing ? w->rules->flush_failing_ms : w->rules->flush_ms;

	otlp_sender_stop(w->sender, begin_ns + ms * NSEC_PER_MSEC);
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

void otlp_worker_join(struct otlp_worker *w)
{
	if (w->started)
		pthread_join(w->thread, NULL);
	w->started = false;
}

/* ------------------------------------------------------------------ sleeping */

void otlp_worker_sleep(struct otlp_worker *w, uint64_t until_ns)
{
	struct timespec t = { .tv_sec = until_ns / NSEC_PER_SEC,
			      .tv_nsec = until_ns % NSEC_PER_SEC };

	if (w->stop)
		return;
	if (until_ns == UINT64_MAX)
		pthread_cond_wait(&w->wake, &w->lock);
	else
		pthread_cond_timedwait(&w->wake, &w->lock, &t);
}

bool otlp_worker_pause(struct otlp_worker *w, uint64_t until_ns)
{
	bool stop;

	pthread_mutex_lock(&w->lock);
	while (!w->stop && clock_monotonic_ns() < until_ns)
		otlp_worker_sleep(w, until_ns);
	stop = w->stop;
	pthread_mutex_unlock(&w->lock);
	return stop;
}

bool otlp_worker_stopping(struct otlp_worker *w)
{
	return otlp_worker_pause(w, 0);
}

/* ------------------------------------------------------------------ telling */

void otlp_worker_drop(const struct otlp_worker *w, enum otlp_reason reason, uint64_t count)
{
	static const char *const names[] = {
		[OTLP_QUEUE_FULL] = "queue_full", [OTLP_REJECTED] = "rejected",
		[OTLP_PERMANENT] = "permanent",	  [OTLP_EXPIRED] = "expired",
		[OTLP_SHUTDOWN] = "shutdown",	  [OTLP_TOO_LARGE] = "too_large",
		[OTLP_NO_MEMORY] = "no_memory",
	};

	if (count)
		w->ops.dropped(w->ctx, w->signal, names[reason], count);
}

/* One warning a minute: a collector that comes and goes must not fill a disk. */
static bool may_warn(struct otlp_worker *w)
{
	uint64_t now = clock_monotonic_ns();

	if (now < w->quiet_ns)
		return false;
	w->quiet_ns = now + QUIET_NS;
	return true;
}

static void tell_delivered(struct otlp_worker *w, const struct otlp_verdict *v)
{
	const char *signal = otlp_signal_name(w->signal);

	__atomic_store_n(&w->failing, false, __ATOMIC_RELAXED);
	if (w->told)
		log_info("OTLP %s are delivered to %s again", signal, w->endpoint.shown);
	w->told = false;
	if (v->text[0] && may_warn(w))
		log_warn("OTLP %s were sent to %s, but %s", signal, w->endpoint.shown, v->text);
}

static void tell_failed(struct otlp_worker *w, const struct otlp_verdict *v)
{
	__atomic_store_n(&w->failing, true, __ATOMIC_RELAXED);
	if (w->told || !may_warn(w))
		return;
	w->told = true;
	log_warn("cannot deliver OTLP %s to %s: %s; %s. Check that collector, and %s",
		 otlp_signal_name(w->signal), w->endpoint.shown, v->text,
		 v->result == OTLP_RETRY ? "it is tried again" : "they are lost",
		 w->endpoint.setting);
}

/* ------------------------------------------------------------------ sending */

bool otlp_worker_wrap(struct otlp_worker *w, struct buf *message, uint64_t items)
{
	int err = otlp_sender_wrap(w->sender, message);

	if (err && may_warn(w))
		log_warn("%llu items of OTLP %s are lost: %s", (unsigned long long)items,
			 otlp_signal_name(w->signal),
			 err == -EMSGSIZE ? "together they are longer than 64 MiB"
					  : "out of memory");
	if (err)
		otlp_worker_drop(w, err == -EMSGSIZE ? OTLP_TOO_LARGE : OTLP_NO_MEMORY, items);
	return !err;
}

enum otlp_result otlp_worker_send(struct otlp_worker *w, const struct buf *body, uint64_t items)
{
	struct otlp_verdict v;

	otlp_send(w->sender, body, w->timeout_ms, &v);
	w->retry_after_s = v.retry_after_s;
	if (v.result != OTLP_RETRY)
		otlp_retry_answered(&w->retry);
	if (v.result != OTLP_DELIVERED) {
		tell_failed(w, &v);
		otlp_worker_drop(w, OTLP_PERMANENT, v.result == OTLP_REFUSED ? items : 0);
		return v.result;
	}
	tell_delivered(w, &v);
	otlp_worker_drop(w, OTLP_REJECTED,
			 (uint64_t)v.rejected < items ? (uint64_t)v.rejected : items);
	return v.result;
}

bool otlp_worker_again(struct otlp_worker *w)
{
	double jitter = rand_r(&w->seed) / (double)RAND_MAX, after_s = w->retry_after_s;

	w->retry_after_s = NAN;
	return otlp_retry_failed(&w->retry, clock_monotonic_ns(), after_s, jitter);
}
