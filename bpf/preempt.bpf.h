/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tracepoint programs ran with preemption off until tracepoints moved to SRCU (7.0); programs on functions never did. A
 * task that is preempted within a program keeps the kernel's recursion guard of that program up on its CPU, and until it
 * runs again all that other tasks do there goes unseen (counted as bpf_recursion). So preemption goes off first and on
 * last; and on with interrupts off, so that a switch that has become due waits until the program has ended: preempt_enable()
 * switches at once, but not while interrupts are off (preemptible() in kernel/sched/core.c). What remains are the few
 * instructions before and after. It also keeps the per-CPU scratch to one task. preempt_off and preempt_on must be called in
 * pairs, in the program itself; the kfuncs exist from 6.10, those for interrupts from 6.14.
 */
#ifndef PREEMPT_BPF_H
#define PREEMPT_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

extern void bpf_preempt_disable(void) __weak __ksym;
extern void bpf_preempt_enable(void) __weak __ksym;
extern void bpf_local_irq_save(unsigned long *flags) __weak __ksym;
extern void bpf_local_irq_restore(unsigned long *flags) __weak __ksym;

static __always_inline void preempt_off(void)
{
	if (bpf_ksym_exists(bpf_preempt_disable))
		bpf_preempt_disable();
}

static __always_inline void preempt_on(void)
{
	unsigned long flags;

	if (bpf_ksym_exists(bpf_local_irq_save)) {
		bpf_local_irq_save(&flags);
		bpf_preempt_enable();
		bpf_local_irq_restore(&flags);
	} else if (bpf_ksym_exists(bpf_preempt_enable)) {
		bpf_preempt_enable();
	}
}

#endif
