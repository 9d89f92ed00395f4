/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A FAKE of NVIDIA's CUPTI, for tests on machines without a GPU: it keeps CUPTI's rules of subscribing, kinds, buffers and
 * record strides, and hands out the records that a test gives it. It says nothing about the real one's cost or threads.
 */
#ifndef FAKE_CUPTI_H
#define FAKE_CUPTI_H

#include <stdbool.h>

#include "cupti_abi.h"

struct fake_cupti {
	/* Set by tests. Defaults: CUPTI 13.0 Update 1 that works. */
	uint32_t version;
	_Atomic bool busy;     /* another subscriber has it */
	int subscribe_error;   /* instead of RESULT_OK */
	int graph_trace_error; /* of enabling GRAPH_TRACE */
	_Atomic int flush_error;
	int attributes_error; /* of reading them */
	int flush_ms;	      /* how long a flush takes */
	uint32_t longer;      /* bytes that kernel records are longer than in 13.0 */
	_Atomic bool
		incomplete; /* its buffer has an unfinished record: only a forced flush hands it over */
	bool deaf;	    /* never gives a buffer back, as if its device had hung */

	/* Settings, with CUPTI's defaults. */
	_Atomic size_t pool_limit;
	_Atomic uint8_t zeroed;
	_Atomic int thread_ids;

	/* What happened. */
	_Atomic uint64_t enabled;      /* a bit a kind */
	_Atomic uint32_t disables[64]; /* calls, by kind */
	_Atomic uint64_t launches;     /* cbids that are on */
	_Atomic bool subscribed;
	_Atomic uint32_t subscriptions, flushes, flushes_forced;
	_Atomic uint64_t accepted; /* records that went into buffers */
};

/* Exported by the library; found with dlsym(). Both are safe on any thread. */
struct fake_cupti *fake_cupti(void);

/* One record of the device. It is taken only while its kind is enabled, or `always`. False: it was not. */
bool fake_cupti_record(const void *record, size_t size, bool always);

#endif
