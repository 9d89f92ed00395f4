// SPDX-License-Identifier: Apache-2.0
/*
 * libtokscope_cupti.so: the CUDA driver loads what CUDA_INJECTION64_PATH names, and calls InitializeInjection() from within
 * cuInit(). Whatever goes wrong here, the program must run as if the library were not there.
 *
 *   TOKSCOPE_CUPTI_DISABLE=1	     do nothing at all
 *   TOKSCOPE_CUPTI_MODE=graph|node  graphs as a whole (default), or each of their nodes, which costs far more
 *   TOKSCOPE_CUPTI_LIBRARY=FILE     the libcupti to use
 *   TOKSCOPE_CUPTI_DUMP=FILE	     dump.h
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "keeper.h"

static struct keeper keeper = { .collect.lock = PTHREAD_MUTEX_INITIALIZER };

static bool is_set(const char *name, const char *value)
{
	const char *found = getenv(name);

	return found && !strcmp(found, value);
}

static void at_exit(void)
{
	keeper_end(&keeper);
}

static void start(void)
{
	static _Atomic bool started;

	if (is_set("TOKSCOPE_CUPTI_DISABLE", "1") || atomic_exchange(&started, true))
		return;
	keeper_begin(&keeper, is_set("TOKSCOPE_CUPTI_MODE", "node"));
	if (keeper_start(&keeper) == 0)
		atexit(at_exit);
	else
		collect_unsubscribe(&keeper.collect);
}

__attribute__((visibility("default"))) int InitializeInjection(void);

/* 1: the injection succeeded, which the driver is told whatever happened. */
int InitializeInjection(void)
{
	int saved = errno;

	start();
	errno = saved;
	return 1;
}
