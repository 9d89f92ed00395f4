// SPDX-License-Identifier: Apache-2.0
/*
 * cupti/cupti_abi.h and cuda_abi.h against a real <cupti.h>: compiles, or does not. KERNEL, MEMCPY, MEMCPY_PEER, MEMSET,
 * GRAPH and OVERHEAD are the newest structs of that header (tests/cupti/test_real.py finds them).
 */
#include <cupti.h>

/* <cuda.h> renames its functions. */
#undef cuDeviceGetUuid

#include "cuda_abi.h"
#include "cupti_abi.h"

#define SAME(ours, theirs) \
	_Static_assert((unsigned long long)(ours) == (unsigned long long)(theirs), #ours)
#define FIELD(record, field, theirs, their_field)                            \
	SAME(offsetof(struct record, field), offsetof(theirs, their_field)); \
	SAME(sizeof(((struct record *)0)->field), sizeof(((theirs *)0)->their_field))
#define BEGINNING(record, theirs) _Static_assert(sizeof(struct record) <= sizeof(theirs), #record)

SAME(RESULT_OK, CUPTI_SUCCESS);
SAME(RESULT_END, CUPTI_ERROR_MAX_LIMIT_REACHED);
SAME(RESULT_NO_DRIVER, CUPTI_ERROR_NOT_INITIALIZED);
SAME(RESULT_INVALID_KIND, CUPTI_ERROR_INVALID_KIND);
SAME(RESULT_NOT_SUPPORTED, CUPTI_ERROR_NOT_SUPPORTED);
SAME(RESULT_BUSY, CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED);
SAME(RESULT_UNKNOWN, CUPTI_ERROR_UNKNOWN);
SAME(KIND_MEMCPY, CUPTI_ACTIVITY_KIND_MEMCPY);
SAME(KIND_MEMSET, CUPTI_ACTIVITY_KIND_MEMSET);
SAME(KIND_KERNEL, CUPTI_ACTIVITY_KIND_KERNEL);
SAME(KIND_DRIVER, CUPTI_ACTIVITY_KIND_DRIVER);
SAME(KIND_CONCURRENT_KERNEL, CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL);
SAME(KIND_OVERHEAD, CUPTI_ACTIVITY_KIND_OVERHEAD);
SAME(KIND_MEMCPY_PEER, CUPTI_ACTIVITY_KIND_MEMCPY2);
SAME(KIND_GRAPH_TRACE, CUPTI_ACTIVITY_KIND_GRAPH_TRACE);
SAME(ATTRIBUTE_DEVICE_BUFFER_POOL_LIMIT, CUPTI_ACTIVITY_ATTR_DEVICE_BUFFER_POOL_LIMIT);
SAME(ATTRIBUTE_ZEROED_OUT_ACTIVITY_BUFFER, CUPTI_ACTIVITY_ATTR_ZEROED_OUT_ACTIVITY_BUFFER);
SAME(THREAD_ID_DEFAULT, CUPTI_ACTIVITY_THREAD_ID_TYPE_DEFAULT);
SAME(THREAD_ID_SYSTEM, CUPTI_ACTIVITY_THREAD_ID_TYPE_SYSTEM);
SAME(FLUSH_FORCED, CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
SAME(DEVICE_PCI_BUS_ID, CU_DEVICE_ATTRIBUTE_PCI_BUS_ID);
SAME(DEVICE_PCI_DEVICE_ID, CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID);
SAME(DEVICE_PCI_DOMAIN_ID, CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID);
SAME(1 << 16, CUPTI_ACTIVITY_OVERHEAD_CUPTI_BUFFER_FLUSH);

/* launch_cbids of collect.c */
SAME(307, CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel);
SAME(442, CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel_ptsz);
SAME(652, CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx);
SAME(653, CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx_ptsz);
SAME(477, CUPTI_DRIVER_TRACE_CBID_cuLaunchCooperativeKernel);
SAME(478, CUPTI_DRIVER_TRACE_CBID_cuLaunchCooperativeKernel_ptsz);
SAME(514, CUPTI_DRIVER_TRACE_CBID_cuGraphLaunch);
SAME(515, CUPTI_DRIVER_TRACE_CBID_cuGraphLaunch_ptsz);

BEGINNING(activity_kernel, KERNEL);
FIELD(activity_kernel, start, KERNEL, start);
FIELD(activity_kernel, end, KERNEL, end);
FIELD(activity_kernel, completed, KERNEL, completed);
FIELD(activity_kernel, device, KERNEL, deviceId);
FIELD(activity_kernel, context, KERNEL, contextId);
FIELD(activity_kernel, stream, KERNEL, streamId);
FIELD(activity_kernel, grid[0], KERNEL, gridX);
FIELD(activity_kernel, grid[2], KERNEL, gridZ);
FIELD(activity_kernel, block[0], KERNEL, blockX);
FIELD(activity_kernel, correlation, KERNEL, correlationId);
FIELD(activity_kernel, name, KERNEL, name);
FIELD(activity_kernel, graph_node, KERNEL, graphNodeId);
FIELD(activity_kernel, graph, KERNEL, graphId);

BEGINNING(activity_memcpy, MEMCPY);
FIELD(activity_memcpy, copy_kind, MEMCPY, copyKind);
FIELD(activity_memcpy, bytes, MEMCPY, bytes);
FIELD(activity_memcpy, start, MEMCPY, start);
FIELD(activity_memcpy, end, MEMCPY, end);
FIELD(activity_memcpy, device, MEMCPY, deviceId);
FIELD(activity_memcpy, context, MEMCPY, contextId);
FIELD(activity_memcpy, stream, MEMCPY, streamId);
FIELD(activity_memcpy, correlation, MEMCPY, correlationId);
FIELD(activity_memcpy, graph_node, MEMCPY, graphNodeId);
FIELD(activity_memcpy, graph, MEMCPY, graphId);

BEGINNING(activity_memcpy_peer, MEMCPY_PEER);
FIELD(activity_memcpy_peer, copy_kind, MEMCPY_PEER, copyKind);
FIELD(activity_memcpy_peer, bytes, MEMCPY_PEER, bytes);
FIELD(activity_memcpy_peer, start, MEMCPY_PEER, start);
FIELD(activity_memcpy_peer, end, MEMCPY_PEER, end);
FIELD(activity_memcpy_peer, device, MEMCPY_PEER, deviceId);
FIELD(activity_memcpy_peer, context, MEMCPY_PEER, contextId);
FIELD(activity_memcpy_peer, stream, MEMCPY_PEER, streamId);
FIELD(activity_memcpy_peer, correlation, MEMCPY_PEER, correlationId);

BEGINNING(activity_memset, MEMSET);
FIELD(activity_memset, bytes, MEMSET, bytes);
FIELD(activity_memset, start, MEMSET, start);
FIELD(activity_memset, end, MEMSET, end);
FIELD(activity_memset, device, MEMSET, deviceId);
FIELD(activity_memset, context, MEMSET, contextId);
FIELD(activity_memset, stream, MEMSET, streamId);
FIELD(activity_memset, correlation, MEMSET, correlationId);
FIELD(activity_memset, graph_node, MEMSET, graphNodeId);
FIELD(activity_memset, graph, MEMSET, graphId);

BEGINNING(activity_graph, GRAPH);
FIELD(activity_graph, correlation, GRAPH, correlationId);
FIELD(activity_graph, start, GRAPH, start);
FIELD(activity_graph, end, GRAPH, end);
FIELD(activity_graph, device, GRAPH, deviceId);
FIELD(activity_graph, graph, GRAPH, graphId);
FIELD(activity_graph, context, GRAPH, contextId);
FIELD(activity_graph, stream, GRAPH, streamId);

BEGINNING(activity_api, CUpti_ActivityAPI);
FIELD(activity_api, cbid, CUpti_ActivityAPI, cbid);
FIELD(activity_api, start, CUpti_ActivityAPI, start);
FIELD(activity_api, end, CUpti_ActivityAPI, end);
FIELD(activity_api, thread, CUpti_ActivityAPI, threadId);
FIELD(activity_api, correlation, CUpti_ActivityAPI, correlationId);

BEGINNING(activity_overhead, OVERHEAD);
FIELD(activity_overhead, overhead_kind, OVERHEAD, overheadKind);
FIELD(activity_overhead, start, OVERHEAD, start);
FIELD(activity_overhead, end, OVERHEAD, end);
