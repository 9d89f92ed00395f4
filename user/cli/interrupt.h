/* SPDX-License-Identifier: Apache-2.0 */
/* SIGINT and SIGTERM end a command in good order; SIGHUP has the agent read its configuration again. */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include <stdbool.h>

/* From now on; SIGPIPE is an error of the write. */
void interrupt_catch(void);
/* Has one of them come? */
bool interrupted(void);
/* SIGHUP no longer ends the process. */
void interrupt_catch_reload(void);
/* Has SIGHUP come since the last call? */
bool interrupt_reload(void);

#endif
