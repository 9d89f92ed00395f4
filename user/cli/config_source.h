/* SPDX-License-Identifier: Apache-2.0 */
/* Sources of the configuration besides the command line (args.c). For config.c. */
#ifndef CLI_CONFIG_SOURCE_H
#define CLI_CONFIG_SOURCE_H

#include "cli/config.h"

/* Returns 0, -EBADMSG after logging "FILE:LINE: what is wrong", or another negative errno after logging. */
int config_read_file(struct config *c, const char *path);
/* The same from memory: -EBADMSG with a message in *error, which the caller frees, or -ENOMEM. c->config_file is its name. */
int config_read_text(struct config *c, const char *text, size_t len, char **error);
/* What is wrong is warned about and ignored, as the OpenTelemetry specification asks. Returns 0 or -ENOMEM. */
int config_read_environment(struct config *c);

#endif
