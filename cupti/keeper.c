// SPDX-License-Identifier: Apache-2.0
#include "keeper.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "compat.h"
#include "devices.h"
#include "probes.h"
#include "status.h"

#define MS	      1000000ull
#define S	      1000000000ull

#define ROUND_MS      500
#define IDLE_FLUSH_NS (5 * S) /* keeps CUPTI's device buffers few when nobody wants their records */
#define RETRY_NS      (30 * S) /* after another subscriber had CUPTI */
#define STATUS_NS     (10 * S)
#define ANNOUNCE_NS   (60 * S) /* a semaphore that fell and rose between two looks */
#define END_WAIT_MS   2000

/* Has someone attached since the last look? */
static bool rose(bool *heard, bool attached)
{
	bool was = *heard;

	*heard = attached;
	return attached && !was;
}

static void set_state(struct keeper *k, enum tks_cupti_state state, cupti_result result)
{
	if (k->state != state)
		k->status_ns = 0;
	k->state = state;
	k->result = result;
}

static void subscribe(struct keeper *k)
{
	cupti_result result = collect_subscribe(&k->collect);

	k->watchdog = (struct watchdog){ 0 };
	k->retry_ns = clock_monotonic_ns() + RETRY_NS;
	if (result == RESULT_OK)
		set_state(k, TKS_CUPTI_IDLE, RESULT_OK);
	else
		set_state(k, result == RESULT_BUSY ? TKS_CUPTI_BUSY : TKS_CUPTI_ABSENT, result);
}

void keeper_begin(struct keeper *k, bool node_level)
{
	cupti_result result;

	k->state = TKS_CUPTI_STARTING;
	k->collect.owner = getpid();
	if (cupti_load(&k->collect.api, &result) || collect_init(&k->collect, node_level)) {
		set_state(k, TKS_CUPTI_ABSENT, result);
		return;
	}
	subscribe(k);
}

/* ------------------------------------------------------------------ what it does with CUPTI */

static bool subscribed(const struct keeper *k)
{
	return k->state == TKS_CUPTI_IDLE || k->state == TKS_CUPTI_ACTIVE;
}

/* Who stood down may have had to keep its subscription. */
static bool may_hold(const struct keeper *k)
{
	return subscribed(k) || k->state == TKS_CUPTI_STOOD_DOWN;
}

/* Out of memory there is nothing left to be careful with. */
static void stand_down(struct keeper *k, enum tks_cupti_reason reason)
{
	cupti_result result = k->collect.last_error;

	k->reason = reason;
	if (reason == TKS_CUPTI_REASON_MEMORY)
		collect_unsubscribe(&k->collect);
	else
		collect_stand_down(&k->collect);
	set_state(k, TKS_CUPTI_STOOD_DOWN, result);
}

static void give_up(struct keeper *k)
{
	collect_unsubscribe(&k->collect);
	set_state(k, TKS_CUPTI_RELEASED, RESULT_OK);
}

/* Who stood down before stays so. */
static void take_back(struct keeper *k)
{
	if (k->reason == TKS_CUPTI_REASON_NONE)
		subscribe(k);
	else
		set_state(k, TKS_CUPTI_STOOD_DOWN, k->collect.last_error);
}

static void follow_wishes(struct keeper *k, uint64_t now)
{
	bool release = probe_release_attached();
	bool want = probe_want_activity_attached() || dump_is_on(&k->collect.dump);

	if (rose(&k->release_heard, release))
		k->status_ns = 0; /* an answer is waited for, if only that nothing changes */
	if (may_hold(k) && release)
		give_up(k);
	else if (k->state == TKS_CUPTI_RELEASED && !release)
		take_back(k);
	else if (k->state == TKS_CUPTI_BUSY && !release && now >= k->retry_ns)
		subscribe(k);
	if (!subscribed(k))
		return;
	collect_want(&k->collect, want);
	set_state(k, want ? TKS_CUPTI_ACTIVE : TKS_CUPTI_IDLE, k->collect.last_error);
}

static bool flush_is_due(const struct keeper *k, uint64_t now)
{
	if (k->state == TKS_CUPTI_IDLE)
		return now >= k->flush_ns &&
		       cupti_allows(k->collect.api.version, FEATURE_IDLE_FLUSH);
	return k->state == TKS_CUPTI_ACTIVE;
}

static void flush(struct keeper *k, uint64_t now)
{
	if (!flush_is_due(k, now))
		return;
	collect_flush(&k->collect, false);
	if (k->state == TKS_CUPTI_ACTIVE)
		probe_activity(NULL, 0);
	k->flush_ns = now + IDLE_FLUSH_NS;
}

static void watch(struct keeper *k, uint64_t now)
{
	struct collect *c = &k->collect;
	struct watchdog_reading reading = {
		.time_ns = now,
		.spare_bytes = (uint64_t)c->buffers.spares * BUFFER_BYTES,
		.refused = c->buffers.refused,
		.failed_flushes = c->flushes_failed,
	};
	enum tks_cupti_reason reason;

	if (!c->subscriber)
		return;
	pthread_mutex_lock(&c->lock);
	reading.records = c->pack.records;
	reading.invalid = c->pack.invalid;
	reading.cpu_ns = k->cpu_ns + c->callback_cpu_ns;
	pthread_mutex_unlock(&c->lock);
	reason = watchdog_check(&k->watchdog, &reading);
	if (reason == TKS_CUPTI_REASON_MEMORY || (reason != TKS_CUPTI_REASON_NONE && subscribed(k)))
		stand_down(k, reason);
}

/* ------------------------------------------------------------------ what it tells */

static void announce(struct keeper *k, uint64_t now)
{
	bool all = now >= k->announce_ns;

	if (all)
		k->announce_ns = now + ANNOUNCE_NS;
	if (rose(&k->names_heard, probe_kernel_name_attached()) || all) {
		pthread_mutex_lock(&k->collect.lock);
		names_tell_all(&k->collect.names);
		pthread_mutex_unlock(&k->collect.lock);
	}
	if (rose(&k->devices_heard, probe_device_attached()) || all)
		k->devices_told = false;
	if (k->devices_heard && !k->devices_told)
		k->devices_told = devices_read(probe_device);
}

static void tell_status(struct keeper *k, uint64_t now)
{
	if (!rose(&k->status_heard, probe_status_attached()) && now < k->status_ns)
		return;
	k->status_ns = now + STATUS_NS;
	status_tell(k);
}

void keeper_round(struct keeper *k)
{
	uint64_t now = clock_monotonic_ns();

	follow_wishes(k, now);
	announce(k, now);
	flush(k, now);
	k->cpu_ns = clock_thread_cpu_ns();
	watch(k, now);
	tell_status(k, now);
}

/* ------------------------------------------------------------------ its thread */

static void sleep_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * (long)MS };

	clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

static void *run(void *data)
{
	struct keeper *k = data;

	prctl(PR_SET_NAME, "tokscope-cupti");
	k->collect.flusher = pthread_self();
	while (!k->ended) {
		sleep_ms(ROUND_MS); /* at first, cuInit() is still under way */
		k->in_round = true;
		if (!k->ended)
			keeper_round(k);
		k->in_round = false;
	}
	return NULL;
}

/* The server's signals are for its own threads. Those that a thread brings on itself are left to its handlers. */
static void block_signals(sigset_t *before)
{
	static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };
	sigset_t all;

	sigfillset(&all);
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		sigdelset(&all, own[i]);
	pthread_sigmask(SIG_SETMASK, &all, before);
}

int keeper_start(struct keeper *k)
{
	pthread_t thread;
	sigset_t before;
	int err;

	block_signals(&before);
	err = pthread_create(&thread, NULL, run, k);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!err)
		pthread_detach(thread);
	return -err;
}

void keeper_end(struct keeper *k)
{
	if (getpid() != k->collect.owner)
		return;
	k->ended = true;
	for (int waited = 0; k->in_round && waited < END_WAIT_MS; waited++)
		sleep_ms(1);
	if (!k->in_round && k->state == TKS_CUPTI_ACTIVE) {
		collect_flush(&k->collect, true);
		status_tell(k);
	}
}
