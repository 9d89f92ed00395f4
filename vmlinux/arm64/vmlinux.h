/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* arm64: registers and thread flags, then what all architectures share. Written by hand, see vmlinux/README. */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct user_pt_regs {
	unsigned long long regs[31];
	unsigned long long sp;
	unsigned long long pc;
	unsigned long long pstate;
};

struct pt_regs {
	unsigned long long regs[31];
	unsigned long long sp;
	unsigned long long pc;
	unsigned long long pstate;
	unsigned long long orig_x0;
	int syscallno;
};

struct thread_info {
	unsigned long flags;
};

#pragma clang attribute pop

#include "../kernel.h"

#endif
