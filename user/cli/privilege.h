/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PRIVILEGE_H
#define CLI_PRIVILEGE_H

#include <stdbool.h>

/*
 * First thing: no core dump and no ptrace of this process by others, for payload bytes pass through its memory. (The
 * canary test builds this file with TOKSCOPE_DUMPABLE to look for payload in a core.)
 */
void privilege_protect(void);

/*
 * After attaching: keeps only the capabilities that the running agent needs, gives up the rest for good. events: probes are
 * still to be attached by perf events.
 */
void privilege_drop(bool events);

#endif
