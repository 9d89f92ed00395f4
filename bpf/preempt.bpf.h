/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tracepoint programs ran with preemption off until tracepoints moved to SRCU (7.0). Since then a second task on the
 * same CPU would find the program running and be left out by the recursion guard, or share the per-CPU scratch. The
 * kfuncs exist from 6.10; where they do not, they are not needed. They come first in a program: a task that is preempted
 * before them keeps the guard up until it runs again, and all that the others do on that CPU meanwhile goes unseen
 * (counted as bpf_recursion).
 */
#ifndef PREEMPT_BPF_H
#define PREEMPT_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

extern void bpf_preempt_disable(void) __weak __ksym;
extern void bpf_preempt_enable(void) __weak __ksym;

static __always_inline void preempt_off(void)
{
	if (bpf_ksym_exists(bpf_preempt_disable))
		bpf_preempt_disable();
}

static __always_inline void preempt_on(void)
{
	if (bpf_ksym_exists(bpf_preempt_enable))
		bpf_preempt_enable();
}

#endif
