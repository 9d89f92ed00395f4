/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The socket backends fentry and kprobe: the functions of functions.def, each looked at when it returns. They see what
 * has no system call of its own (io_uring), and nothing of other calls.
 */
#ifndef FUNCTIONS_BPF_H
#define FUNCTIONS_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "capture.bpf.h"
#include "iter.bpf.h"
#include "preempt.bpf.h"

/* Numbers of arguments of proto.recvmsg and inet_csk_accept in this kernel, set before load from its BTF. */
const volatile __u32 recvmsg_args = 5;
const volatile __u32 accept_args = 4;

#define RECVMSG_ARGS   recvmsg_args
#define RECVMSG_FLAGS  (recvmsg_args == 6 ? 4 : 3)

#define OF_SOCK(arg)   ((struct sock *)(arg))
#define OF_SOCKET(arg) BPF_CORE_READ((struct socket *)(arg), sk)

#define IN_MSG	       true
#define UNSEEN	       false

/*
 * One case a load, kept apart from the others: clang would merge them into one load at ctx + register, which verifiers
 * before 7.x reject. The number is constant to the verifier, so that only one case is ever checked.
 */
#define LOAD_CASE(n, load)                            \
	case n:                                       \
		v = (load);                           \
		asm volatile("" : "+r"(v)::"memory"); \
		break;

/*
 * Argument n of a traced function; argument `number of arguments` is what it returned (bpf_get_func_ret is unknown
 * before 5.17).
 */
static __always_inline __u64 traced_arg(__u64 *ctx, __u32 n)
{
	__u64 v = 0;

	switch (n) {
		LOAD_CASE(0, ctx[0])
		LOAD_CASE(1, ctx[1])
		LOAD_CASE(2, ctx[2])
		LOAD_CASE(3, ctx[3])
		LOAD_CASE(4, ctx[4])
		LOAD_CASE(5, ctx[5])
		LOAD_CASE(6, ctx[6])
	}
	return v;
}

static __always_inline __u64 probed_arg(struct pt_regs *ctx, __u32 n)
{
	__u64 v = 0;

	switch (n) {
		LOAD_CASE(0, PT_REGS_PARM1(ctx))
		LOAD_CASE(1, PT_REGS_PARM2(ctx))
		LOAD_CASE(2, PT_REGS_PARM3(ctx))
		LOAD_CASE(3, PT_REGS_PARM4(ctx))
		LOAD_CASE(4, PT_REGS_PARM5(ctx))
	}
	return v;
}

/* What a function was called with. */
struct pending {
	struct sock *sk;
	struct msghdr *msg; /* NULL: the bytes are not in user memory */
	__u64 size;
	__u32 flags;
	__u32 dir;
};

static __noinline int on_return(const struct pending *p, int ret)
{
	struct call call = { .ret = ret, .flags = p->flags, .dir = p->dir, .shape = SHAPE_NONE };

	if (!p->sk || (!ret && p->msg && !p->size))
		return 0;
	if (ret > 0 && p->msg)
		call_from_msg(p->msg, p->size, &call);
	capture(p->sk, (__u64)p->sk, &call);
	return 0;
}

/* ------------------------------------------------------------------ accepted connections */

/*
 * tcp_init_buffer_space() stamps rcvq_space.time, in microseconds of CLOCK_MONOTONIC, when the connection is
 * established; the next stamp comes with the first bytes that are read.
 */
static __noinline int on_accept(struct sock *sk)
{
	__u64 key = (__u64)sk, now_us = bpf_ktime_get_ns() / 1000, established_us;
	__u32 wait_us;

	if (!sk || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	established_us = BPF_CORE_READ((struct tcp_sock *)sk, rcvq_space.time);
	if (!established_us || established_us > now_us)
		return 0;
	wait_us = now_us - established_us;
	bpf_map_update_elem(&accept_waits, &key, &wait_us, BPF_ANY);
	return 0;
}

SEC("?fexit/inet_csk_accept")
int fexit_inet_csk_accept(__u64 *ctx)
{
	if (target_of(bpf_get_current_pid_tgid() >> 32))
		on_accept((struct sock *)traced_arg(ctx, accept_args));
	return 0;
}

SEC("?kretprobe/inet_csk_accept")
int kretprobe_inet_csk_accept(struct pt_regs *ctx)
{
	if (target_of(bpf_get_current_pid_tgid() >> 32))
		on_accept((struct sock *)PT_REGS_RC(ctx));
	return 0;
}

/* ------------------------------------------------------------------ unix sockets that close */

/* No tracepoint tells of it: without these hooks an end is seen by what is read or written after it. */
static __noinline int on_unix_release(struct socket *socket)
{
	__u64 key = (__u64)BPF_CORE_READ(socket, sk);
	struct sock_state *st = bpf_map_lookup_elem(&socks, &key), copy;

	if (!st || st->sk.family != AF_UNIX)
		return 0;
	copy = *st;
	bpf_map_delete_elem(&socks, &key);
	emit_sock_state(&copy, 0, TCP_ESTABLISHED, TCP_CLOSE, 0, 0);
	return 0;
}

SEC("?fentry/unix_release")
int unix_close_fentry(__u64 *ctx)
{
	preempt_off();
	on_unix_release((struct socket *)traced_arg(ctx, 0));
	preempt_on();
	return 0;
}

SEC("?kprobe/unix_release")
int unix_close_kprobe(struct pt_regs *ctx)
{
	return on_unix_release((struct socket *)PT_REGS_PARM1(ctx));
}

/* ------------------------------------------------------------------ fentry: arguments and result at once */

#define PENDING(arg, ctx, dir_, of, bytes, flags_)                                           \
	{                                                                                    \
		.sk = of(arg(ctx, 0)), .msg = (bytes) ? (struct msghdr *)arg(ctx, 1) : NULL, \
		.size = (bytes) ? arg(ctx, 2) : 0,                                           \
		.flags = (flags_) == NO_FLAGS ? 0 : arg(ctx, flags_), .dir = (dir_),         \
	}

#define TKS_FUNCTION(name, dir, of, bytes, flags, args)                                     \
	SEC("?fexit/" #name)                                                                \
	int fexit_##name(__u64 *ctx)                                                        \
	{                                                                                   \
		preempt_off();                                                              \
		if (target_of(bpf_get_current_pid_tgid() >> 32)) {                          \
			struct pending p = PENDING(traced_arg, ctx, dir, of, bytes, flags); \
                                                                                            \
			on_return(&p, traced_arg(ctx, args));                               \
		}                                                                           \
		preempt_on();                                                               \
		return 0;                                                                   \
	}
#include "functions.def"
#undef TKS_FUNCTION

/* ------------------------------------------------------------------ kprobe: the result comes without the arguments */

/* By thread: none of the functions calls another of them. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct pending);
} pending SEC(".maps");

/* A thread that is in a call already: the kernel had no return probe left for that one. */
static __noinline int on_entry(const struct pending *p)
{
	__u64 id = bpf_get_current_pid_tgid();
	int err = bpf_map_update_elem(&pending, &id, p, BPF_NOEXIST);

	if (err == -17 /* EEXIST */) {
		count_failure(TKS_FAILURE_RETURN_MISSED);
		err = bpf_map_update_elem(&pending, &id, p, BPF_EXIST);
	}
	if (err)
		count_failure(TKS_FAILURE_PENDING_MAP);
	return 0;
}

/* One program for all functions: the loader attaches it to the return of each that has its kprobe. */
SEC("?kretprobe")
int kretprobe_return(struct pt_regs *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct pending *found, p;

	if (!target_of(id >> 32))
		return 0;
	found = bpf_map_lookup_elem(&pending, &id);
	if (!found)
		return 0;
	p = *found;
	bpf_map_delete_elem(&pending, &id);
	return on_return(&p, PT_REGS_RC(ctx));
}

#define TKS_FUNCTION(name, dir, of, bytes, flags, args)                             \
	SEC("?kprobe/" #name)                                                       \
	int kprobe_##name(struct pt_regs *ctx)                                      \
	{                                                                           \
		if (!target_of(bpf_get_current_pid_tgid() >> 32))                   \
			return 0;                                                   \
		struct pending p = PENDING(probed_arg, ctx, dir, of, bytes, flags); \
                                                                                    \
		return on_entry(&p);                                                \
	}
#include "functions.def"
#undef TKS_FUNCTION

#endif
