/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_REQUEST_PRINT_H
#define CLI_REQUEST_PRINT_H

#include "cli/config.h"
#include "track/record.h"

/* A finished request on stdout: one line for people, or the JSON record with --json. Flushes. */
void request_print_header(const struct config *c); /* nothing with --json */
void request_print(const struct config *c, const struct request_record *r);

#endif
