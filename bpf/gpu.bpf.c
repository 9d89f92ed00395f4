// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Hooks in GPU drivers' ioctl. The loader enables the first group, placed on the drivers' own functions, or the second,
 * where the kernel has no kprobes.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "file.bpf.h"
#include "gpu.bpf.h"
#include "syscalls.bpf.h"

static __always_inline bool selected(void)
{
	return target_of(bpf_get_current_pid_tgid() >> 32);
}

/* ------------------------------------------------------------------ kprobe: the driver's file operations */

/* unlocked_ioctl(file, cmd, arg) */
SEC("?kprobe")
int BPF_KPROBE(gpu_ioctl, struct file *file, unsigned int cmd, unsigned long arg)
{
	if (selected())
		gpu_enter(file, cmd, arg);
	return 0;
}

SEC("?kretprobe")
int BPF_KRETPROBE(gpu_ioctl_return, long ret)
{
	gpu_return(ret);
	return 0;
}

/* release(inode, file): the last reference is gone, mappings included. */
SEC("?kprobe")
int BPF_KPROBE(gpu_release, struct inode *inode, struct file *file)
{
	if (selected())
		gpu_closed(file);
	return 0;
}

/* ------------------------------------------------------------------ tracepoint: all system calls */

enum {
	NR_ioctl = NATIVE_NR(16, 29),
	NR_close = NATIVE_NR(3, 57),
};

/* Will this close be the last? In 6.13 (90ee6ed776c0) the count became f_ref, which is one less. */
static __always_inline bool last_reference(struct file *file)
{
	struct file___count *counted = (struct file___count *)file;

	if (bpf_core_field_exists(counted->f_count))
		return BPF_CORE_READ(counted, f_count.counter) == 1;
	return !BPF_CORE_READ(file, f_ref.refcnt.counter);
}

static __always_inline void on_close(struct file *file)
{
	__u32 minor;

	if (gpu_file_family(file, &minor) < TKS_GPU_FAMILIES && last_reference(file))
		gpu_closed(file);
}

/* Runs at the start of every system call of the machine: the number is what rejects most. 32-bit calls are not followed. */
SEC("?tp_btf/sys_enter")
int BPF_PROG(gpu_sys_enter, struct pt_regs *pt, long nr)
{
	struct task_struct *task;
	struct regs r = {};
	struct file *file;

	if ((nr != NR_ioctl && nr != NR_close) || !selected())
		return 0;
	task = (struct task_struct *)bpf_get_current_task();
	if (task_in_compat_call(task))
		return 0;
	regs_args(pt, true, &r);
	file = file_of(task, r.arg[0]);
	if (!file)
		return 0;
	if (nr == NR_close)
		on_close(file);
	else
		gpu_enter(file, r.arg[1], r.arg[2]);
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(gpu_sys_exit, struct pt_regs *pt, long ret)
{
	if (regs_nr(pt, true) == NR_ioctl)
		gpu_return(ret);
	return 0;
}
