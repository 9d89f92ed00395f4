/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Exponential histogram cells, the same in the kernel and in user space, integers only. Scale 3: slot s holds
 * (2^((s-1)/8), 2^(s/8)], upper-inclusive, which is the bucket index of a Prometheus native histogram of schema 3.
 *
 * What is counted in nanoseconds is exported in seconds, and 10^9 is no power of 2^(1/8): re-bucketing would smear. So
 * durations have their own table, whose boundaries are powers of 2^(1/8) *seconds* expressed in nanoseconds.
 *
 * The kernel counts in cells 0..TKS_HIST_CELLS-1; the slot of a cell is cell + tks_hist_scale.first_slot. 0 has no
 * slot: the caller counts it apart.
 */
#ifndef TKS_HIST_H
#define TKS_HIST_H

#include "tks_types.h"

#define TKS_HIST_SCALE	    3
#define TKS_HIST_PER_OCTAVE (1 << TKS_HIST_SCALE)
/* 64 octaves of a __u64, and one cell for what lies above the last boundary. */
#define TKS_HIST_CELLS (64 * TKS_HIST_PER_OCTAVE + 1)

/* A unit: the 8 boundaries inside one octave, rounded down, as mantissas of 2^63..2^64-1, ascending. */
struct tks_hist_scale {
	__u64 boundary[TKS_HIST_PER_OCTAVE];
	__s32 first_slot; /* slot of cell 0 */
	__s32 pad;
};

/* Counts and bytes: 2^(63 + k/8). */
static const struct tks_hist_scale tks_hist_plain __attribute__((unused)) = {
	.boundary = {
		0x8000000000000000ULL, 0x8b95c1e3ea8bd6e6ULL, 0x9837f0518db8a96fULL,
		0xa5fed6a9b15138eaULL, 0xb504f333f9de6484ULL, 0xc5672a115506daddULL,
		0xd744fccad69d6af4ULL, 0xeac0c6e7dd24392eULL,
	},
	.first_slot = 0,
};

/* Nanoseconds in slots of seconds: 10^9 * 2^(k/8), k = 1..8, shifted; 239 = floor(8 * log2(10^9)). */
static const struct tks_hist_scale tks_hist_ns __attribute__((unused)) = {
	.boundary = {
		0x81ffa7a9549ca6e3ULL, 0x8dc3b8960164a7d9ULL, 0x9a9867054d512391ULL,
		0xa8965f74bf065071ULL, 0xb7d88a12d0dd9ea0ULL, 0xc87c3e7d03cdbec3ULL,
		0xdaa17c2cd19555dbULL, 0xee6b280000000000ULL,
	},
	.first_slot = -239,
};

/*
 * The cell of v > 0 (0 is counted in cell 0). BPF has no instruction for clz. No branches either: the kernel's verifier
 * would follow each with the cell as it is there, 16 000 ways where it cannot tell that this does not matter.
 */
static inline __attribute__((always_inline)) __u32 tks_hist_cell(__u64 v,
								 const struct tks_hist_scale *scale)
{
	__u32 cell = 63 * TKS_HIST_PER_OCTAVE;
	__u32 shift, k;
	__u64 empty;

	v |= (v - 1) >> 63 & ~v >> 63; /* 0 as 1 */
#pragma GCC unroll 6
	for (shift = 32; shift; shift >>= 1) {
		/* 1 where the upper `shift` bits are 0: nothing is carried out of them */
		empty = 1 ^ ((v >> (64 - shift)) + ((1ULL << shift) - 1)) >> shift;
		v <<= empty * shift;
		cell -= empty * shift * TKS_HIST_PER_OCTAVE;
	}
	/* v and the boundaries have their highest bit set: the sign of the difference tells which is greater. */
#pragma GCC unroll 8
	for (k = 0; k < TKS_HIST_PER_OCTAVE; k++)
		cell += (scale->boundary[k] - v) >> 63;
	return cell;
}

static inline __attribute__((always_inline)) __s32 tks_hist_slot(__u32 cell,
								 const struct tks_hist_scale *scale)
{
	return (__s32)cell + scale->first_slot;
}

#endif
