// SPDX-License-Identifier: Apache-2.0
#include "kube/kube.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "kube/api.h"
#include "kube/pods.h"

#define PERIOD_NS      (30 * NSEC_PER_SEC)
#define SOON_NS	       (2 * NSEC_PER_SEC) /* least time between two lists */
#define BACKOFF_MIN_NS (2 * NSEC_PER_SEC)
#define BACKOFF_MAX_NS (300 * NSEC_PER_SEC)

/* A kubelet tells of a new container after some seconds. An id that stays unknown is none of Kubernetes'. */
#define TRIES	  4
#define ASKED_MAX 256

/* An id that was asked for and is not known. */
struct asked {
	char id[POD_ID_MAX + 1];
	unsigned int tries; /* lists that it has brought about */
	uint64_t tried;	    /* lists that there were at the last of them */
	uint64_t last;	    /* lists that there were when it was last asked for */
	UT_hash_handle hh;
};

struct kube {
	struct kube_api *api; /* the thread's */
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake;
	struct pods pods;
	struct asked *asked;
	uint64_t lists; /* that had a usable answer */
	bool soon;	/* an id is wanted that the latest list does not have */
	bool stop;
	struct kube_stats stats;
};

/* ------------------------------------------------------------------ the thread */

/* So that the nodes of a cluster do not ask all at once. */
static uint64_t jittered(uint64_t ns)
{
	uint16_t r = UINT16_MAX / 2;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) != sizeof(r))
		return ns;
	return ns - ns / 10 + ns / 5 * r / UINT16_MAX;
}

static void drop_asked(struct kube *k, struct asked *e)
{
	HASH_DEL(k->asked, e);
	free(e);
}

/* What is known now, and what nobody has asked for since the list before. */
static void forget_asked(struct kube *k)
{
	struct asked *e, *next;

	HASH_ITER(hh, k->asked, e, next)
		if (pods_find(&k->pods, e->id) || e->last + 1 < k->lists)
			drop_asked(k, e);
}

static void take_list(struct kube *k, struct pods *pods)
{
	struct pods old = k->pods;

	k->pods = *pods;
	*pods = old;
	k->lists++;
	k->stats.pods = k->pods.count;
	k->stats.left_out = k->pods.left_out;
	forget_asked(k);
}

/* Returns 0 or negative errno. The old names stay where there are no new ones. */
static int refresh(struct kube *k)
{
	struct pods pods = { 0 };
	uint64_t requests = 0;
	int err;

	pthread_mutex_lock(&k->lock);
	k->soon = false; /* what is wanted from now on may be too late for this list */
	pthread_mutex_unlock(&k->lock);
	err = kube_api_list(k->api, &pods, &requests);
	pthread_mutex_lock(&k->lock);
	k->stats.requests += requests;
	k->stats.failures += err != 0;
	if (!err)
		take_list(k, &pods);
	pthread_mutex_unlock(&k->lock);
	pods_free(&pods);
	return err;
}

/* Until the next list is due: at due_ns, or at soon_ns where one is wanted soon. Or until the thread is to stop. */
static void pause_until(struct kube *k, uint64_t due_ns, uint64_t soon_ns)
{
	pthread_mutex_lock(&k->lock);
	while (!k->stop) {
		uint64_t at_ns = k->soon && soon_ns < due_ns ? soon_ns : due_ns;
		struct timespec at = { at_ns / NSEC_PER_SEC, at_ns % NSEC_PER_SEC };

		if (clock_monotonic_ns() >= at_ns)
			break;
		pthread_cond_timedwait(&k->wake, &k->lock, &at);
	}
	pthread_mutex_unlock(&k->lock);
}

/* One line for each new reason, and one when it is over. */
static void tell(const struct kube *k, int err, char *told, size_t len)
{
	const char *error = err ? kube_api_error(k->api) : "";

	if (!strcmp(told, error))
		return;
	if (err)
		log_warn("Kubernetes names are not known, or old: %s", error);
	else
		log_info("Kubernetes names are known again");
	snprintf(told, len, "%s", error);
}

static bool stopping(struct kube *k)
{
	bool stop;

	pthread_mutex_lock(&k->lock);
	stop = k->stop;
	pthread_mutex_unlock(&k->lock);
	return stop;
}

static void *run(void *arg)
{
	struct kube *k = arg;
	uint64_t backoff_ns = BACKOFF_MIN_NS;
	char told[512] = "";

	for (;;) {
		int err = refresh(k);
		uint64_t now_ns = clock_monotonic_ns();

		if (stopping(k))
			return NULL; /* a list that was cancelled is no failure to tell of */
		tell(k, err, told, sizeof(told));
		if (err) {
			pause_until(k, now_ns + jittered(backoff_ns), UINT64_MAX);
			backoff_ns =
				backoff_ns < BACKOFF_MAX_NS / 2 ? 2 * backoff_ns : BACKOFF_MAX_NS;
		} else {
			pause_until(k, now_ns + jittered(PERIOD_NS), now_ns + SOON_NS);
			backoff_ns = BACKOFF_MIN_NS;
		}
		if (stopping(k))
			return NULL;
	}
}

/* ------------------------------------------------------------------ open and close */

static void init_locks(struct kube *k)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&k->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&k->wake, &attr);
	pthread_condattr_destroy(&attr);
}

static void destroy(struct kube *k)
{
	struct asked *e, *next;

	HASH_ITER(hh, k->asked, e, next)
		drop_asked(k, e);
	pods_free(&k->pods);
	kube_api_free(k->api);
	pthread_cond_destroy(&k->wake);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

struct kube *kube_new(const struct kube_config *config)
{
	struct kube *k = calloc(1, sizeof(*k));
	int err;

	if (!k)
		return NULL;
	init_locks(k);
	k->api = kube_api_new(config);
	err = k->api ? pthread_create(&k->thread, NULL, run, k) : errno;
	if (!err)
		return k;
	destroy(k);
	errno = err;
	return NULL;
}

void kube_free(struct kube *k)
{
	if (!k)
		return;
	pthread_mutex_lock(&k->lock);
	k->stop = true;
	pthread_cond_signal(&k->wake);
	pthread_mutex_unlock(&k->lock);
	kube_api_cancel(k->api);
	pthread_join(k->thread, NULL);
	destroy(k);
}

/* ------------------------------------------------------------------ look-ups */

static struct asked *asked_for(struct kube *k, const char *id)
{
	struct asked *e = NULL;

	HASH_FIND_STR(k->asked, id, e);
	if (e || HASH_COUNT(k->asked) >= ASKED_MAX)
		return e;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	strncat(e->id, id, POD_ID_MAX);
	HASH_ADD_STR(k->asked, id, e);
	if (e->hh.tbl)
		return e;
	free(e);
	return NULL;
}

/* Has the next list come soon, as long as that may help. True: it does not, the id is in none. */
static bool is_hopeless(struct kube *k, const char *id)
{
	struct asked *e = asked_for(k, id);

	if (!e)
		return true; /* no room: the regular list may have it */
	e->last = k->lists;
	if (e->tries && e->tried == k->lists)
		return false; /* no list since */
	if (e->tries == TRIES)
		return true;
	e->tries++;
	e->tried = k->lists;
	k->soon = true;
	pthread_cond_signal(&k->wake);
	return false;
}

/* The container; the pod alone where no container is named, or that one is not of Kubernetes (a runtime inside a pod). */
static const struct k8s_identity *find(struct kube *k, const char *container_id,
				       const char *pod_uid)
{
	const struct k8s_identity *found = pods_find(&k->pods, container_id);

	if (found || (*container_id && !is_hopeless(k, container_id)))
		return found;
	found = pods_find(&k->pods, pod_uid);
	if (!found && *pod_uid)
		is_hopeless(k, pod_uid);
	return found;
}

bool kube_identify(struct kube *k, const char *container_id, const char *pod_uid,
		   struct k8s_identity *out)
{
	const struct k8s_identity *found;

	pthread_mutex_lock(&k->lock);
	found = find(k, container_id, pod_uid);
	if (found)
		*out = *found;
	pthread_mutex_unlock(&k->lock);
	return found != NULL;
}

void kube_get_stats(struct kube *k, struct kube_stats *out)
{
	pthread_mutex_lock(&k->lock);
	*out = k->stats;
	pthread_mutex_unlock(&k->lock);
}
