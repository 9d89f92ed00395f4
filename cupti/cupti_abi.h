/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The little of CUPTI's binary interface that is used: kinds, results, attributes, and the beginnings of records, which
 * have not changed from CUDA 11.8 to 13.4. tests/cupti/abi_check.c asserts every offset and number here against each
 * <cupti.h> that can be had. A record's size is never taken from here: the library's own iterator knows it.
 */
#ifndef CUPTI_ABI_H
#define CUPTI_ABI_H

#include <stddef.h>
#include <stdint.h>

typedef int cupti_result;

enum {
	RESULT_OK = 0,
	RESULT_END = 12,	   /* CUPTI_ERROR_MAX_LIMIT_REACHED */
	RESULT_NO_DRIVER = 15,	   /* CUPTI_ERROR_NOT_INITIALIZED */
	RESULT_INVALID_KIND = 21,  /* CUPTI_ERROR_INVALID_KIND */
	RESULT_NOT_SUPPORTED = 27, /* CUPTI_ERROR_NOT_SUPPORTED */
	RESULT_BUSY = 39,	   /* CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED */
	RESULT_UNKNOWN = 999,	   /* CUPTI_ERROR_UNKNOWN: also "no GPU" */
};

/* CUpti_ActivityKind */
enum activity_kind {
	KIND_MEMCPY = 1,
	KIND_MEMSET = 2,
	KIND_KERNEL = 3, /* serialises all kernels: read when seen, never enabled */
	KIND_DRIVER = 4,
	KIND_CONCURRENT_KERNEL = 10,
	KIND_OVERHEAD = 17,
	KIND_MEMCPY_PEER = 22, /* CUPTI_ACTIVITY_KIND_MEMCPY2 */
	KIND_GRAPH_TRACE = 51,
};

/* CUpti_ActivityAttribute */
enum activity_attribute {
	ATTRIBUTE_DEVICE_BUFFER_POOL_LIMIT = 2,	  /* size_t, buffers a context */
	ATTRIBUTE_ZEROED_OUT_ACTIVITY_BUFFER = 5, /* uint8_t */
};

/* CUpti_ActivityThreadIdType */
enum {
	THREAD_ID_DEFAULT = 0, /* pthread_self() */
	THREAD_ID_SYSTEM = 1,  /* gettid() */
};
enum {
	FLUSH_FORCED = 1
}; /* CUpti_ActivityFlag */

#define CUPTI_RECORD __attribute__((packed, aligned(8)))

struct activity {
	uint32_t kind;
} CUPTI_RECORD;

/* CUpti_ActivityKernel5 and later */
struct activity_kernel {
	uint32_t kind;
	uint8_t config[12];
	uint64_t start, end, completed;
	uint32_t device, context, stream;
	int32_t grid[3], block[3];
	uint32_t memory[4];
	uint32_t correlation;
	int64_t grid_id;
	const char *name;
	void *reserved;
	uint64_t queued, submitted;
	uint8_t launch[8];
	uint64_t graph_node;
	uint32_t shared_memory_limit;
	uint32_t graph;
} CUPTI_RECORD;

/* CUpti_ActivityMemcpy4 and later */
struct activity_memcpy {
	uint32_t kind;
	uint8_t copy_kind, from, to, flags;
	uint64_t bytes, start, end;
	uint32_t device, context, stream, correlation, runtime_correlation, pad;
	void *reserved;
	uint64_t graph_node;
	uint32_t graph;
} CUPTI_RECORD;

/* CUpti_ActivityMemcpyPtoP3 and later: `device` is where the copy ran */
struct activity_memcpy_peer {
	uint32_t kind;
	uint8_t copy_kind, from, to, flags;
	uint64_t bytes, start, end;
	uint32_t device, context, stream, from_device, from_context, to_device, to_context,
		correlation;
} CUPTI_RECORD;

/* CUpti_ActivityMemset3 and later */
struct activity_memset {
	uint32_t kind, value;
	uint64_t bytes, start, end;
	uint32_t device, context, stream, correlation;
	uint16_t flags, memory_kind;
	uint32_t pad;
	void *reserved;
	uint64_t graph_node;
	uint32_t graph;
} CUPTI_RECORD;

/* CUpti_ActivityGraphTrace and later */
struct activity_graph {
	uint32_t kind, correlation;
	uint64_t start, end;
	uint32_t device, graph, context, stream;
} CUPTI_RECORD;

/* CUpti_ActivityAPI */
struct activity_api {
	uint32_t kind, cbid;
	uint64_t start, end;
	uint32_t process, thread, correlation, return_value;
} CUPTI_RECORD;

/* CUpti_ActivityOverhead and later */
struct activity_overhead {
	uint32_t kind, overhead_kind, object_kind, object[3];
	uint64_t start, end;
} CUPTI_RECORD;

typedef void (*cupti_callback)(void *data, int domain, uint32_t cbid, const void *info);
typedef void (*cupti_buffer_requested)(uint8_t **buffer, size_t *size, size_t *max_records);
typedef void (*cupti_buffer_completed)(void *context, uint32_t stream, uint8_t *buffer, size_t size,
				       size_t valid);

#endif
