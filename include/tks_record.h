/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ring buffer records: what bpf/ writes and user/load reads.
 *
 * Every record starts with struct tks_header. Kinds and numbers are append-only. All records are
 * zeroed before they are filled; no record holds a pointer that user space would follow.
 */
#ifndef TKS_RECORD_H
#define TKS_RECORD_H

#include "tks_types.h"

/* Bytes of payload in one record: a multiple of the page size that keeps the per-CPU scratch small. */
#define TKS_PIECE_MAX 16384
/* Bytes of one call that are captured (design.md 2); what lies beyond is tks_data.skip. */
#define TKS_CALL_MAX 65536
/* In head-and-tail mode (TKS_SOCK_HEAD_TAIL): bytes kept from the start and the end of a call. */
#define TKS_HEAD_MAX 2048
#define TKS_TAIL_MAX 512
/* Requests: the first bytes of one receive call (holds any header block servers accept), then the tail. */
#define TKS_REQUEST_HEAD_MAX 16384
/* iovec segments of one call that are followed; more are skipped by length and counted. */
#define TKS_SEGMENTS_MAX 64

enum tks_kind {
	TKS_KIND_DATA = 1,	     /* struct tks_data */
	TKS_KIND_SOCK_STATE = 2,     /* struct tks_sock_state */
	TKS_KIND_PROC = 3,	     /* struct tks_proc */
	TKS_KIND_GPU = 4,	     /* struct tks_gpu (tks_gpu.h) */
	TKS_KIND_PROBE = 5,	     /* struct tks_probe_event (tks_probe.h) */
	TKS_KIND_CUPTI_ACTIVITY = 6, /* struct tks_cupti_activity (tks_cupti.h) */
	TKS_KIND_CUPTI_NAME = 7,     /* struct tks_cupti_kernel_name */
	TKS_KIND_CUPTI_DEVICE = 8,   /* struct tks_cupti_device_record */
	TKS_KIND_CUPTI_STATUS = 9,   /* struct tks_cupti_status_record */
};

struct tks_header {
	__u32 size;    /* of the whole record, payload included */
	__u16 kind;    /* enum tks_kind */
	__u16 flags;   /* enum tks_data_flags on data records, else 0 */
	__u64 time_ns; /* CLOCK_MONOTONIC at return of the call */
	__u32 tgid;    /* process (host pid namespace) */
	__u32 tid;
};
TKS_STATIC_ASSERT(sizeof(struct tks_header) == 24, "tks_header is wire format");

/*
 * A socket. (id, ino) never repeats while the agent lives: id is the kernel's socket cookie, or where no cookie
 * can be read the sock pointer; ino is the socket's inode number.
 */
struct tks_sock {
	__u64 id;
	__u32 ino;
	__u32 netns;  /* inode number of its network namespace */
	__u16 family; /* AF_INET, AF_INET6, AF_UNIX */
	__u16 lport;  /* host byte order; 0 on unix sockets */
	__u16 rport;
	__u16 pad;
	__u8 laddr[16]; /* network byte order; IPv4 in the first 4 bytes; zero on unix sockets */
	__u8 raddr[16];
};
TKS_STATIC_ASSERT(sizeof(struct tks_sock) == 56, "tks_sock is wire format");

/* The connection's health after the call (struct tcp_sock); all 0 on sockets that are not plain TCP. */
struct tks_tcp {
	__u32 srtt_us;	   /* smoothed round-trip time */
	__u32 retransmits; /* segments sent again since the connection began */
	__u32 rwnd_limited_ticks; /* jiffies it had bytes to send but no room at the peer, since it began */
	__u32 accept_wait_us; /* established to accepted, told until the first send; else TKS_ACCEPT_WAIT_UNKNOWN */
};
#define TKS_ACCEPT_WAIT_UNKNOWN 0xffffffff

enum tks_dir {
	TKS_RECV = 0,
	TKS_SEND = 1,
};

enum tks_data_flags {
	TKS_DATA_PEEK =
		1 << 0, /* MSG_PEEK: only sent with ret <= 0, as evidence of the peer's end */
	TKS_DATA_LENGTH =
		1
		<< 1, /* no reachable buffer (sendfile, splice, io_uring, fault): skip == the call */
	TKS_DATA_UNIX =
		1 << 2, /* pos is the agent's own 64-bit count, else a 32-bit TCP sequence number */
};

/*
 * One piece of one send or receive call. The call moved `ret` bytes; this piece holds data[0..len) at stream
 * position pos, and the `skip` bytes that follow it in the stream were not captured. The pieces of one call come in
 * order. ret == 0 on a receive is the peer's end; ret < 0 is a negative errno (EPIPE, ECONNRESET, ...).
 */
struct tks_data {
	struct tks_header h;
	struct tks_sock sk;
	__u64 pos;
	__u32 len;
	__u32 skip;
	__s32 ret;
	__u8 dir; /* enum tks_dir */
	__u8 pad[3];
	struct tks_tcp tcp;
	__u8 data[];
};
TKS_STATIC_ASSERT(sizeof(struct tks_data) == 120, "tks_data is wire format");

/*
 * A traced TCP socket changed state (include/net/tcp_states.h numbers). err is sk->sk_err, positive, or 0. The peer's end
 * may arrive while a send is under way, whose record then comes later: `sent` tells which bytes were written before.
 */
struct tks_sock_state {
	struct tks_header h;
	struct tks_sock sk;
	__s32 err;
	__u8 old_state;
	__u8 new_state;
	__u8 pad[2];
	/* Stream positions of this end's writes: of the first byte, and after the last. Both 0 where positions are counted. */
	__u32 first;
	__u32 sent;
};
TKS_STATIC_ASSERT(sizeof(struct tks_sock_state) == 96, "tks_sock_state is wire format");

enum tks_proc_event {
	TKS_PROC_FORK =
		1, /* h.tgid (selected) made process `child`, which inherits the selection */
	TKS_PROC_EXEC = 2, /* h.tgid (selected) replaced its image */
	TKS_PROC_EXIT = 3, /* last thread of h.tgid (selected) is gone */
	TKS_PROC_LISTEN =
		4, /* h.tgid (any process) put a TCP socket into TCP_LISTEN; sk says where */
};

struct tks_proc {
	struct tks_header h;
	struct tks_sock sk; /* TKS_PROC_LISTEN only */
	__u32 event;	    /* enum tks_proc_event */
	__u32 child;
};
TKS_STATIC_ASSERT(sizeof(struct tks_proc) == 88, "tks_proc is wire format");

/* Value of the targets map (key: tgid). */
struct tks_target {
	__u32 flags;
	__u32 pad;
};

/* Value of the socket mode map that user space writes (key: sock id). */
enum tks_sock_mode {
	TKS_SOCK_HEAD_TAIL = 1 << 0, /* not a stream: keep only the head and tail of each send */
};

#endif
