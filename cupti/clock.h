/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdbool.h>

#include "cupti_abi.h"

/*
 * What to add to a time of CUPTI's (it uses CLOCK_REALTIME, which steps) to have CLOCK_MONOTONIC, ns, good to the shortest
 * of 32 pairs of readings. False: CUPTI tells no time.
 */
bool clock_offset(cupti_result (*timestamp)(uint64_t *ns), int64_t *offset);

uint64_t clock_monotonic_ns(void);
uint64_t clock_thread_cpu_ns(void);

#endif
