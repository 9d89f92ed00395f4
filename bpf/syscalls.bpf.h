/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a system call did to a socket, told by its number and the caller's registers. All of this is per architecture. */
#ifndef SYSCALLS_BPF_H
#define SYSCALLS_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "tks_record.h"

/* Where the bytes of a call are. */
enum shape {
	SHAPE_NONE,	/* not in user memory we can name: length only */
	SHAPE_BUFFER,	/* (fd, address, length) */
	SHAPE_IOVEC,	/* (fd, struct iovec *, count) */
	SHAPE_MSGHDR,	/* (fd, struct user_msghdr *) */
	SHAPE_MESSAGES, /* (fd, struct mmsghdr *, count): length only */
	SHAPE_KERNEL_IOVEC, /* the kernel's copy of the struct iovec array; the first one counts from `offset` */
};

#define NO_FLAGS -1
#define MAX_ARGS 4

struct regs {
	__u64 nr;
	__u64 arg[MAX_ARGS];
};

/* One call on one socket. */
struct call {
	__u64 where; /* second argument: address of the bytes, by shape */
	__u64 count; /* third argument */
	__u64 offset;
	__s32 fd;
	__s32 ret;
	__u32 flags; /* MSG_* */
	__u8 dir;    /* enum tks_dir */
	__u8 shape;  /* enum shape */
	__u16 pad;
};

#ifdef __TARGET_ARCH_x86
#define NATIVE_NR(x86, arm64) x86
#define COMPAT_NR(ia32, arm)  ia32
#else
#define NATIVE_NR(x86, arm64) arm64
#define COMPAT_NR(ia32, arm)  arm
#endif

enum syscall_nr {
#define TKS_SYSCALL(name, x86, arm64, ia32, arm, dir, shape, fd, flags) \
	NR_##name = NATIVE_NR(x86, arm64), COMPAT_##name = COMPAT_NR(ia32, arm),
#include "syscalls.def"
#undef TKS_SYSCALL
};

/* The first filter, before the task is known: could nr move bytes of a socket, natively or in 32-bit mode? */
static __always_inline bool syscall_may_move_bytes(__u64 nr)
{
	switch (nr) {
#define TKS_SYSCALL(name, ...) \
	case NR_##name:        \
	case COMPAT_##name:
#include "syscalls.def"
#undef TKS_SYSCALL
		return true;
	default:
		return false;
	}
}

/* The native number of a 32-bit call; ~0 when there is none in the table. */
static __always_inline __u64 compat_native_nr(__u64 nr)
{
	switch (nr) {
#define TKS_SYSCALL(name, ...) \
	case COMPAT_##name:    \
		return NR_##name;
#include "syscalls.def"
#undef TKS_SYSCALL
	default:
		return ~0ULL;
	}
}

/* r holds a native number. False when that call does not move bytes of a socket. Leaves call->ret to the caller. */
static __always_inline bool call_from_regs(const struct regs *r, struct call *call)
{
	switch (r->nr) {
#define TKS_SYSCALL(name, x86, arm64, ia32, arm, dir_, shape_, fd_, flags_)             \
	case NR_##name:                                                                 \
		call->dir = dir_;                                                       \
		call->shape = shape_;                                                   \
		call->fd = r->arg[fd_];                                                 \
		call->flags = flags_ == NO_FLAGS ? 0 : r->arg[flags_ & (MAX_ARGS - 1)]; \
		break;
#include "syscalls.def"
#undef TKS_SYSCALL
	default:
		return false;
	}
	call->where = r->arg[1];
	call->count = r->arg[2];
	return true;
}

/*
 * The registers of a 64-bit call. `direct` says that the verifier knows pt_regs' type (tp_btf); a raw tracepoint has
 * to read them. The first arm64 argument is in orig_x0: regs[0] holds the result at the end of the call.
 */
#define REG(field) (direct ? pt->field : BPF_CORE_READ(pt, field))

#ifdef __TARGET_ARCH_x86
static __always_inline __u64 regs_nr(const struct pt_regs *pt, bool direct)
{
	return REG(orig_ax);
}

static __always_inline void regs_args(const struct pt_regs *pt, bool direct, struct regs *r)
{
	r->arg[0] = REG(di);
	r->arg[1] = REG(si);
	r->arg[2] = REG(dx);
	r->arg[3] = REG(r10);
}

/* The result is ENOSYS from entry on until the call has another (arch/x86/entry/entry_64.S). */
static __always_inline bool regs_in_call(const struct pt_regs *pt, bool direct)
{
	return REG(ax) == (__u64)-38;
}

/* arch/x86/include/asm/thread_info.h: set while a task runs an ia32 system call. */
#define TS_COMPAT 0x0002

static __always_inline bool task_in_compat_call(struct task_struct *task)
{
	return BPF_CORE_READ(task, thread_info.status) & TS_COMPAT;
}

static __always_inline void regs_args_compat(const struct pt_regs *pt, bool direct, struct regs *r)
{
	r->arg[0] = (__u32)REG(bx);
	r->arg[1] = (__u32)REG(cx);
	r->arg[2] = (__u32)REG(dx);
	r->arg[3] = (__u32)REG(si);
}
#else
static __always_inline __u64 regs_nr(const struct pt_regs *pt, bool direct)
{
	return (__u32)REG(syscallno);
}

static __always_inline void regs_args(const struct pt_regs *pt, bool direct, struct regs *r)
{
	r->arg[0] = REG(orig_x0);
	r->arg[1] = REG(regs[1]);
	r->arg[2] = REG(regs[2]);
	r->arg[3] = REG(regs[3]);
}

/* The result replaces the first argument at the end of the call (arch/arm64/kernel/syscall.c). */
static __always_inline bool regs_in_call(const struct pt_regs *pt, bool direct)
{
	return REG(regs[0]) == REG(orig_x0);
}

/* arch/arm64/include/asm/thread_info.h: TIF_32BIT, the task runs AArch32 code. */
#define TIF_32BIT 22

static __always_inline bool task_in_compat_call(struct task_struct *task)
{
	return BPF_CORE_READ(task, thread_info.flags) & (1UL << TIF_32BIT);
}

static __always_inline void regs_args_compat(const struct pt_regs *pt, bool direct, struct regs *r)
{
	regs_args(pt, direct, r);
}
#endif

#endif
