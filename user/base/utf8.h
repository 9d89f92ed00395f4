/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 as RFC 3629, section 4 defines it. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Length in bytes of the sequence at s, which ends in NUL; 0: not well-formed. Of the final NUL: 1. */
size_t utf8_sequence(const char *s);
bool utf8_valid(const char *s);
/* In place: each byte that belongs to no well-formed sequence becomes '?'. */
void utf8_repair(char *s);

#endif
