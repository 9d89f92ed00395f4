/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration, read again while the agent runs. */
#ifndef CLI_CONFIG_RELOAD_H
#define CLI_CONFIG_RELOAD_H

#include "cli/config.h"

/*
 * Fills `fresh` from the sources that `running` was filled from, and checks it. What cannot be changed while the agent
 * runs is as in `running`, with a warning for each such key that is now another one. Returns how many settings are others
 * and are to be taken over, or a negative errno after logging why nothing is; config_free(fresh) is due in any case.
 */
int config_reload(const struct config *running, struct config *fresh);

#endif
