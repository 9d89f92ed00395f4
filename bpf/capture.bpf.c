// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The socket backends sock and syscall; fentry and kprobe are in functions.bpf.h. The loader enables one of the four. Here
 * as in lifecycle.bpf.c tracepoints are tp_btf or raw_tp: the kind `tp` needs tracefs, which not every machine mounts.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "capture.bpf.h"
#include "cupti.bpf.h"
#include "file.bpf.h"
#include "functions.bpf.h"
#include "preempt.bpf.h"
#include "probe.bpf.h"

/* ------------------------------------------------------------------ sock: sock_send_length, sock_recv_length */

/*
 * The registers belong to this very call only if their descriptor is this socket: an io_uring submission, a sendfile,
 * or a file system over the network runs inside some other system call. Past the end of a call io_uring's deferred
 * work runs, whose socket may be the same.
 */
static __always_inline void call_of_current(struct sock *sk, struct call *call)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *pt = (struct pt_regs *)bpf_task_pt_regs(task);
	__u8 dir = call->dir;
	struct regs r;

	if (task_in_compat_call(task)) {
		count_failure(TKS_FAILURE_COMPAT);
		return;
	}
	r.nr = regs_nr(pt, true);
	regs_args(pt, true, &r);
	if (!regs_in_call(pt, true) || !call_from_regs(&r, call) || call->dir != dir ||
	    file_of(task, call->fd) != BPF_CORE_READ(sk, sk_socket, file))
		call->shape = SHAPE_NONE;
	call->dir = dir;
}

static __noinline int on_sock_length(struct sock *sk, __u64 id, int ret, int flags,
				     enum tks_dir dir)
{
	struct call call = { .dir = dir, .shape = SHAPE_NONE };

	if (ret >= 0)
		call_of_current(sk, &call);
	call.ret = ret;
	call.flags = flags;
	capture(sk, id, &call);
	return 0;
}

SEC("?tp_btf/sock_send_length")
int BPF_PROG(sock_send, struct sock *sk, int ret, int flags)
{
	preempt_off();
	if (target_of(bpf_get_current_pid_tgid() >> 32))
		on_sock_length(sk, bpf_get_socket_cookie(sk), ret, flags, TKS_SEND);
	preempt_on();
	return 0;
}

SEC("?tp_btf/sock_recv_length")
int BPF_PROG(sock_recv, struct sock *sk, int ret, int flags)
{
	preempt_off();
	if (target_of(bpf_get_current_pid_tgid() >> 32))
		on_sock_length(sk, bpf_get_socket_cookie(sk), ret, flags, TKS_RECV);
	preempt_on();
	return 0;
}

/* ------------------------------------------------------------------ syscall: sys_exit */

/* sendmmsg and recvmmsg return how many messages went; the kernel wrote each one's bytes into the array. */
static __always_inline __s32 messages_bytes(__u64 array, __u32 messages)
{
	__u32 len, sum = 0;

	if (messages > TKS_SEGMENTS_MAX)
		count_failure(TKS_FAILURE_SEGMENTS);
	for (__u32 i = 0; i < TKS_SEGMENTS_MAX && i < messages; i++) {
		struct mmsghdr *m = (struct mmsghdr *)array + i;

		if (!bpf_probe_read_user(&len, sizeof(len), &m->msg_len))
			sum += len;
	}
	return sum;
}

/* Registers to call. False: not a call that moves bytes of a socket. */
static __always_inline bool call_of_exit(const struct pt_regs *pt, bool direct, bool compat,
					 struct regs *r, struct call *call)
{
	if (!compat) {
		regs_args(pt, direct, r);
		return call_from_regs(r, call);
	}
	r->nr = compat_native_nr(r->nr);
	regs_args_compat(pt, direct, r);
	if (!call_from_regs(r, call))
		return false;
	count_failure(TKS_FAILURE_COMPAT);
	if (call->shape == SHAPE_MESSAGES)
		return false; /* the result is no length, and the array is laid out in another way */
	call->shape = SHAPE_NONE;
	return true;
}

static __noinline int on_fd_call(struct task_struct *task, const struct regs *r, struct call *call)
{
	struct sock *sk = sock_of(task, call->fd);

	if (!sk && r->nr == NR_SPLICE) {
		call->dir = TKS_RECV;
		sk = sock_of(task, r->arg[0]);
	}
	if (!sk)
		return 0;
	if (call->shape == SHAPE_MESSAGES && call->ret > 0)
		call->ret = messages_bytes(call->where, call->ret);
	capture(sk, (__u64)sk, call);
	return 0;
}

/* Runs at the end of every system call of the machine: what is cheap and rejects most comes first. */
static __always_inline int on_sys_exit(const struct pt_regs *pt, bool direct, long ret)
{
	struct regs r = { .nr = regs_nr(pt, direct) };
	struct call call = { .ret = ret };
	struct task_struct *task;

	if (!syscall_may_move_bytes(r.nr) || (ret < 0 && !error_matters(ret)))
		return 0;
	if (!target_of(bpf_get_current_pid_tgid() >> 32))
		return 0;
	/* Not bpf_get_current_task_btf, which 5.10 lacks. */
	task = (struct task_struct *)bpf_get_current_task();
	if (!call_of_exit(pt, direct, task_in_compat_call(task), &r, &call))
		return 0;
	return on_fd_call(task, &r, &call);
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(sys_exit_btf, struct pt_regs *pt, long ret)
{
	preempt_off();
	on_sys_exit(pt, true, ret);
	preempt_on();
	return 0;
}

SEC("?raw_tp/sys_exit")
int sys_exit_raw(struct bpf_raw_tracepoint_args *ctx)
{
	preempt_off();
	on_sys_exit((struct pt_regs *)ctx->args[0], false, ctx->args[1]);
	preempt_on();
	return 0;
}
