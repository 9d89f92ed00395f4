// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One small program for each feature that `feature probe` tries by loading it. Names: user/load/features.def. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 << 10); /* whole pages for every page size */
} feature_ring SEC(".maps");

SEC("?raw_tp/sched_process_exit")
int ringbuf(void *ctx)
{
	__u64 unread = bpf_ringbuf_query(&feature_ring, BPF_RB_AVAIL_DATA);

	bpf_ringbuf_output(&feature_ring, &unread, sizeof(unread), BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("?tp_btf/sock_send_length")
int BPF_PROG(tp_btf_sock_length, struct sock *sk, int ret, int flags)
{
	return 0;
}

SEC("?tp_btf/sock_recv_length")
int BPF_PROG(tp_btf_sock_length_2, struct sock *sk, int ret, int flags)
{
	return 0;
}

SEC("?tp_btf/sched_process_exit")
int BPF_PROG(task_pt_regs, struct task_struct *task)
{
	return !bpf_task_pt_regs(bpf_get_current_task_btf());
}

SEC("?tp_btf/inet_sock_set_state")
int BPF_PROG(socket_cookie, struct sock *sk)
{
	return !bpf_get_socket_cookie(sk);
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(tp_btf_sys_exit, struct pt_regs *regs, long ret)
{
	return 0;
}

SEC("?raw_tp/sys_exit")
int raw_tp_sys_exit(void *ctx)
{
	return 0;
}

SEC("?tp_btf/inet_sock_set_state")
int BPF_PROG(inet_sock_set_state, struct sock *sk)
{
	return 0;
}

SEC("?tp_btf/sched_process_fork")
int BPF_PROG(sched_process, struct task_struct *parent, struct task_struct *child)
{
	return 0;
}

SEC("?tp_btf/sched_process_exec")
int BPF_PROG(sched_process_2, struct task_struct *task)
{
	return 0;
}

SEC("?tp_btf/sched_process_exit")
int BPF_PROG(sched_process_3, struct task_struct *task)
{
	return 0;
}

SEC("?uprobe")
int uprobe(void *ctx)
{
	return 0;
}

SEC("?uprobe")
int uprobe_cookie(void *ctx)
{
	return !bpf_get_attach_cookie(ctx);
}

SEC("?uprobe.multi")
int uprobe_multi(void *ctx)
{
	return !bpf_get_attach_cookie(ctx);
}

__u64 probe_hits;

SEC("?uprobe.multi")
int uprobe_multi_pid(void *ctx)
{
	__sync_fetch_and_add(&probe_hits, bpf_get_attach_cookie(ctx));
	return 0;
}

SEC("?uprobe.multi")
int uretprobe(void *ctx)
{
	__sync_fetch_and_add(&probe_hits, 1);
	return 0;
}

/* Where there is no uprobe_multi. */
SEC("?uprobe")
int uretprobe_2(void *ctx)
{
	__sync_fetch_and_add(&probe_hits, 1);
	return 0;
}

SEC("?perf_event")
int perf_event(void *ctx)
{
	return 0;
}

SEC("?kprobe/tcp_sendmsg")
int kprobe(void *ctx)
{
	return 0;
}

SEC("?fentry/tcp_sendmsg")
int BPF_PROG(fentry, struct sock *sk)
{
	return 0;
}

static long count(__u32 i, void *n)
{
	(*(__u64 *)n)++;
	return 0;
}

SEC("?raw_tp/sched_process_exit")
int loop_helper(void *ctx)
{
	__u64 n = 0;

	bpf_loop(10, count, &n, 0);
	return n == 0;
}
