/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What libtokscope_cupti.so tells of GPU work: USDT probes of provider "tokscope", whose arguments are always in the first
 * registers of a call (rdi, rsi, rdx on x86-64; x0, x1, x2 on arm64), so that bpf/ needs no argument parser.
 *
 *   activity(const struct tks_cupti_record *records, u32 count, u32 version)     at most TKS_CUPTI_BATCH records; none, about
 *                                                    twice a second: what had ended before the last such hit has been told
 *   kernel_name(u32 id, const char *name, u32 length)    once an id, and all again when its semaphore goes up and each minute
 *   device(const struct tks_cupti_device *)              once a device, and all again likewise
 *   status(const struct tks_cupti_status *)              about every 10 s, at every change of state, and at each release
 *
 * Probes that never fire are commands: whoever attaches to them raises their semaphore, which the library looks at twice a
 * second.
 *
 *   want_activity    records are wanted; without it buffers are recycled unparsed
 *   release          give CUPTI up, so that another profiler may have it
 */
#ifndef TKS_CUPTI_H
#define TKS_CUPTI_H

#include "tks_record.h"

#define TKS_CUPTI_PROVIDER "tokscope"
#define TKS_CUPTI_VERSION  1
#define TKS_CUPTI_BATCH	   128
#define TKS_CUPTI_NAME_MAX \
	512 /* bytes of a kernel's (mangled) name that are told, its NUL not counted */

enum tks_cupti_kind {
	TKS_CUPTI_KERNEL = 1, /* eager, or node-level of a graph */
	TKS_CUPTI_GRAPH = 2,  /* one launch of a graph, as a whole */
	TKS_CUPTI_MEMCPY = 3,
	TKS_CUPTI_MEMSET = 4,
	TKS_CUPTI_LAUNCH =
		5, /* CPU side: one call that launches; start and end on the calling thread */
	TKS_CUPTI_OVERHEAD = 6, /* CUPTI about its own cost */
};

/* Values are CUPTI's own (CUpti_ActivityMemcpyKind), which never change. */
enum tks_cupti_memcpy {
	TKS_CUPTI_HTOD = 1,
	TKS_CUPTI_DTOH = 2,
	TKS_CUPTI_HTOA = 3,
	TKS_CUPTI_ATOH = 4,
	TKS_CUPTI_ATOA = 5,
	TKS_CUPTI_ATOD = 6,
	TKS_CUPTI_DTOA = 7,
	TKS_CUPTI_DTOD = 8,
	TKS_CUPTI_HTOH = 9,
	TKS_CUPTI_PTOP = 10,
};

struct tks_cupti_record {
	__u8 kind;	   /* enum tks_cupti_kind */
	__u8 sub;	   /* enum tks_cupti_memcpy; of an overhead its number among CUPTI's own */
	__u16 device;	   /* CUPTI's ordinal in this process */
	__u32 correlation; /* of the launch */
	__u64 start_ns, end_ns; /* CLOCK_MONOTONIC */
	__u64 bytes;		/* memcpy, memset; kernels: number of blocks of the grid */
	__u64 graph_node;	/* node-level kernels; else 0 */
	__u32 stream, context;
	__u32 graph; /* 0: none */
	__u32 name;  /* id told by kernel_name; 0: none */
	__u32 tid;   /* launches: the calling thread, in the process's own pid namespace */
	__u32 cbid;  /* launches: CUPTI's callback id */
};
TKS_STATIC_ASSERT(sizeof(struct tks_cupti_record) == 64, "tks_cupti_record is wire format");

struct tks_cupti_device {
	__u32 ordinal;
	__u8 mig; /* 1: the UUID is that of a MIG instance */
	__u8 pad[3];
	__u8 uuid[16];
	__u32 pci_domain, pci_bus, pci_device;
	char name[64];
	__u8 pad2[4];
};
TKS_STATIC_ASSERT(sizeof(struct tks_cupti_device) == 104, "tks_cupti_device is wire format");

enum tks_cupti_state {
	TKS_CUPTI_STARTING = 0,
	TKS_CUPTI_IDLE = 1, /* subscribed, nobody wants records */
	TKS_CUPTI_ACTIVE = 2,
	TKS_CUPTI_BUSY = 3,	  /* another subscriber has CUPTI: dormant */
	TKS_CUPTI_RELEASED = 4,	  /* given up on request */
	TKS_CUPTI_STOOD_DOWN = 5, /* the watchdog ended it; `reason` says why */
	TKS_CUPTI_ABSENT = 6,	  /* no usable libcupti; `result` is its error, 0: not found */
	TKS_CUPTI_DISABLED =
		7, /* by TOKSCOPE_CUPTI_DISABLE=1: not told, as the library then does nothing at all */
};

enum tks_cupti_reason {
	TKS_CUPTI_REASON_NONE = 0,
	TKS_CUPTI_REASON_TIMESTAMPS = 1, /* too many records with impossible times */
	TKS_CUPTI_REASON_MEMORY = 2,	 /* buffers or device memory grew beyond the bound */
	TKS_CUPTI_REASON_BUFFERS = 3,	 /* the buffer pool ran out for too long */
	TKS_CUPTI_REASON_CPU = 4,	 /* its own threads took too much CPU time */
	TKS_CUPTI_REASON_ERROR = 5,	 /* CUPTI returned errors; `result` is the last */
};

/* Counters only grow. */
struct tks_cupti_status {
	__u32 version;	     /* TKS_CUPTI_VERSION */
	__u32 cupti_version; /* cuptiGetVersion() */
	__u32 state, reason;
	__s32 result; /* the CUptiResult behind it */
	__u32 node_level;
	__u64 records;	       /* told by activity */
	__u64 unparsed;	       /* bytes of buffers recycled unread, as nobody wanted them */
	__u64 dropped;	       /* by CUPTI itself */
	__u64 invalid;	       /* records with impossible times: not told */
	__u64 unknown;	       /* records of kinds that are not known: not told */
	__u64 buffers_refused; /* no buffer could be given */
	__u64 cpu_ns;	       /* of the library's own threads */
	__u64 overhead_ns;     /* as CUPTI tells of itself */
	__u64 names_lost;      /* kernels told without a name, as there was no room for it */
};
TKS_STATIC_ASSERT(sizeof(struct tks_cupti_status) == 96, "tks_cupti_status is wire format");

/* Ring buffer records. h.time_ns is the time of the probe's hit. */
struct tks_cupti_activity {
	struct tks_header h;
	__u32 count;
	__u32 version;
	struct tks_cupti_record records[];
};
struct tks_cupti_kernel_name {
	struct tks_header h;
	__u32 id;
	__u32 len; /* of name, NUL not counted */
	char name[];
};
struct tks_cupti_device_record {
	struct tks_header h;
	struct tks_cupti_device device;
};
struct tks_cupti_status_record {
	struct tks_header h;
	struct tks_cupti_status status;
};

#endif
