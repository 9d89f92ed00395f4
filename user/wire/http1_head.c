// SPDX-License-Identifier: Apache-2.0
#include "wire/http1_head.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

/* A piece of p->line: not NUL-terminated. */
struct span {
	const char *s;
	size_t len;
};

static const char *const method_names[] = {
	[HTTP1_METHOD_OTHER] = "_OTHER", [HTTP1_GET] = "GET",	  [HTTP1_HEAD] = "HEAD",
	[HTTP1_POST] = "POST",		 [HTTP1_PUT] = "PUT",	  [HTTP1_DELETE] = "DELETE",
	[HTTP1_OPTIONS] = "OPTIONS",	 [HTTP1_PATCH] = "PATCH", [HTTP1_CONNECT] = "CONNECT",
};

const char *http1_method_name(enum http1_method m)
{
	return (size_t)m < sizeof(method_names) / sizeof(*method_names) ? method_names[m]
									: "_OTHER";
}

static bool span_is(struct span a, const char *name)
{
	return a.len == strlen(name) && !strncasecmp(a.s, name, a.len);
}

static struct span span_trim(struct span a)
{
	while (a.len && (*a.s == ' ' || *a.s == '\t'))
		a.s++, a.len--;
	while (a.len && (a.s[a.len - 1] == ' ' || a.s[a.len - 1] == '\t'))
		a.len--;
	return a;
}

/* Cuts the next element off *rest at `sep`; false at the end. */
static bool span_next(struct span *rest, char sep, struct span *element)
{
	const char *end;

	if (!rest->s)
		return false;
	end = memchr(rest->s, sep, rest->len);
	*element = span_trim((struct span){ rest->s, end ? (size_t)(end - rest->s) : rest->len });
	if (end)
		*rest = (struct span){ end + 1, rest->len - (end + 1 - rest->s) };
	else
		*rest = (struct span){ 0 };
	return true;
}

void http1_head_reset(struct http1_head *h)
{
	explicit_bzero(h, sizeof(*h));
	h->content_length = -1;
}

static bool is_token_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct span a)
{
	for (size_t i = 0; i < a.len; i++)
		if (!is_token_char(a.s[i]))
			return false;
	return a.len > 0;
}

/* "HTTP/1.x"; keep-alive is the default from 1.1 on. */
static int parse_version(struct http1_head *h, const char *s)
{
	if (memcmp(s, "HTTP/1.", 7) || !isdigit((unsigned char)s[7]))
		return -EPROTO;
	h->minor = s[7] - '0';
	h->keep_alive = h->minor >= 1;
	return 0;
}

static int parse_status_line(struct http1_head *h, struct span line)
{
	const char *code = line.s + 9;

	if (line.len < 12 || parse_version(h, line.s) || line.s[8] != ' ')
		return -EPROTO;
	for (int i = 0; i < 3; i++) {
		if (!isdigit((unsigned char)code[i]))
			return -EPROTO;
		h->status = h->status * 10 + (code[i] - '0');
	}
	if (h->status < 100 || (line.len > 12 && line.s[12] != ' '))
		return -EPROTO;
	return 0;
}

static enum http1_method parse_method(struct span name)
{
	for (size_t m = HTTP1_GET; m < sizeof(method_names) / sizeof(*method_names); m++)
		if (name.len == strlen(method_names[m]) &&
		    !memcmp(name.s, method_names[m], name.len))
			return m;
	return HTTP1_METHOD_OTHER;
}

/* absolute-form (RFC 9112 section 3.2.2): what follows the authority. */
static struct span strip_authority(struct span t)
{
	static const char *const schemes[] = { "http://", "https://" };

	for (size_t i = 0; i < 2; i++) {
		size_t n = strlen(schemes[i]);

		if (t.len < n || strncasecmp(t.s, schemes[i], n))
			continue;
		while (n < t.len && t.s[n] != '/' && t.s[n] != '?' && t.s[n] != '#')
			n++;
		if (n == t.len || t.s[n] != '/')
			return (struct span){ "/", 1 };
		return (struct span){ t.s + n, t.len - n };
	}
	return t;
}

static int parse_target(struct http1_head *h, struct span t)
{
	size_t n = 0;

	for (size_t i = 0; i < t.len; i++)
		if ((unsigned char)t.s[i] <= ' ' || t.s[i] == 0x7f)
			return -EPROTO;
	t = strip_authority(t);
	while (n < t.len && n < sizeof(h->target) - 1 && t.s[n] != '?' && t.s[n] != '#')
		n++;
	memcpy(h->target, t.s, n);
	h->target[n] = '\0';
	return t.len ? 0 : -EPROTO;
}

/* method SP target SP version */
static int parse_request_line(struct http1_head *h, struct span line)
{
	const char *sp = memchr(line.s, ' ', line.len), *end = line.s + line.len;
	struct span method = { line.s, sp ? (size_t)(sp - line.s) : 0 };

	if (!is_token(method) || end - sp < 11 || end[-9] != ' ' || parse_version(h, end - 8))
		return -EPROTO;
	h->method = parse_method(method);
	return parse_target(h, (struct span){ sp + 1, (size_t)(end - 9 - (sp + 1)) });
}

int http1_parse_start(struct http1 *p)
{
	struct span line = { p->line, p->line_len };

	if (p->kind == HTTP1_RESPONSE)
		return parse_status_line(&p->head, line);
	return parse_request_line(&p->head, line);
}

/* "5", or "5, 5" from a proxy that joined lines; any disagreement is an attack or a bug. */
static int on_content_length(struct http1 *p, struct span value)
{
	struct span one;

	while (span_next(&value, ',', &one)) {
		int64_t n = 0;

		if (!one.len)
			return -EPROTO;
		for (size_t i = 0; i < one.len; i++) {
			int digit = one.s[i] - '0';

			if (digit < 0 || digit > 9 || n > (INT64_MAX - digit) / 10)
				return -EPROTO;
			n = n * 10 + digit;
		}
		if (p->head.content_length >= 0 && p->head.content_length != n)
			return -EPROTO;
		p->head.content_length = n;
	}
	return 0;
}

/* The last coding decides the framing; any other one but chunked hides the text of the body. */
static int on_transfer_encoding(struct http1 *p, struct span value)
{
	struct span one;

	while (span_next(&value, ',', &one)) {
		if (!one.len || span_is(one, "identity"))
			continue;
		p->head.chunked = span_is(one, "chunked");
		p->te_other = !p->head.chunked;
		p->head.encoded |= p->te_other;
	}
	return 0;
}

static int on_connection(struct http1 *p, struct span value)
{
	struct span one;

	while (span_next(&value, ',', &one)) {
		if (span_is(one, "close"))
			p->head.keep_alive = false;
		else if (span_is(one, "keep-alive") && p->head.minor == 0)
			p->head.keep_alive = true;
		else if (span_is(one, "upgrade"))
			p->head.upgrade = true;
	}
	return 0;
}

static int on_content_type(struct http1 *p, struct span value)
{
	static const struct {
		const char *type;
		enum body_format format;
	} types[] = {
		{ "application/json", BODY_JSON },
		{ "text/event-stream", BODY_SSE },
		{ "application/x-ndjson", BODY_NDJSON },
		{ "application/ndjson", BODY_NDJSON },
		{ "application/jsonl", BODY_NDJSON },
		{ "application/x-jsonlines", BODY_NDJSON },
		{ "application/jsonlines", BODY_NDJSON },
	};
	struct span type;

	span_next(&value, ';', &type);
	p->head.format = BODY_OTHER;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (span_is(type, types[i].type))
			p->head.format = types[i].format;
	if (type.len > 5 && !strncasecmp(type.s + type.len - 5, "+json", 5))
		p->head.format = BODY_JSON; /* application/problem+json and the like: RFC 6839 */
	return 0;
}

static int on_content_encoding(struct http1 *p, struct span value)
{
	if (value.len && !span_is(value, "identity"))
		p->head.encoded = true;
	return 0;
}

static int on_expect(struct http1 *p, struct span value)
{
	p->head.expect_continue = span_is(value, "100-continue");
	return 0;
}

/* W3C Trace Context: version "-" trace-id "-" parent-id "-" flags; later versions may add fields after a "-". */
static int on_traceparent(struct http1 *p, struct span value)
{
	static const char hex[] = "0123456789abcdef";
	char s[sizeof(p->head.traceparent)] = "";

	if (value.len < 55)
		return 0;
	memcpy(s, value.s, 55);
	if (strspn(s, hex) != 2 || s[2] != '-' || strspn(s + 3, hex) != 32 || s[35] != '-' ||
	    strspn(s + 36, hex) != 16 || s[52] != '-' || strspn(s + 53, hex) != 2)
		return 0;
	if (!memcmp(s, "ff", 2) || strspn(s + 3, "0") == 32 || strspn(s + 36, "0") == 16)
		return 0;
	if (value.len > 55 && (!memcmp(s, "00", 2) || value.s[55] != '-'))
		return 0;
	memcpy(p->head.traceparent, s, sizeof(s));
	return 0;
}

static int on_request_id(struct http1 *p, struct span value)
{
	size_t n = value.len < HTTP1_ID_MAX ? value.len : HTTP1_ID_MAX;

	for (size_t i = 0; i < n; i++)
		if (value.s[i] < ' ' || value.s[i] > '~')
			return 0;
	memcpy(p->head.request_id, value.s, n);
	p->head.request_id[n] = '\0';
	return 0;
}

/* framing: the message cannot be delimited without the whole value. */
static const struct {
	const char *name;
	int (*handle)(struct http1 *p, struct span value);
	bool framing;
} headers[] = {
	{ "content-length", on_content_length, true },
	{ "transfer-encoding", on_transfer_encoding, true },
	{ "connection", on_connection, false },
	{ "content-type", on_content_type, false },
	{ "content-encoding", on_content_encoding, false },
	{ "expect", on_expect, false },
	{ "traceparent", on_traceparent, false },
	{ "x-request-id", on_request_id, false },
};

int http1_parse_header(struct http1 *p)
{
	const char *colon = memchr(p->line, ':', p->line_len);
	struct span name = { p->line, colon ? (size_t)(colon - p->line) : 0 };

	if (!is_token(name))
		return -EPROTO;
	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		if (!span_is(name, headers[i].name))
			continue;
		if (p->line_cut)
			return headers[i].framing ? -EPROTO : 0;
		return headers[i].handle(
			p, span_trim((struct span){ colon + 1, p->line_len - name.len - 1 }));
	}
	return 0;
}
