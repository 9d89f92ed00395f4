/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXPORT_BASE64_H
#define EXPORT_BASE64_H

#include <stddef.h>
#include <stdint.h>

/*
 * RFC 4648, section 4, with or without padding. Returns the length of what was decoded; 0 where the text is not base64 or
 * out, of cap bytes, too small.
 */
size_t base64_decode(uint8_t *out, size_t cap, const char *text, size_t len);

#endif
