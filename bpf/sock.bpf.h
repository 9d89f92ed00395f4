/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sockets: which are followed, how they are named, where in their streams a call was. */
#ifndef SOCK_BPF_H
#define SOCK_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"
#include "tks_record.h"

/* include/linux/socket.h, net.h, in.h, net/tcp_states.h: ABI numbers. */
#define AF_UNIX	      1
#define AF_INET	      2
#define AF_INET6      10
#define SOCK_STREAM   1
#define IPPROTO_TCP   6
#define IPPROTO_MPTCP 262

/* include/net/tcp_states.h, ABI */
enum {
	TCP_ESTABLISHED = 1,
	TCP_FIN_WAIT1 = 4,
	TCP_FIN_WAIT2 = 5,
	TCP_CLOSE = 7,
	TCP_CLOSE_WAIT = 8,
	TCP_LAST_ACK = 9,
	TCP_LISTEN = 10,
	TCP_CLOSING = 11,
};

enum first_dir {
	FIRST_NONE,
	FIRST_RECV, /* the peer spoke first: this end serves */
	FIRST_SEND, /* this end asked */
};

struct sock_state {
	struct tks_sock sk;
	__u64 moved[2]; /* bytes so far by enum tks_dir, kept only where `counted` */
	__u32 tgid;	/* the process that used it last */
	__u32 accept_wait_us;
	__u8 first_dir;
	__u8 counted; /* not plain TCP: the position is moved[] */
	__u8 closed;  /* reached TCP_CLOSE with a file still open on it */
	__u8 pad[5];
};

/* Key: sock pointer. Entries of closed unix sockets are left to the LRU. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct sock_state);
} socks __weak SEC(".maps");

/* enum tks_sock_mode by sock id, written by user space. LRU: losing an entry costs bytes, never correctness. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, __u32);
} sock_modes __weak SEC(".maps");

/* How long an accepted connection had waited, in microseconds, by sock pointer, until its first use. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u32);
} accept_waits __weak SEC(".maps");

static __always_inline __u32 accept_wait_take(__u64 key)
{
	__u32 *wait = bpf_map_lookup_elem(&accept_waits, &key);
	__u32 us = wait ? *wait : TKS_ACCEPT_WAIT_UNKNOWN;

	if (wait)
		bpf_map_delete_elem(&accept_waits, &key);
	return us;
}

/* 0 when sk belongs to no file: a socket of the kernel itself (NFS, ...), or one that is closed. */
static __always_inline __u32 sock_ino(struct sock *sk)
{
	struct socket *socket = BPF_CORE_READ(sk, sk_socket);

	if (!socket || !BPF_CORE_READ(socket, file))
		return 0;
	return BPF_CORE_READ((struct socket_alloc *)socket, vfs_inode.i_ino);
}

/*
 * All that depends on the address family. False for sockets that are not followed. `counted`: MPTCP is a byte
 * stream with addresses, but its own sequence numbers live elsewhere, so it is counted like a unix socket.
 */
static __always_inline bool sock_describe(struct sock *sk, struct tks_sock *out, __u8 *counted)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	__u16 protocol = BPF_CORE_READ(sk, sk_protocol);

	if (BPF_CORE_READ(sk, sk_type) != SOCK_STREAM)
		return false;
	out->family = family;
	out->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	*counted = protocol != IPPROTO_TCP;
	if (family == AF_UNIX)
		return true;
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_MPTCP)
		return false;
	out->lport = BPF_CORE_READ(sk, __sk_common.skc_num);
	out->rport = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (family == AF_INET) {
		BPF_CORE_READ_INTO((__be32 *)out->laddr, sk, __sk_common.skc_rcv_saddr);
		BPF_CORE_READ_INTO((__be32 *)out->raddr, sk, __sk_common.skc_daddr);
		return true;
	}
	if (family == AF_INET6) {
		BPF_CORE_READ_INTO(&out->laddr, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&out->raddr, sk, __sk_common.skc_v6_daddr);
		return true;
	}
	return false;
}

/*
 * Stream position after the call just made. A FIN takes a sequence number: once it was read, copied_seq is one
 * beyond the last byte (tcp_recvmsg_locked). SOCK_DONE: the FIN was received (tcp_fin).
 */
static __always_inline __u32 tcp_position(struct sock *sk, enum tks_dir dir)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;
	__u32 copied;

	if (dir == TKS_SEND)
		return BPF_CORE_READ(tp, write_seq);
	copied = BPF_CORE_READ(tp, copied_seq);
	if (copied == BPF_CORE_READ(tp, rcv_nxt) &&
	    BPF_CORE_READ(sk, __sk_common.skc_flags) &
		    (1UL << bpf_core_enum_value(enum sock_flags, SOCK_DONE)))
		copied--;
	return copied;
}

/* struct tks_tcp but for accept_wait_us. chrono_stat leaves TCP_CHRONO_UNSPEC out, and the chrono that runs (tcp.c). */
static __always_inline void tcp_health(struct sock *sk, struct tks_tcp *out)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;

	out->srtt_us = BPF_CORE_READ(tp, srtt_us) >> 3;
	out->retransmits = BPF_CORE_READ(tp, total_retrans);
	out->rwnd_limited_ticks = BPF_CORE_READ(tp, chrono_stat[TCP_CHRONO_RWND_LIMITED - 1]);
	if (BPF_CORE_READ_BITFIELD_PROBED(tp, chrono_type) == TCP_CHRONO_RWND_LIMITED)
		out->rwnd_limited_ticks += (__u32)bpf_jiffies64() - BPF_CORE_READ(tp, chrono_start);
}

/* The change is told in the name of the process that used the socket last. */
static __always_inline void emit_sock_state(const struct sock_state *st, int err, int old_state,
					    int new_state, __u32 first, __u32 sent)
{
	struct tks_sock_state r = {};

	header_init(&r.h, TKS_KIND_SOCK_STATE, sizeof(r));
	r.h.tgid = st->tgid;
	r.h.tid = 0;
	r.sk = st->sk;
	r.err = err;
	r.old_state = old_state;
	r.new_state = new_state;
	r.first = first;
	r.sent = sent;
	emit(&r, sizeof(r));
}

#endif
