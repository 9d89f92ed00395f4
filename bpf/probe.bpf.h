/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Probes in servers: interprets the spec of the site that was hit (tks_probe.h). One body behind every way to attach.
 *
 * A thread may be preempted in here on kernels before 6.10 and be on another CPU afterwards, so nothing lies in per-CPU
 * scratch and all that is counted is counted by atomics. Loops are over specs in map memory: the verifier knows nothing of
 * their contents, so the branches of a step meet again, and what it walks is the sum of all steps, not their product.
 * Everything is inlined: verifiers before 6.6 cannot look back across a call for which numbers matter, take all of them to
 * matter, and then no two branches meet (beyond 1 000 000 instructions on 6.1; 23 000 as it is).
 */
#ifndef PROBE_BPF_H
#define PROBE_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"
#include "preempt.bpf.h"
#include "tks_hist.h"
#include "tks_probe.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TKS_PROBE_SITES);
	__type(key, __u32);
	__type(value, struct tks_probe_site);
} probe_sites SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TKS_PROBE_SITES);
	__type(key, __u32);
	__type(value, struct tks_probe_off);
} probe_offs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TKS_PROBE_SITES *TKS_PROBE_SHARDS);
	__type(key, __u32);
	__type(value, struct tks_probe_hits);
} probe_hits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, TKS_PROBE_CELLS);
	__type(key, struct tks_probe_cell_key);
	__type(value, struct tks_probe_cell);
} probe_cells SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TKS_PROBE_GAUGES);
	__type(key, struct tks_probe_gauge_key);
	__type(value, struct tks_probe_gauge);
} probe_gauges SEC(".maps");

/* Not an LRU map: those evict what is in use on machines of many CPUs, each of which takes 128 rows into its own list. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TKS_PROBE_TIMERS);
	__type(key, struct tks_probe_timer_key);
	__type(value, __u64);
} probe_timers SEC(".maps");

#define LOOP _Pragma("clang loop unroll(disable)")

/* One hit under way. */
struct hit {
	const struct tks_probe_site *spec;
	struct tks_probe_hits *counts;
	__u64 zero; /* hidden_zero() */
	__u64 time_ns;
	__u64 duration_ns; /* of the last STOP or LAP */
	__u32 group;
	__u32 site;
	__u64 value[TKS_PROBE_READS];
};

/*
 * 0, but any number to the verifier (and to the compiler): so is whatever it is added to. Verifiers before 6.8 take a 0, a
 * number within bounds and any number on the stack for three kinds of things, of which none stands for another.
 */
static __always_inline __u64 hidden_zero(__u64 any)
{
	asm volatile("%0 ^= %0" : "+r"(any));
	return any;
}

static __always_inline void hit_lost(struct hit *h)
{
	__sync_fetch_and_add(&h->counts->lost, 1);
	count_failure(TKS_FAILURE_PROBE_ROOM);
}

/* ------------------------------------------------------------------ reading */

/* The low bytes of v as a number of 64 bits; 0 < size <= 8, as the loader sees to. */
static __always_inline __u64 widened(__u64 v, __u32 size, bool is_signed)
{
	__u32 unused = 64 - 8 * size;

	v <<= unused;
	return is_signed ? (__u64)((__s64)v >> unused) : v >> unused;
}

/* The memory at `address`, widened to 64 bits; size > 0, as the loader sees to. Not 0: it cannot be read. */
static __always_inline long load_user(__u64 address, __u32 size, bool is_signed, __u64 *value)
{
	__u64 v = 0;

	if (size > sizeof(v) || bpf_probe_read_user(&v, size, (void *)address))
		return -1;
	*value = widened(v, size, is_signed);
	return 0;
}

static __always_inline long load_register(struct pt_regs *ctx, __u32 offset, __u64 *value)
{
	if (offset > sizeof(*ctx) - sizeof(*value))
		return -1;
	return bpf_probe_read_kernel(value, sizeof(*value), (void *)ctx + offset);
}

/* Runs the steps of one read. Not 0: something could not be read. */
static __always_inline long read_value(struct pt_regs *ctx, const struct tks_probe_read *r,
				       __u64 zero, __u64 *value)
{
	__u64 acc = zero, saved = zero, loaded = 0;

	LOOP for (__u32 i = 0; i < TKS_PROBE_STEPS; i++)
	{
		const struct tks_probe_step *s = &r->steps[i];
		__s64 imm = s->imm;

		switch (s->op) {
		case TKS_PROBE_REG:
			if (load_register(ctx, imm, &loaded))
				return -1;
			acc = loaded;
			break;
		case TKS_PROBE_CONST:
			acc = zero + imm;
			break;
		case TKS_PROBE_ADD:
			acc += imm;
			break;
		case TKS_PROBE_LOAD:
			if (load_user(acc, s->size, s->is_signed, &loaded))
				return -1;
			acc = loaded;
			break;
		case TKS_PROBE_SAVE:
			saved = acc;
			break;
		case TKS_PROBE_SUBTRACT:
			acc = saved - acc;
			break;
		case TKS_PROBE_CAST:
			acc = widened(acc, s->size, s->is_signed);
			break;
		case TKS_PROBE_DIVIDE:
			acc /= (__u64)imm;
			break;
		case TKS_PROBE_SCALE:
			acc = saved << ((__u32)imm >> (2 * acc & 30) & 3);
			break;
		default:
			goto end;
		}
	}
end:
	*value = acc;
	return 0;
}

/* Off in one go, so that the first hit to see it names the read, and whoever looks sees both. */
static __always_inline void switch_off(__u32 site, __u32 read)
{
	struct tks_probe_off *off = bpf_map_lookup_elem(&probe_offs, &site);

	if (off)
		__sync_val_compare_and_swap((__u64 *)off, 0, 1 | (__u64)read << 32);
}

static __always_inline bool within(__u64 value, __s64 min, __s64 max)
{
	return (__s64)value >= min && (__s64)value <= max;
}

/* All values of the hit. False: it ends here, and was counted as what it was. */
static __always_inline bool hit_read(struct pt_regs *ctx, struct hit *h)
{
	LOOP for (__u32 i = 0; i < TKS_PROBE_READS && i < h->spec->reads; i++)
	{
		const struct tks_probe_read *r = &h->spec->read[i];

		if (read_value(ctx, r, h->zero, &h->value[i])) {
			__sync_fetch_and_add(&h->counts->faults, 1);
			return false;
		}
		if (!within(h->value[i], r->min, r->max)) {
			__sync_fetch_and_add(&h->counts->off, 1);
			switch_off(h->site, i);
			return false;
		}
		if (!within(h->value[i], r->only_min, r->only_max)) {
			__sync_fetch_and_add(&h->counts->filtered, 1);
			return false;
		}
	}
	return true;
}

/* ------------------------------------------------------------------ results */

static __always_inline int add_to_cell(struct hit *h, __u32 metric, __u32 cell_number, __u64 value)
{
	struct tks_probe_cell_key key = { .group = h->group,
					  .metric = metric,
					  .cell = cell_number };
	struct tks_probe_cell *cell = bpf_map_lookup_elem(&probe_cells, &key), first = {};

	if (!cell) {
		/* BPF_NOEXIST: another CPU may have made it in between. */
		bpf_map_update_elem(&probe_cells, &key, &first, BPF_NOEXIST);
		cell = bpf_map_lookup_elem(&probe_cells, &key);
	}
	if (!cell) {
		hit_lost(h);
		return 0;
	}
	__sync_fetch_and_add(&cell->count, 1);
	__sync_fetch_and_add(&cell->sum, value);
	return 0;
}

static __always_inline __u32 plain_cell(__u64 value)
{
	return value ? tks_hist_cell(value, &tks_hist_plain) : TKS_PROBE_ZERO;
}

static __always_inline __u32 duration_cell(__u64 ns)
{
	return ns ? tks_hist_cell(ns, &tks_hist_ns) : TKS_PROBE_ZERO;
}

static __always_inline int set_gauge(struct hit *h, __u32 metric, __u64 value)
{
	struct tks_probe_gauge_key key = { h->group, metric };
	struct tks_probe_gauge g = { value, h->time_ns };

	if (bpf_map_update_elem(&probe_gauges, &key, &g, BPF_ANY))
		hit_lost(h);
	return 0;
}

static __always_inline int emit_event(struct hit *h, __u32 event)
{
	struct tks_probe_event e = {};

	header_init(&e.h, TKS_KIND_PROBE, sizeof(e));
	e.h.time_ns = h->time_ns;
	e.group = h->group;
	e.site = h->site;
	e.event = event;
	e.reads = h->spec->reads;
	e.duration_ns = h->duration_ns;
	__builtin_memcpy(e.value, h->value, sizeof(e.value));
	emit(&e, sizeof(e));
	return 0;
}

/* ------------------------------------------------------------------ timers */

#define EEXIST 17

static __always_inline void timer_insert(struct hit *h, const struct tks_probe_timer_key *key)
{
	long err = bpf_map_update_elem(&probe_timers, key, &h->time_ns, BPF_NOEXIST);

	/* There since a moment: another thread has started it just now, at the same time as far as can be told. */
	if (err == -EEXIST)
		__sync_fetch_and_add(&h->counts->restarted, 1);
	else if (err)
		hit_lost(h);
}

/* Two CPUs that use one timer at once may come here in another order than they took the time. */
static __always_inline void timer_took(struct hit *h, __u64 start_ns)
{
	h->duration_ns = h->zero + (h->time_ns > start_ns ? h->time_ns - start_ns : 0);
}

static __always_inline bool timer_stop(struct hit *h, const struct tks_probe_timer_key *key)
{
	__u64 *running = bpf_map_lookup_elem(&probe_timers, key), start_ns = 0;

	if (running)
		start_ns = *running;
	/* Of two that stop it at once, one has stopped it. */
	if (!running || bpf_map_delete_elem(&probe_timers, key)) {
		__sync_fetch_and_add(&h->counts->unmatched, 1);
		return false;
	}
	timer_took(h, start_ns);
	return true;
}

/* START and LAP: both leave it running from now on. */
static __always_inline bool timer_start(struct hit *h, const struct tks_probe_timer_key *key,
					bool lap)
{
	__u64 *running = bpf_map_lookup_elem(&probe_timers, key), start_ns;

	if (!running) {
		timer_insert(h, key);
		return false;
	}
	start_ns = __sync_lock_test_and_set(running, h->time_ns);
	if (lap)
		timer_took(h, start_ns);
	else
		__sync_fetch_and_add(&h->counts->restarted, 1);
	return lap;
}

/* `object`: what the timer belongs to, unless to the thread. True: an interval has ended, h->duration_ns tells it. */
static __always_inline bool use_timer(struct hit *h, const struct tks_probe_action *a, __u64 object)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct tks_probe_timer_key key = {
		.group = h->group, .tgid = thread >> 32, .key = object, .timer = a->timer
	};

	if (a->key >= TKS_PROBE_READS)
		key.key = (__u32)thread;
	if (a->kind == TKS_PROBE_STOP)
		return timer_stop(h, &key);
	return timer_start(h, &key, a->kind == TKS_PROBE_LAP);
}

/* ------------------------------------------------------------------ one hit */

static __always_inline __u64 hit_value(const struct hit *h, __u32 read)
{
	return read < TKS_PROBE_READS ? h->value[read] : 1;
}

static __always_inline int hit_act(struct hit *h, const struct tks_probe_action *a)
{
	__u64 value = hit_value(h, a->value);
	__u32 cell = TKS_PROBE_COUNTER;

	switch (a->kind) {
	case TKS_PROBE_COUNT:
		break;
	case TKS_PROBE_GAUGE_ADD:
		value *= (__s64)a->imm;
		break;
	case TKS_PROBE_HISTOGRAM:
		cell = plain_cell(value);
		break;
	case TKS_PROBE_START:
	case TKS_PROBE_STOP:
	case TKS_PROBE_LAP:
		if (!use_timer(h, a, hit_value(h, a->key)))
			return 0;
		value = h->duration_ns;
		cell = duration_cell(value);
		break;
	case TKS_PROBE_DURATION:
		cell = duration_cell(value);
		break;
	case TKS_PROBE_GAUGE_SET:
		return set_gauge(h, a->metric, value);
	case TKS_PROBE_EMIT:
		return emit_event(h, a->imm);
	default:
		return 0;
	}
	if (a->metric != TKS_PROBE_NO_METRIC)
		add_to_cell(h, a->metric, cell, value);
	return 0;
}

/* Counts the hit. False: the site is off, or was never on. */
static __always_inline bool hit_begin(struct hit *h)
{
	__u32 shard = bpf_get_smp_processor_id() % TKS_PROBE_SHARDS;
	__u32 row = shard * TKS_PROBE_SITES + h->site;
	struct tks_probe_off *off = bpf_map_lookup_elem(&probe_offs, &h->site);

	h->counts = bpf_map_lookup_elem(&probe_hits, &row);
	h->spec = bpf_map_lookup_elem(&probe_sites, &h->site);
	if (!off || !h->counts || !h->spec)
		return false;
	__sync_fetch_and_add(&h->counts->hits, 1);
	if (off->off)
		__sync_fetch_and_add(&h->counts->off, 1);
	return !off->off;
}

static __always_inline int on_hit(struct pt_regs *ctx, __u64 cookie)
{
	struct hit h = { .time_ns = bpf_ktime_get_ns(), .group = cookie >> 32, .site = cookie };

	h.zero = hidden_zero(cookie);
	h.duration_ns = h.zero;
	for (__u32 i = 0; i < TKS_PROBE_READS; i++)
		h.value[i] = h.zero;
	if (!hit_begin(&h) || !hit_read(ctx, &h))
		return 0;
	LOOP for (__u32 i = 0; i < TKS_PROBE_ACTIONS && i < h.spec->actions; i++)
		hit_act(&h, &h.spec->action[i]);
	return 0;
}

/* Both serve return probes too: what tells them apart is how they are attached. */
SEC("?uprobe")
int probe_single(struct pt_regs *ctx)
{
	preempt_off();
	on_hit(ctx, bpf_get_attach_cookie(ctx));
	preempt_on();
	return 0;
}

SEC("?uprobe.multi")
int probe_multi(struct pt_regs *ctx)
{
	preempt_off();
	on_hit(ctx, bpf_get_attach_cookie(ctx));
	preempt_on();
	return 0;
}

#endif
