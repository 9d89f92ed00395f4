/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The bytes of a call in a struct iov_iter, seen after the call: the iterator has passed them, and is walked back as
 * iov_iter_revert() does. So one look at the end is enough, and a call that was under way when its process was selected
 * is read like any other.
 */
#ifndef ITER_BPF_H
#define ITER_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"
#include "syscalls.bpf.h"

/* Segments of one call that are walked back over; writers are known to use up to 64 (TKS_SEGMENTS_MAX). */
#define REWIND_MAX 256

/* Enumerators changed their values (ITER_UBUF is 6 on 6.1, 0 later, absent before 6.0): they are compared by name. */
static __always_inline bool iter_is_buffer(__u32 type)
{
	return bpf_core_enum_value_exists(enum iter_type, ITER_UBUF) &&
	       type == bpf_core_enum_value(enum iter_type, ITER_UBUF);
}

static __always_inline __u32 iter_type(struct iov_iter *it)
{
	if (bpf_core_field_exists(((struct iov_iter___old *)0)->type))
		return BPF_CORE_READ((struct iov_iter___old *)it, type) & ~1U;
	return BPF_CORE_READ(it, iter_type);
}

static __always_inline const struct iovec *iter_iovec(struct iov_iter *it)
{
	if (bpf_core_field_exists(it->__iov))
		return BPF_CORE_READ(it, __iov);
	return BPF_CORE_READ((struct iov_iter___iov *)it, iov);
}

/* Walks call->where, ->offset back by `bytes`, which lie in segments before it. */
static __always_inline bool iovec_rewind(struct call *call, __u64 bytes)
{
	struct iovec v;

	for (int i = 0; i < REWIND_MAX && bytes > call->offset; i++) {
		bytes -= call->offset;
		call->where -= sizeof(v);
		if (bpf_probe_read_kernel(&v, sizeof(v), (void *)call->where))
			return false;
		call->offset = v.iov_len;
		call->count++;
	}
	if (bytes > call->offset) {
		count_failure(TKS_FAILURE_SEGMENTS);
		return false;
	}
	call->offset -= bytes;
	return true;
}

/*
 * Points call at the call->ret bytes of `size` that m's iterator has passed. Leaves SHAPE_NONE where they are not in
 * user memory (pages, kernel buffers), or where the iterator has passed another number (a fault within the copy).
 */
static __always_inline void call_from_msg(struct msghdr *m, __u64 size, struct call *call)
{
	struct iov_iter *it = &m->msg_iter;
	__u32 type = iter_type(it);
	__u64 offset = BPF_CORE_READ(it, iov_offset);

	if (size - BPF_CORE_READ(it, count) != (__u32)call->ret)
		return;
	if (iter_is_buffer(type)) {
		call->where = (__u64)BPF_CORE_READ(it, ubuf) + offset - call->ret;
		call->count = call->ret;
		call->shape = SHAPE_BUFFER;
	} else if (type == bpf_core_enum_value(enum iter_type, ITER_IOVEC)) {
		call->where = (__u64)iter_iovec(it);
		call->count = BPF_CORE_READ(it, nr_segs);
		call->offset = offset;
		if (iovec_rewind(call, call->ret))
			call->shape = SHAPE_KERNEL_IOVEC;
	}
}

#endif
