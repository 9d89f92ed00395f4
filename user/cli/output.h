/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <jansson.h>

#include "cli/config.h"

/* Prints one JSON value on stdout, indented with --pretty; takes the reference. */
void output_json(const struct config *c, json_t *value);

/* "12.3 ms", "1.23 s", "-" for NAN: a duration in seconds for people. buf must hold 16 bytes; returns it. */
char *output_duration(char *buf, double seconds);

/* "127.0.0.1:8080", "[::1]:8080", or the path of a unix socket. Returns buf. */
char *output_address(char *buf, size_t len, const char *address, unsigned int port);

#endif
