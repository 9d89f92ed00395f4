// SPDX-License-Identifier: Apache-2.0
#include "export/otlp_verdict.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "export/gzip.h"
#include "export/otlp_encode.h"

#define FRAME_HEADER 5 /* gRPC over HTTP/2: compressed flag, length in big-endian */

/* https://github.com/grpc/grpc/blob/master/doc/statuscodes.md, and what the OTLP specification says of each. */
static const struct grpc_code {
	const char *name;
	enum otlp_result result;
} grpc_codes[] = {
	[0] = { "OK", OTLP_DELIVERED },
	[1] = { "CANCELLED", OTLP_RETRY },
	[2] = { "UNKNOWN", OTLP_REFUSED },
	[3] = { "INVALID_ARGUMENT", OTLP_REFUSED },
	[4] = { "DEADLINE_EXCEEDED", OTLP_RETRY },
	[5] = { "NOT_FOUND", OTLP_REFUSED },
	[6] = { "ALREADY_EXISTS", OTLP_REFUSED },
	[7] = { "PERMISSION_DENIED", OTLP_REFUSED },
	[8] = { "RESOURCE_EXHAUSTED", OTLP_REFUSED }, /* to retry with a RetryInfo */
	[9] = { "FAILED_PRECONDITION", OTLP_REFUSED },
	[10] = { "ABORTED", OTLP_RETRY },
	[11] = { "OUT_OF_RANGE", OTLP_RETRY },
	[12] = { "UNIMPLEMENTED", OTLP_REFUSED },
	[13] = { "INTERNAL", OTLP_REFUSED },
	[14] = { "UNAVAILABLE", OTLP_RETRY },
	[15] = { "DATA_LOSS", OTLP_RETRY },
	[16] = { "UNAUTHENTICATED", OTLP_REFUSED },
};
#define GRPC_RESOURCE_EXHAUSTED 8

/* ------------------------------------------------------------------ texts */

/* Appends ": message", decoded from gRPC's percent-encoding, without what would break a line or a terminal. */
static void add_message(struct otlp_verdict *v, const char *message, bool encoded)
{
	size_t len = strlen(v->text);
	unsigned int byte;

	if (!message || !*message || len + 3 > sizeof(v->text))
		return;
	len = stpcpy(v->text + len, ": ") - v->text;
	for (; *message && len + 1 < sizeof(v->text); message++) {
		byte = (unsigned char)*message;
		if (encoded && byte == '%' && isxdigit((unsigned char)message[1]) &&
		    isxdigit((unsigned char)message[2]) && sscanf(message + 1, "%2x", &byte) == 1)
			message += 2;
		v->text[len++] = byte >= ' ' && byte < 0x7f ? (char)byte : '?';
	}
	v->text[len] = '\0';
}

/* ------------------------------------------------------------------ what was delivered */

static void delivered(struct otlp_verdict *v, const uint8_t *body, size_t len)
{
	struct otlp_partial partial = { 0 };

	v->result = OTLP_DELIVERED;
	if (len && otlp_decode_response(body, len, &partial)) {
		snprintf(v->text, sizeof(v->text),
			 "the answer is no OTLP response: does a collector listen there?");
		return;
	}
	v->rejected = partial.rejected > 0 ? partial.rejected : 0;
	if (!v->rejected && !partial.message[0])
		return;
	snprintf(v->text, sizeof(v->text), "the collector refused %" PRId64 " items", v->rejected);
	add_message(v, partial.message, false);
}

/* The one message of a unary answer. False: these are no frames that we asked for. */
static bool unframe(const uint8_t **body, size_t *len, bool *gzip)
{
	const uint8_t *b = *body;
	size_t size;

	if (*len < FRAME_HEADER || b[0] > 1)
		return false;
	size = (size_t)b[1] << 24 | b[2] << 16 | b[3] << 8 | b[4];
	if (size != *len - FRAME_HEADER)
		return false;
	*gzip = b[0];
	*body += FRAME_HEADER;
	*len = size;
	return true;
}

/* Where we compress, grpc-go's servers compress the answer the same way, unasked. */
static void grpc_delivered(struct otlp_verdict *v, const struct otlp_answer *a)
{
	static const uint8_t no_message[] = { 0xff };
	_cleanup_(buf_free) struct buf plain = BUF_INIT;
	const uint8_t *body = a->body;
	size_t len = a->body_len;
	bool gzip = false;

	if (len && !unframe(&body, &len, &gzip))
		delivered(v, no_message, sizeof(no_message));
	else if (!gzip)
		delivered(v, body, len);
	else if (gunzip(&plain, body, len, OTLP_RESPONSE_MAX))
		delivered(v, no_message, sizeof(no_message));
	else
		delivered(v, (const uint8_t *)plain.data, plain.len);
}

/* ------------------------------------------------------------------ what was not */

/* Also of gRPC without a grpc-status: its own table makes exactly these UNAVAILABLE (http-grpc-status-mapping.md). */
static void http_failed(struct otlp_verdict *v, const struct otlp_answer *a)
{
	bool retry = a->http_status == 429 || a->http_status == 502 || a->http_status == 503 ||
		     a->http_status == 504;
	struct otlp_status status = { 0 };

	v->result = retry ? OTLP_RETRY : OTLP_REFUSED;
	v->retry_after_s = a->retry_after_s;
	snprintf(v->text, sizeof(v->text), "HTTP %ld", a->http_status);
	if (!a->grpc && a->body_len && !otlp_decode_status(a->body, a->body_len, &status))
		add_message(v, status.message, false);
}

static void grpc_failed(struct otlp_verdict *v, const struct otlp_answer *a)
{
	struct otlp_status status = { .retry_s = NAN };
	size_t known = sizeof(grpc_codes) / sizeof(grpc_codes[0]);
	const struct grpc_code *code = (size_t)a->grpc_status < known
					       ? &grpc_codes[a->grpc_status]
					       : &grpc_codes[2]; /* UNKNOWN */

	if (a->details_len && otlp_decode_status(a->details, a->details_len, &status))
		status.retry_s = NAN;
	v->result = code->result;
	v->retry_after_s = status.retry_s;
	if (a->grpc_status == GRPC_RESOURCE_EXHAUSTED && !isnan(status.retry_s))
		v->result = OTLP_RETRY;
	snprintf(v->text, sizeof(v->text), "gRPC status %d %s", a->grpc_status, code->name);
	add_message(v, a->grpc_message, true);
}

static bool is_success(long http_status)
{
	return http_status >= 200 && http_status < 300;
}

void otlp_verdict(const struct otlp_answer *a, struct otlp_verdict *out)
{
	*out = (struct otlp_verdict){ .retry_after_s = NAN };
	if (a->too_long) {
		out->result = OTLP_REFUSED; /* the specification: it is not sent again */
		snprintf(out->text, sizeof(out->text), "the answer was longer than 4 MiB");
	} else if (a->failure) {
		out->result = OTLP_RETRY;
		snprintf(out->text, sizeof(out->text), "no answer");
		add_message(out, a->failure, false);
	} else if (!is_success(a->http_status)) {
		http_failed(out, a);
	} else if (!a->grpc) {
		delivered(out, a->body, a->body_len);
	} else if (a->grpc_status == OTLP_GRPC_NO_STATUS) {
		out->result = OTLP_REFUSED;
		snprintf(out->text, sizeof(out->text),
			 "an answer without a gRPC status: does a gRPC server listen there?");
	} else if (a->grpc_status) {
		grpc_failed(out, a);
	} else {
		grpc_delivered(out, a);
	}
}
