// SPDX-License-Identifier: Apache-2.0
/*
 * Work that the caller need not wait for: taking a probe off takes up to 0.1 s. But the process must, before it ends: a thread
 * that is killed in the kernel while it removes a breakpoint leaves it there, and a USDT semaphore up, for as long as the
 * probed process lives (get_user_pages_remote() gives up on a fatal signal; "leaking uprobe" in kernel/events/uprobes.c).
 */
#include <stdlib.h>

#include "load/internal.h"

struct job {
	struct background *background;
	void (*run)(void *arg);
	void *arg;
};

void background_init(struct background *b)
{
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->ended, NULL);
}

static void *work(void *data)
{
	struct job j = *(struct job *)data;

	free(data);
	j.run(j.arg);
	pthread_mutex_lock(&j.background->lock);
	j.background->running--;
	pthread_cond_signal(&j.background->ended);
	pthread_mutex_unlock(&j.background->lock);
	return NULL;
}

static bool start(struct job *j)
{
	struct background *b = j->background;
	pthread_t thread;
	bool started;

	/* Before it can end. */
	pthread_mutex_lock(&b->lock);
	started = !pthread_create(&thread, NULL, work, j);
	b->running += started;
	pthread_mutex_unlock(&b->lock);
	if (started)
		pthread_detach(thread);
	return started;
}

void background_run(struct background *b, void (*run)(void *arg), void *arg)
{
	struct job *j = malloc(sizeof(*j));

	if (j)
		*j = (struct job){ b, run, arg };
	if (j && start(j))
		return;
	free(j);
	run(arg);
}

void background_end(struct background *b)
{
	pthread_mutex_lock(&b->lock);
	while (b->running)
		pthread_cond_wait(&b->ended, &b->lock);
	pthread_mutex_unlock(&b->lock);
	pthread_cond_destroy(&b->ended);
	pthread_mutex_destroy(&b->lock);
}
