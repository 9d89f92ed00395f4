// SPDX-License-Identifier: Apache-2.0
/* A fake: fake_cupti.h. FAKE_CUPTI_VERSION=N in the environment sets cuptiGetVersion() where no test program can. */
#include "fake_cupti.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CUPTI_VERSION 130001
#define EXPORT	      __attribute__((visibility("default")))

static struct fake_cupti fake = { .version = CUPTI_VERSION, .pool_limit = 250 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static cupti_buffer_requested requested;
static cupti_buffer_completed completed;
static uint8_t *buffer;
static size_t buffer_size, written, dropped;

EXPORT struct fake_cupti *fake_cupti(void)
{
	return &fake;
}

/* Strides of CUPTI 13.0: tests/cupti/oracle.c compares them with the real library's. */
static size_t stride_of(uint32_t kind)
{
	switch (kind) {
	case KIND_CONCURRENT_KERNEL:
	case KIND_KERNEL:
		return 216 + fake.longer;
	case KIND_MEMCPY:
	case KIND_MEMCPY_PEER:
		return 96;
	case KIND_MEMSET:
		return 88;
	case KIND_GRAPH_TRACE:
	case KIND_OVERHEAD:
		return 56;
	case KIND_DRIVER:
		return 40;
	case 38: /* SYNCHRONIZATION: known to CUPTI, unknown to the library */
		return 56;
	default:
		return 0;
	}
}

/* With the lock held, as the real one does when it requests buffers. */
static void hand_over(void)
{
	uint8_t *full = buffer;
	size_t size = buffer_size, valid = written;

	if (!full || fake.deaf)
		return;
	buffer = NULL;
	pthread_mutex_unlock(&lock);
	completed(NULL, 0, full, size, valid);
	pthread_mutex_lock(&lock);
}

static bool room_for(size_t size)
{
	size_t max_records = 1;

	while (buffer && size > buffer_size - written) {
		hand_over();
		if (fake.deaf)
			buffer = NULL;
	}
	if (!buffer) {
		written = 0;
		requested(&buffer, &buffer_size, &max_records);
	}
	return buffer && size <= buffer_size - written;
}

EXPORT bool fake_cupti_record(const void *record, size_t size, bool always)
{
	uint32_t kind = ((const struct activity *)record)->kind;
	size_t stride = stride_of(kind) ? stride_of(kind) : size;
	bool taken = false;

	pthread_mutex_lock(&lock);
	if (requested && (always || (kind < 64 && (fake.enabled >> kind & 1)))) {
		taken = room_for(stride);
		dropped += !taken;
	}
	if (taken) {
		memset(buffer + written, 0, stride);
		memcpy(buffer + written, record, size < stride ? size : stride);
		written += stride;
		fake.accepted++;
	}
	pthread_mutex_unlock(&lock);
	return taken;
}

/* ------------------------------------------------------------------ CUPTI's functions */

#define API(name, ...)                         \
	EXPORT cupti_result name(__VA_ARGS__); \
	EXPORT cupti_result name(__VA_ARGS__)

API(cuptiGetVersion, uint32_t *version)
{
	const char *said = getenv("FAKE_CUPTI_VERSION");

	if (said)
		fake.version = (uint32_t)atoi(said);
	*version = fake.version;
	return RESULT_OK;
}

API(cuptiGetTimestamp, uint64_t *ns)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	*ns = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
	return RESULT_OK;
}

API(cuptiSubscribe, void **subscriber, cupti_callback callback, void *data)
{
	(void)callback;
	(void)data;
	if (fake.subscribe_error)
		return fake.subscribe_error;
	if (fake.busy || atomic_exchange(&fake.subscribed, true))
		return RESULT_BUSY;
	fake.subscriptions++;
	*subscriber = &fake;
	return RESULT_OK;
}

API(cuptiUnsubscribe, void *subscriber)
{
	(void)subscriber;
	fake.subscribed = false;
	return RESULT_OK;
}

API(cuptiActivityRegisterCallbacks, cupti_buffer_requested request, cupti_buffer_completed complete)
{
	pthread_mutex_lock(&lock);
	requested = request;
	completed = complete;
	pthread_mutex_unlock(&lock);
	return RESULT_OK;
}

API(cuptiActivityEnable, int kind)
{
	if (kind == KIND_GRAPH_TRACE && fake.graph_trace_error)
		return fake.graph_trace_error;
	fake.enabled |= UINT64_C(1) << kind;
	return RESULT_OK;
}

API(cuptiActivityDisable, int kind)
{
	fake.disables[kind]++;
	fake.enabled &= ~(UINT64_C(1) << kind);
	return RESULT_OK;
}

API(cuptiActivityEnableDriverApi, uint32_t cbid, uint8_t enable)
{
	(void)cbid;
	fake.launches += enable ? 1 : -1;
	if (fake.launches)
		fake.enabled |= UINT64_C(1) << KIND_DRIVER;
	else
		fake.enabled &= ~(UINT64_C(1) << KIND_DRIVER);
	return RESULT_OK;
}

API(cuptiActivityFlushAll, uint32_t flags)
{
	struct timespec t = { fake.flush_ms / 1000, fake.flush_ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
	fake.flushes++;
	fake.flushes_forced += flags == FLUSH_FORCED;
	pthread_mutex_lock(&lock);
	if (flags == FLUSH_FORCED || !fake.incomplete)
		hand_over();
	pthread_mutex_unlock(&lock);
	return fake.flush_error;
}

/* The results of the real one, from 12.4 on: the end, a truncated record and an empty buffer are 12, an unknown kind is 21. */
API(cuptiActivityGetNextRecord, uint8_t *from, size_t valid, struct activity **record)
{
	size_t at = 0, stride;

	if (*record) {
		stride = stride_of((*record)->kind);
		at = (size_t)((uint8_t *)*record - from) + stride;
	}
	if (valid < sizeof(struct activity) || at > valid - sizeof(struct activity))
		return RESULT_END;
	stride = stride_of(((struct activity *)(from + at))->kind);
	if (!stride)
		return RESULT_INVALID_KIND;
	if (stride > valid - at)
		return RESULT_END;
	*record = (struct activity *)(from + at);
	return RESULT_OK;
}

/* Takes the lock that is held while a buffer is requested: who calls it with a lock that a request needs too, hangs. */
API(cuptiActivityGetNumDroppedRecords, void *context, uint32_t stream, size_t *count)
{
	(void)context;
	(void)stream;
	pthread_mutex_lock(&lock);
	*count = dropped;
	dropped = 0;
	pthread_mutex_unlock(&lock);
	return RESULT_OK;
}

API(cuptiActivitySetAttribute, int attribute, size_t *size, void *value)
{
	if (attribute == ATTRIBUTE_DEVICE_BUFFER_POOL_LIMIT && *size == sizeof(size_t))
		fake.pool_limit = *(size_t *)value;
	else if (attribute == ATTRIBUTE_ZEROED_OUT_ACTIVITY_BUFFER && *size == sizeof(uint8_t))
		fake.zeroed = *(uint8_t *)value;
	else
		return RESULT_UNKNOWN;
	return RESULT_OK;
}

API(cuptiActivityGetAttribute, int attribute, size_t *size, void *value)
{
	if (attribute == ATTRIBUTE_DEVICE_BUFFER_POOL_LIMIT && *size == sizeof(size_t))
		*(size_t *)value = fake.pool_limit;
	else if (attribute == ATTRIBUTE_ZEROED_OUT_ACTIVITY_BUFFER && *size == sizeof(uint8_t))
		*(uint8_t *)value = fake.zeroed;
	else
		return RESULT_UNKNOWN;
	return fake.attributes_error;
}

API(cuptiSetThreadIdType, int type)
{
	fake.thread_ids = type;
	return RESULT_OK;
}

API(cuptiGetThreadIdType, int *type)
{
	*type = fake.thread_ids;
	return fake.attributes_error;
}
