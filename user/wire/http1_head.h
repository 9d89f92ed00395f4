/* SPDX-License-Identifier: Apache-2.0 */
/* Start lines and header lines: the part of http1.c that gives meaning to http1.line. Private to http1.c. */
#ifndef WIRE_HTTP1_HEAD_H
#define WIRE_HTTP1_HEAD_H

#include "wire/http1.h"

/*
 * A start line that is longer than line[] keeps its last bytes at the end of line[], so that the version of a request
 * with a long query is still known: " HTTP/1.1" and CR fit.
 */
#define HTTP1_LINE_TAIL 12

/* Both read p->line (line_len bytes, no line end) into p->head. Return 0 or -EPROTO. */
int http1_parse_start(struct http1 *p);
int http1_parse_header(struct http1 *p);

void http1_head_reset(struct http1_head *h);

#endif
