// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Processes and connections coming and going. Rare events: records are built on the stack. */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "maps.bpf.h"
#include "sock.bpf.h"

static __always_inline void emit_proc(enum tks_proc_event event, __u32 tgid, __u32 child)
{
	struct tks_proc p = {};

	header_init(&p.h, TKS_KIND_PROC, sizeof(p));
	p.h.tgid = tgid;
	p.event = event;
	p.child = child;
	emit(&p, sizeof(p));
}

/* The child is selected before it runs, so that a worker's first bytes are seen. */
SEC("?tp_btf/sched_process_fork")
int BPF_PROG(proc_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 tgid = parent->tgid, child_tgid = child->tgid;
	struct tks_target *target;

	if (child_tgid == tgid)
		return 0; /* a thread */
	target = target_of(tgid);
	if (!target)
		return 0;
	if (bpf_map_update_elem(&targets, &child_tgid, target, BPF_ANY)) {
		count_failure(TKS_FAILURE_TARGET_MAP);
		return 0;
	}
	emit_proc(TKS_PROC_FORK, tgid, child_tgid);
	return 0;
}

SEC("?tp_btf/sched_process_exec")
int BPF_PROG(proc_exec, struct task_struct *task)
{
	if (target_of(task->tgid))
		emit_proc(TKS_PROC_EXEC, task->tgid, 0);
	return 0;
}

/* Two last threads can both see live == 0: the one that deletes the entry tells. */
SEC("?tp_btf/sched_process_exit")
int BPF_PROG(proc_exit, struct task_struct *task)
{
	__u32 tgid = task->tgid;

	if (!target_of(tgid) || task->signal->live.counter)
		return 0;
	if (!bpf_map_delete_elem(&targets, &tgid))
		emit_proc(TKS_PROC_EXIT, tgid, 0);
	return 0;
}

static __always_inline void on_listen(struct sock *sk)
{
	struct tks_proc p = {};
	__u8 counted;

	header_init(&p.h, TKS_KIND_PROC, sizeof(p));
	if (p.h.tgid == own_tgid || !sock_describe(sk, &p.sk, &counted) || counted)
		return;
	p.sk.id = (__u64)sk;
	p.sk.ino = sock_ino(sk);
	p.event = TKS_PROC_LISTEN;
	emit(&p, sizeof(p));
}

/*
 * bytes_acked counts from the first byte on (tcp_snd_una_update); at the end that connected, also the SYN, so there it is one
 * less than the position.
 */
static __always_inline __u32 first_byte(struct sock *sk)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;

	return BPF_CORE_READ(tp, snd_una) - (__u32)BPF_CORE_READ(tp, bytes_acked);
}

/* write_seq less the FIN, which takes a number when it is queued: on leaving the state that close or shutdown set. */
static __always_inline __u32 bytes_sent(struct sock *sk, int oldstate)
{
	bool fin = oldstate == TCP_FIN_WAIT1 || oldstate == TCP_FIN_WAIT2 ||
		   oldstate == TCP_CLOSING || oldstate == TCP_LAST_ACK;

	return tcp_position(sk, TKS_SEND) - fin;
}

/*
 * After TCP_CLOSE the pointer may be used anew, so the entry goes; but where a reset came while a file is open, bytes
 * may be left to read, for which the kernel has forgotten the local port: then it stays until the next use.
 */
static __always_inline void forget_closed(struct sock *sk, struct sock_state *st)
{
	__u64 key = (__u64)sk;

	if (sock_ino(sk))
		st->closed = 1;
	else
		bpf_map_delete_elem(&socks, &key);
}

/* Mostly in softirq, where the current task is any: the record names the process that used the socket last. */
static __always_inline void on_state(struct sock *sk, int oldstate, int newstate)
{
	__u64 key = (__u64)sk;
	struct sock_state *st = bpf_map_lookup_elem(&socks, &key), copy;
	__u32 first = 0, sent = 0;

	if (!st || st->closed)
		return;
	copy = *st;
	if (!copy.counted) {
		first = first_byte(sk);
		sent = bytes_sent(sk, oldstate);
	}
	if (newstate == TCP_CLOSE)
		forget_closed(sk, st);
	emit_sock_state(&copy, sk->sk_err, oldstate, newstate, first, sent);
}

SEC("?tp_btf/inet_sock_set_state")
int BPF_PROG(sock_state, struct sock *sk, int oldstate, int newstate)
{
	switch (newstate) {
	case TCP_LISTEN:
		on_listen(sk);
		break;
	case TCP_CLOSE_WAIT:
	case TCP_FIN_WAIT1:
	case TCP_LAST_ACK:
	case TCP_CLOSE:
		on_state(sk, oldstate, newstate);
		break;
	}
	return 0;
}
