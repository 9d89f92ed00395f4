/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What libtokscope_cupti.so tells (tks_cupti.h): each hit of one of its probes is copied into the ring as it is.
 *
 * Nothing lies in per-CPU scratch (see probe.bpf.h), and bpf_ringbuf_reserve() takes constants only: so a hit is written into
 * a reservation of one of a few sizes, of which the header says how much holds. The loader attaches the programs by
 * uprobe_multi where there is that.
 */
#ifndef CUPTI_BPF_H
#define CUPTI_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "maps.bpf.h"
#include "preempt.bpf.h"
#include "tks_cupti.h"

/*
 * A record of `head` bytes, of which those after the header are two numbers or none, and then `len` bytes at `from` in the
 * process. head and room (the most that len can be) are constants.
 */
static __always_inline void cupti_tell(enum tks_kind kind, const __u32 *numbers, __u32 head,
				       const void *from, __u32 len, __u32 room)
{
	__u64 flags = wakeup_flags(head + room);
	struct tks_header *h = bpf_ringbuf_reserve(&ring, head + room, 0);

	if (!h) {
		count_failure(TKS_FAILURE_RING_FULL);
		return;
	}
	header_init(h, kind, head + len);
	if (numbers)
		__builtin_memcpy(h + 1, numbers, 2 * sizeof(*numbers));
	/* The compiler knows that it is not more, the verifier does not: it must be compared again. */
	asm volatile("" : "+r"(len));
	if (len > room || bpf_probe_read_user((void *)h + head, len, from)) {
		count_failure(TKS_FAILURE_CUPTI_READ);
		bpf_ringbuf_discard(h, BPF_RB_NO_WAKEUP);
		return;
	}
	bpf_ringbuf_submit(h, flags);
}

#define ACTIVITY_HEAD sizeof(struct tks_cupti_activity)
#define RECORD	      sizeof(struct tks_cupti_record)

/* Most batches are full, or what a flush has left over. */
static __always_inline void on_activity(const void *records, __u32 count, __u32 version)
{
	__u32 numbers[] = { count, version };

	if (count > TKS_CUPTI_BATCH) {
		count_failure(TKS_FAILURE_CUPTI_BATCH);
		numbers[0] = count = TKS_CUPTI_BATCH;
	}
	if (count <= 4)
		cupti_tell(TKS_KIND_CUPTI_ACTIVITY, numbers, ACTIVITY_HEAD, records, count * RECORD,
			   4 * RECORD);
	else if (count <= 32)
		cupti_tell(TKS_KIND_CUPTI_ACTIVITY, numbers, ACTIVITY_HEAD, records, count * RECORD,
			   32 * RECORD);
	else
		cupti_tell(TKS_KIND_CUPTI_ACTIVITY, numbers, ACTIVITY_HEAD, records, count * RECORD,
			   TKS_CUPTI_BATCH * RECORD);
}

#define NAME_HEAD sizeof(struct tks_cupti_kernel_name)

/* A name that is longer is cut. */
static __always_inline void on_kernel_name(__u32 id, const void *name, __u32 len)
{
	__u32 numbers[] = { id, len };

	if (len > TKS_CUPTI_NAME_MAX)
		numbers[1] = len = TKS_CUPTI_NAME_MAX;
	if (len <= 128)
		cupti_tell(TKS_KIND_CUPTI_NAME, numbers, NAME_HEAD, name, len, 128);
	else
		cupti_tell(TKS_KIND_CUPTI_NAME, numbers, NAME_HEAD, name, len, TKS_CUPTI_NAME_MAX);
}

SEC("?uprobe")
int cupti_activity(struct pt_regs *ctx)
{
	preempt_off();
	on_activity((void *)PT_REGS_PARM1(ctx), PT_REGS_PARM2(ctx), PT_REGS_PARM3(ctx));
	preempt_on();
	return 0;
}

SEC("?uprobe")
int cupti_kernel_name(struct pt_regs *ctx)
{
	preempt_off();
	on_kernel_name(PT_REGS_PARM1(ctx), (void *)PT_REGS_PARM2(ctx), PT_REGS_PARM3(ctx));
	preempt_on();
	return 0;
}

SEC("?uprobe")
int cupti_device(struct pt_regs *ctx)
{
	const __u32 len = sizeof(struct tks_cupti_device);

	preempt_off();
	cupti_tell(TKS_KIND_CUPTI_DEVICE, NULL, sizeof(struct tks_header),
		   (void *)PT_REGS_PARM1(ctx), len, len);
	preempt_on();
	return 0;
}

SEC("?uprobe")
int cupti_status(struct pt_regs *ctx)
{
	const __u32 len = sizeof(struct tks_cupti_status);

	preempt_off();
	cupti_tell(TKS_KIND_CUPTI_STATUS, NULL, sizeof(struct tks_header),
		   (void *)PT_REGS_PARM1(ctx), len, len);
	preempt_on();
	return 0;
}

/* A command never fires, but its semaphore is up while something is attached to it. */
SEC("?uprobe")
int cupti_command(struct pt_regs *ctx)
{
	return 0;
}

#endif
