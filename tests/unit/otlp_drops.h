/* SPDX-License-Identifier: Apache-2.0 */
/* What an exporter has said that it dropped, on whichever thread. */
#ifndef OTLP_DROPS_H
#define OTLP_DROPS_H

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "export/otlp_settings.h"

struct otlp_drops {
	char text
		[256]; /* "traces rejected 2\n" for each time; read it when the exporter has ended */
};

static inline void otlp_drops_add(struct otlp_drops *d, enum otlp_signal signal, const char *reason,
				  uint64_t count)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	size_t len;

	pthread_mutex_lock(&lock);
	len = strlen(d->text);
	snprintf(d->text + len, sizeof(d->text) - len, "%s %s %d\n", otlp_signal_name(signal),
		 reason, (int)count);
	pthread_mutex_unlock(&lock);
}

#endif
