// SPDX-License-Identifier: Apache-2.0
#include "gpu/nvml.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "gpu/nvml_dcgm.h"
#include "gpu/nvml_reader.h"

/* A driver, and dcgm-exporter, may come and go while the agent runs. */
#define LOOK_NS (60 * NSEC_PER_SEC)
/* A call that does not hang is over by then, but for those that bring up a GPU. */
#define FAREWELL_NS NSEC_PER_SEC

enum state {
	STARTING,
	READING,
	ABSENT,
	BESIDE_DCGM,
	FAILED,
};

/* Shared by its owner and the thread, of which either may be the last to leave. */
struct nvml {
	struct nvml_config config;
	struct nvml_watch watch;
	/* the thread's */
	struct nvml_reader reader;
	enum state state;
	uint64_t look_ns; /* when to look next whether NVML is there, and wanted */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* under the lock */
	unsigned int holders;
	bool stop;
	bool stalled;		   /* its owner has told that a call hangs */
	struct nvml_sample *fresh; /* not taken yet */
	uint64_t failures[NVML_FAILURES];
};

/* ------------------------------------------------------------------ shared state */

static void put(struct nvml *n)
{
	bool last;

	pthread_mutex_lock(&n->lock);
	last = !--n->holders;
	pthread_cond_broadcast(&n->changed);
	pthread_mutex_unlock(&n->lock);
	if (!last)
		return;
	nvml_sample_free(n->fresh);
	pthread_cond_destroy(&n->changed);
	pthread_mutex_destroy(&n->lock);
	free(n);
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){ .tv_sec = ns / NSEC_PER_SEC, .tv_nsec = ns % NSEC_PER_SEC };
}

/* Until then, or until told to stop. */
static bool wait_until(struct nvml *n, uint64_t ns)
{
	struct timespec at = timespec_of(ns);
	bool stop;

	pthread_mutex_lock(&n->lock);
	while (!n->stop && pthread_cond_timedwait(&n->changed, &n->lock, &at) != ETIMEDOUT)
		;
	stop = n->stop;
	pthread_mutex_unlock(&n->lock);
	return !stop;
}

/* s NULL: out of memory, and what is known stays. Calls that hang are counted by the owner. */
static void publish(struct nvml *n, struct nvml_sample *s)
{
	struct nvml_sample *older;

	if (!s)
		return;
	pthread_mutex_lock(&n->lock);
	older = n->fresh;
	n->fresh = s;
	s->failures[NVML_FAILED_STALLED] = n->failures[NVML_FAILED_STALLED];
	memcpy(n->failures, s->failures, sizeof(n->failures));
	pthread_mutex_unlock(&n->lock);
	nvml_sample_free(older);
}

static struct nvml_sample *unread_sample(const uint64_t failures[NVML_FAILURES])
{
	struct nvml_sample *s = calloc(1, sizeof(*s));

	if (s)
		memcpy(s->failures, failures, sizeof(s->failures));
	return s;
}

/* ------------------------------------------------------------------ the thread */

/*
 * Without its driver NVML has nothing to tell, and initialising it has side effects: it tries to load the module by
 * nvidia-modprobe.
 */
static bool driver_is_loaded(const struct nvml_config *c)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/driver/nvidia/version", c->proc);
	return !access(path, F_OK);
}

/* The state that this ends in: READING, or another with the reason in `why`. */
static enum state open_reader(struct nvml_reader *r, const struct nvml_config *c,
			      char why[NVML_ERROR_MAX])
{
	struct nvml_api api;
	int status;

	if (!c->always && !c->path && !driver_is_loaded(c)) {
		snprintf(why, NVML_ERROR_MAX, "no NVIDIA driver is loaded here");
		return ABSENT;
	}
	status = nvml_library_open(&api, c->path, why);
	if (status)
		return status == -ENOENT && !c->path ? ABSENT : FAILED;
	status = nvml_reader_start(r, &api);
	if (!status)
		return READING;
	if (status == NVML_DRIVER_NOT_LOADED || status == NVML_GPU_NOT_FOUND) {
		snprintf(why, NVML_ERROR_MAX, "its library is here, but no driver is loaded");
		return ABSENT;
	}
	snprintf(why, NVML_ERROR_MAX, "nvmlInit_v2 returned %d (%s)", status,
		 nvml_status_name(status));
	return FAILED;
}

static void tell_reading(struct nvml *n)
{
	char driver[NVML_TEXT_SIZE];

	nvml_reader_driver(&n->reader, driver);
	log_info("GPUs are read from NVML, driver %s", *driver ? driver : "of unknown version");
}

/* Once for each change. */
static void enter(struct nvml *n, enum state state, const char *why)
{
	if (state == n->state)
		return;
	n->state = state;
	if (state == READING)
		tell_reading(n);
	else if (state == BESIDE_DCGM)
		log_info(
			"GPUs are not read from NVML: dcgm-exporter runs here and has them (by its name "
			"or its port); --nvml on reads them all the same");
	else if (state == FAILED)
		log_warn("GPUs cannot be read from NVML: %s; does nvidia-smi work here?", why);
	else
		log_write(n->config.always ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG,
			  "GPUs are not read from NVML: %s", why);
}

static void leave_reading(struct nvml *n)
{
	if (n->state != READING)
		return;
	nvml_reader_stop(&n->reader);
	publish(n, unread_sample(n->reader.caller.failures));
}

/* Is it there, and is it wanted? */
static void look(struct nvml *n)
{
	char why[NVML_ERROR_MAX] = "";
	enum state state;

	if (!n->config.always && dcgm_exporter_runs(n->config.proc)) {
		leave_reading(n);
		enter(n, BESIDE_DCGM, why);
		return;
	}
	if (n->state == READING)
		return;
	state = open_reader(&n->reader, &n->config, why);
	enter(n, state, why);
	if (state == FAILED)
		publish(n, unread_sample(n->reader.caller.failures));
}

static void read_all(struct nvml *n)
{
	struct nvml_sample *s = nvml_reader_read(&n->reader);

	if (!s && errno == EIO) {
		leave_reading(n);
		enter(n, FAILED, "it does not tell how many there are");
		return;
	}
	publish(n, s);
}

/* All calls have returned: one that was told to hang was slow. */
static void returned(struct nvml *n)
{
	bool was_stalled;

	pthread_mutex_lock(&n->lock);
	was_stalled = n->stalled;
	n->stalled = false;
	pthread_mutex_unlock(&n->lock);
	if (was_stalled)
		log_info("NVML answers again");
}

static void *run(void *arg)
{
	struct nvml *n = arg;
	uint64_t now_ns;

	do {
		now_ns = clock_monotonic_ns();
		if (now_ns >= n->look_ns) {
			look(n);
			n->look_ns = now_ns + LOOK_NS;
		}
		if (n->state == READING)
			read_all(n);
		returned(n);
	} while (wait_until(n, n->state == READING ? now_ns + n->config.interval_ns : n->look_ns));
	if (n->state == READING)
		nvml_reader_stop(&n->reader);
	nvml_reader_free(&n->reader);
	put(n);
	return NULL;
}

/* ------------------------------------------------------------------ its owner */

static void init_locks(struct nvml *n)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&n->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&n->changed, &attr);
	pthread_condattr_destroy(&attr);
}

struct nvml *nvml_new(const struct nvml_config *config)
{
	struct nvml *n = calloc(1, sizeof(*n));
	pthread_t thread;
	int err;

	if (!n)
		return NULL;
	n->config = *config;
	n->reader.caller.watch = &n->watch;
	n->holders = 2;
	init_locks(n);
	err = pthread_create(&thread, NULL, run, n);
	if (!err) {
		pthread_detach(thread);
		return n;
	}
	n->holders = 1;
	put(n);
	errno = err;
	return NULL;
}

void nvml_free(struct nvml *n)
{
	struct timespec until = timespec_of(clock_monotonic_ns() + FAREWELL_NS);

	if (!n)
		return;
	pthread_mutex_lock(&n->lock);
	n->stop = true;
	pthread_cond_broadcast(&n->changed);
	while (n->holders > 1 && !n->stalled &&
	       pthread_cond_timedwait(&n->changed, &n->lock, &until) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&n->lock);
	put(n);
}

/* What is known is out of date. The thread goes on should the call ever return. */
static struct nvml_sample *stand_down(struct nvml *n, const char *symbol)
{
	log_warn("NVML hangs in %s: no GPU is read until that call returns. It is the driver's "
		 "doing, see the kernel's log for Xid",
		 symbol);
	n->stalled = true;
	n->failures[NVML_FAILED_STALLED]++;
	nvml_sample_free(n->fresh);
	n->fresh = NULL;
	return unread_sample(n->failures);
}

struct nvml_sample *nvml_take(struct nvml *n, uint64_t now_ns)
{
	const char *symbol;
	struct nvml_sample *s;

	pthread_mutex_lock(&n->lock);
	symbol = n->stalled ? NULL : nvml_watch_stalled(&n->watch, now_ns);
	if (symbol) {
		s = stand_down(n, symbol);
	} else {
		s = n->fresh;
		n->fresh = NULL;
	}
	pthread_mutex_unlock(&n->lock);
	return s;
}

bool nvml_probe_here(const struct nvml_config *config, struct nvml_watch *watch,
		     char detail[NVML_DETAIL_MAX])
{
	struct nvml_reader r = { .caller.watch = watch };
	char why[NVML_ERROR_MAX] = "", driver[NVML_TEXT_SIZE];
	struct nvml_sample *s;

	if (open_reader(&r, config, why) != READING) {
		snprintf(detail, NVML_DETAIL_MAX, "%.*s", NVML_DETAIL_MAX - 1, why);
		return false;
	}
	s = nvml_reader_read(&r);
	nvml_reader_driver(&r, driver);
	snprintf(detail, NVML_DETAIL_MAX, "%u GPUs, driver %.32s%s", s ? s->gpu_count : 0, driver,
		 dcgm_exporter_runs(config->proc) ? "; left to dcgm-exporter, which runs here"
						  : "");
	nvml_sample_free(s);
	nvml_reader_stop(&r);
	nvml_reader_free(&r);
	return true;
}
