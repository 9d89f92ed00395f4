/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define NSEC_PER_SEC  1000000000ULL
#define NSEC_PER_MSEC 1000000ULL

/* CLOCK_MONOTONIC in nanoseconds: the clock of every kernel record (bpf_ktime_get_ns). */
uint64_t clock_monotonic_ns(void);
/* The wall-clock time (ns since the epoch) of a CLOCK_MONOTONIC stamp, by the offset between the clocks right now. */
uint64_t clock_wall_ns(uint64_t monotonic_ns);
/* Length of the kernel's tick (jiffy) in nanoseconds; 0 where it cannot be told. */
uint64_t clock_tick_ns(void);

#endif
