/* SPDX-License-Identifier: Apache-2.0 */
/* What protocol a stream speaks, from its first bytes. */
#ifndef WIRE_CLASSIFY_H
#define WIRE_CLASSIFY_H

#include <stddef.h>
#include <stdint.h>

enum protocol {
	PROTOCOL_MORE, /* a prefix of something known: ask again with more bytes */
	PROTOCOL_HTTP1_REQUEST,
	PROTOCOL_HTTP1_RESPONSE,
	PROTOCOL_TLS,
	PROTOCOL_HTTP2, /* client preface */
	PROTOCOL_ZMTP,
	PROTOCOL_UNKNOWN,
};

/* Bytes that decide every case (the HTTP/2 preface; longest method + space + one byte of target fits). */
#define CLASSIFY_MAX 24

enum protocol classify_bytes(const uint8_t *data, size_t len);
/* "http1", "tls", "http2", "zmtp", "unknown": values of tokscope_streams_unparsed_total{reason}. */
const char *protocol_name(enum protocol p);

#endif
