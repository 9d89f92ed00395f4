/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What every program shares: the ring buffer, the selected processes, the loss counters. Weak, so that objects link. */
#ifndef MAPS_BPF_H
#define MAPS_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "tks_record.h"

char LICENSE[] __weak SEC("license") = "Dual BSD/GPL";

/* Set before load: the agent itself is never traced, else its own writes would feed it for ever. */
const volatile __u32 own_tgid __weak = 0;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20); /* set by the loader */
} ring __weak SEC(".maps");

/* Selected processes, by tgid. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct tks_target);
} targets __weak SEC(".maps");

enum tks_failure {
#define TKS_FAILURE(name, stage, lost, help) TKS_FAILURE_##name,
#include "tks_failures.def"
#undef TKS_FAILURE
	TKS_FAILURES
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TKS_FAILURES);
	__type(key, __u32);
	__type(value, __u64);
} failures __weak SEC(".maps");

/* The sum is not used: atomic operations that return what was there are refused before 5.12. */
static __always_inline void count_failure(enum tks_failure f)
{
	__u32 key = f;
	__u64 *n = bpf_map_lookup_elem(&failures, &key);

	if (n)
		__sync_fetch_and_add(n, 1);
}

/* The value of a selected process, NULL for any other and for the agent. */
static __always_inline struct tks_target *target_of(__u32 tgid)
{
	if (tgid == own_tgid)
		return NULL;
	return bpf_map_lookup_elem(&targets, &tgid);
}

/*
 * The reader polls, so a record wakes it only when much is unread, and again with each such piece more: a wake-up is an
 * interrupt (30 us were measured in a virtual machine). 64 KiB = one captured call at most, 1/64 of the default ring.
 */
#define WAKEUP_BYTES (64 << 10)

/* For a record of that size that is about to be queued. */
static __always_inline __u64 wakeup_flags(__u64 size)
{
	__u64 unread = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);

	return (unread + size) / WAKEUP_BYTES > unread / WAKEUP_BYTES ? BPF_RB_FORCE_WAKEUP
								      : BPF_RB_NO_WAKEUP;
}

/* Queues a finished record; a full ring is counted. */
static __always_inline void emit(void *record, __u64 size)
{
	if (bpf_ringbuf_output(&ring, record, size, wakeup_flags(size)))
		count_failure(TKS_FAILURE_RING_FULL);
}

static __always_inline void header_init(struct tks_header *h, enum tks_kind kind, __u32 size)
{
	__u64 id = bpf_get_current_pid_tgid();

	h->size = size;
	h->kind = kind;
	h->flags = 0;
	h->time_ns = bpf_ktime_get_ns();
	h->tgid = id >> 32;
	h->tid = id;
}

#endif
