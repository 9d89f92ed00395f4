/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Probes in servers: what user/probe compiles from packs and bpf/probe.bpf.h interprets. A site is one place in one
 * binary; its spec says what to read there and what becomes of it. The attach cookie names site and group.
 */
#ifndef TKS_PROBE_H
#define TKS_PROBE_H

#include "tks_record.h"

#define TKS_PROBE_SITES	  4096 /* rows of the map of specs: sites that are attached at one time */
#define TKS_PROBE_READS	  4    /* values that one site reads */
#define TKS_PROBE_STEPS	  8    /* steps of one read: bounds the longest dereference chain */
#define TKS_PROBE_ACTIONS 8
#define TKS_PROBE_TIMERS  16384 /* intervals under way */
#define TKS_PROBE_CELLS	  8192	/* of all results: some 30 cells a histogram are in use */
#define TKS_PROBE_GAUGES  1024	/* that are set */
#define TKS_PROBE_SHARDS  8	/* a per-CPU array of 4096 rows would take 29 MB on 128 CPUs */

/* A cookie: the site's row in the map of specs, and the group (one observed server) that its results are summed under. */
#define TKS_PROBE_COOKIE(group, site) ((__u64)(group) << 32 | (__u32)(site))

/*
 * One step of a read: an accumulator machine with one saved value. What cannot be read (a page that is not there) ends the
 * hit: it is counted as a fault, and nothing becomes of it.
 */
enum tks_probe_op {
	TKS_PROBE_END,	 /* the accumulator is the value */
	TKS_PROBE_REG,	 /* = the 8 bytes at this offset of struct pt_regs */
	TKS_PROBE_CONST, /* = imm */
	TKS_PROBE_ADD,	 /* += imm */
	TKS_PROBE_LOAD, /* = the memory it points at: `size` bytes, sign-extended where is_signed */
	TKS_PROBE_SAVE, /* saved = accumulator */
	TKS_PROBE_SUBTRACT, /* accumulator = saved - accumulator */
	TKS_PROBE_DIVIDE,   /* /= imm, unsigned; imm > 0 */
	TKS_PROBE_CAST, /* = its low `size` bytes, sign-extended where is_signed: an int in a register has a free upper half */
	/* = saved << the two bits of imm that the accumulator's low four choose: a count of things of some kind, in bytes */
	TKS_PROBE_SCALE,
};

struct tks_probe_step {
	__u8 op;   /* enum tks_probe_op */
	__u8 size; /* LOAD: 1, 2, 4, 8 */
	__u8 is_signed;
	__u8 pad;
	__s32 imm;
};

struct tks_probe_read {
	struct tks_probe_step steps[TKS_PROBE_STEPS];
	/* Plausible values, ends included. Outside: the layout is not what the pack thinks, the site switches itself off. */
	__s64 min, max;
	/* Hits whose value lies outside are passed over: they are counted as filtered, and nothing becomes of them. */
	__s64 only_min, only_max;
};

enum tks_probe_action_kind {
	TKS_PROBE_NOTHING,
	TKS_PROBE_COUNT,     /* the metric's counter += value */
	TKS_PROBE_HISTOGRAM, /* value in plain cells */
	TKS_PROBE_DURATION,  /* value, in nanoseconds, in cells of seconds */
	TKS_PROBE_START, /* the timer of this key starts; one that runs is started anew, counted as restarted */
	TKS_PROBE_STOP, /* time since START in cells of seconds; without one: counted as unmatched */
	TKS_PROBE_LAP,	/* STOP where one runs, then START: from hit to hit */
	TKS_PROBE_GAUGE_ADD, /* the metric's gauge += value * imm (+1 or -1) */
	TKS_PROBE_GAUGE_SET, /* the metric's gauge = value */
	TKS_PROBE_EMIT,	     /* a record: struct tks_probe_event, number imm */
};

#define TKS_PROBE_NO_READ 0xff /* as a value: 1; as a key: the thread */

struct tks_probe_action {
	__u8 kind;  /* enum tks_probe_action_kind */
	__u8 value; /* index of a read, or TKS_PROBE_NO_READ */
	__u8 key;   /* of START, STOP, LAP: likewise */
	__u8 pad;
	__u16 metric; /* row of user space's table of results; of a DURATION, STOP, LAP: 0xffff where it is not counted */
	__u16 timer; /* which timer; timers of different numbers never meet */
	__s32 imm;
};
#define TKS_PROBE_NO_METRIC 0xffff

struct tks_probe_site {
	__u32 reads, actions; /* how many are used */
	struct tks_probe_read read[TKS_PROBE_READS];
	struct tks_probe_action action[TKS_PROBE_ACTIONS];
};

/* What became of a site's hits. Kept TKS_PROBE_SHARDS times, by CPU, so that CPUs rarely share a line: row shard * SITES + site. */
struct tks_probe_hits {
	__u64 hits;	 /* all of them, those below included */
	__u64 faults;	 /* memory could not be read */
	__u64 filtered;	 /* outside of `only` */
	__u64 off;	 /* not plausible, which switched it off; and all hits from then on */
	__u64 unmatched; /* STOP without START */
	__u64 restarted; /* START of a timer that ran: an exception left the function, or it was entered again */
	__u64 lost; /* no room for a timer, a cell or a gauge */
};

/* Why a site is off: written by the kernel side once, cleared by user space. Never the value: it may be anything. */
struct tks_probe_off {
	__u32 off;  /* 0: it is on */
	__u32 read; /* index of the read that was not plausible */
};

/* Results. A counter is cell TKS_PROBE_COUNTER: count = hits, sum = what was added (modulo 2^64, signed). */
struct tks_probe_cell_key {
	__u32 group;
	__u16 metric;
	__u16 cell; /* of tks_hist.h */
};
#define TKS_PROBE_COUNTER 0xffff
#define TKS_PROBE_ZERO	  0xfffe /* of a histogram: its values of 0, which have no cell */

struct tks_probe_cell {
	__u64 count;
	__u64 sum; /* of values; nanoseconds where the metric is a duration */
};

/* An interval under way; its value is the __u64 time it began. By process: forked workers have their objects at one address. */
struct tks_probe_timer_key {
	__u32 group;
	__u32 tgid;
	__u64 key; /* of the object; or the thread */
	__u32 timer;
	__u32 pad;
};

/* A gauge that was set. */
struct tks_probe_gauge_key {
	__u32 group;
	__u32 metric;
};
struct tks_probe_gauge {
	__s64 value;
	__u64 time_ns; /* CLOCK_MONOTONIC */
};

/* EMIT. Numbers that a pack names (ids of tasks and slots, counts), never memory of unknown content. */
struct tks_probe_event {
	struct tks_header h;
	__u32 group;
	__u32 site;
	__u32 event;	   /* imm of the action */
	__u32 reads;	   /* how many values there are */
	__u64 duration_ns; /* of the last STOP or LAP before the EMIT in this hit; 0: none */
	__u64 value[TKS_PROBE_READS];
};
TKS_STATIC_ASSERT(sizeof(struct tks_probe_event) == 80, "tks_probe_event is wire format");

#endif
