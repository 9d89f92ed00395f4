// SPDX-License-Identifier: Apache-2.0
#include "wire/classify.h"

#include <stdbool.h>
#include <string.h>

#include "wire/http1.h"

const char *protocol_name(enum protocol p)
{
	switch (p) {
	case PROTOCOL_HTTP1_REQUEST:
	case PROTOCOL_HTTP1_RESPONSE:
		return "http1";
	case PROTOCOL_TLS:
		return "tls";
	case PROTOCOL_HTTP2:
		return "http2";
	case PROTOCOL_ZMTP:
		return "zmtp";
	case PROTOCOL_MORE:
	case PROTOCOL_UNKNOWN:
		break;
	}
	return "unknown";
}

/* Compares with what is there. MORE: all of it fits, but some is missing; UNKNOWN: it differs; else p. */
static enum protocol match_text(const uint8_t *data, size_t len, const char *text, enum protocol p)
{
	size_t n = strlen(text);

	if (memcmp(data, text, len < n ? len : n))
		return PROTOCOL_UNKNOWN;
	return len < n ? PROTOCOL_MORE : p;
}

static enum protocol match_http2(const uint8_t *data, size_t len)
{
	return match_text(data, len, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", PROTOCOL_HTTP2);
}

static enum protocol match_response(const uint8_t *data, size_t len)
{
	enum protocol p = match_text(data, len, "HTTP/1.", PROTOCOL_HTTP1_RESPONSE);

	if (p != PROTOCOL_HTTP1_RESPONSE)
		return p;
	if (len < 8)
		return PROTOCOL_MORE;
	return data[7] >= '0' && data[7] <= '9' ? p : PROTOCOL_UNKNOWN;
}

/* A known method, a space, and the first byte of a target in origin, absolute, asterisk or authority form. */
static enum protocol match_request(const uint8_t *data, size_t len)
{
	for (enum http1_method m = HTTP1_GET; m <= HTTP1_CONNECT; m++) {
		const char *name = http1_method_name(m);
		size_t n = strlen(name);
		enum protocol p = match_text(data, len, name, PROTOCOL_HTTP1_REQUEST);

		if (p == PROTOCOL_UNKNOWN)
			continue;
		if (len <= n)
			return PROTOCOL_MORE;
		if (data[n] != ' ')
			return PROTOCOL_UNKNOWN; /* no method is a prefix of another */
		if (len == n + 1)
			return PROTOCOL_MORE;
		if (m == HTTP1_CONNECT ? data[n + 1] > ' '
				       : strchr("/*hH", data[n + 1]) && data[n + 1])
			return PROTOCOL_HTTP1_REQUEST;
	}
	return PROTOCOL_UNKNOWN;
}

/* A handshake record that holds a hello: RFC 8446 sections 4 and 5.1. */
static enum protocol match_tls(const uint8_t *data, size_t len)
{
	if (data[0] != 0x16 || (len > 1 && data[1] != 3) || (len > 2 && data[2] > 4))
		return PROTOCOL_UNKNOWN;
	if (len > 4 && ((data[3] << 8 | data[4]) > (1 << 14) || (data[3] << 8 | data[4]) < 4))
		return PROTOCOL_UNKNOWN;
	if (len > 5 && data[5] != 1 && data[5] != 2)
		return PROTOCOL_UNKNOWN;
	return len > 5 ? PROTOCOL_TLS : PROTOCOL_MORE;
}

/* The signature of the ZMTP greeting: 0xff, 8 bytes of padding, 0x7f (rfc.zeromq.org/spec/23). */
static enum protocol match_zmtp(const uint8_t *data, size_t len)
{
	if (data[0] != 0xff || (len > 9 && data[9] != 0x7f))
		return PROTOCOL_UNKNOWN;
	return len > 9 ? PROTOCOL_ZMTP : PROTOCOL_MORE;
}

enum protocol classify_bytes(const uint8_t *data, size_t len)
{
	static enum protocol (*const matchers[])(const uint8_t *data, size_t len) = {
		match_request, match_response, match_http2, match_tls, match_zmtp,
	};
	bool more = false;

	if (!len)
		return PROTOCOL_MORE;
	for (size_t i = 0; i < sizeof(matchers) / sizeof(*matchers); i++) {
		enum protocol p = matchers[i](data, len);

		if (p != PROTOCOL_UNKNOWN && p != PROTOCOL_MORE)
			return p;
		more |= p == PROTOCOL_MORE;
	}
	return more ? PROTOCOL_MORE : PROTOCOL_UNKNOWN;
}
