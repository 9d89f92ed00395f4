/* SPDX-License-Identifier: Apache-2.0 */
/* Text of foreign processes (names, paths, environment) on its way into labels and JSON. */
#ifndef DISCOVER_TEXT_H
#define DISCOVER_TEXT_H

#include <stddef.h>

/*
 * Copies src into dst of `size` bytes (> 0), always NUL-terminated and valid UTF-8: what is no UTF-8 and what is a
 * control character becomes '?', one for each byte; what does not fit is cut between characters.
 */
void text_copy(char *dst, size_t size, const char *src);

/* What follows the last '/'; the whole of a text without one. */
const char *text_basename(const char *path);

#endif
