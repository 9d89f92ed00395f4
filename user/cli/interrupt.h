/* SPDX-License-Identifier: Apache-2.0 */
/* SIGINT and SIGTERM end a command in good order. */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include <stdbool.h>

/* From now on; SIGPIPE is an error of the write. */
void interrupt_catch(void);
/* Has one of them come? */
bool interrupted(void);

#endif
