// SPDX-License-Identifier: Apache-2.0
/* Message framing of RFC 9112. Start lines and header lines are read by http1_head.c. */
#include "wire/http1.h"

#include <errno.h>
#include <string.h>
#include <sys/types.h>

#include "wire/http1_head.h"

static void line_clear(struct http1 *p)
{
	explicit_bzero(p->line, p->line_len);
	p->line_len = 0;
	p->line_cut = false;
	p->line_done = false;
}

/* Keeps the first bytes of a line, and beyond the size its last HTTP1_LINE_TAIL bytes in place of those there. */
static void line_append(struct http1 *p, const uint8_t *data, size_t len)
{
	size_t room = sizeof(p->line) - p->line_len, n = len < room ? len : room;
	char *tail = p->line + sizeof(p->line) - HTTP1_LINE_TAIL;

	memcpy(p->line + p->line_len, data, n);
	p->line_len += n;
	data += n;
	len -= n;
	if (!len)
		return;
	p->line_cut = true;
	if (len > HTTP1_LINE_TAIL) {
		data += len - HTTP1_LINE_TAIL;
		len = HTTP1_LINE_TAIL;
	}
	memmove(tail, tail + len, HTTP1_LINE_TAIL - len);
	memcpy(tail + HTTP1_LINE_TAIL - len, data, len);
}

/* Gathers a line that ends in LF or CRLF. Returns the bytes used; *done: the line is whole, its end removed. */
static ssize_t take_line(struct http1 *p, const uint8_t *data, size_t len, bool *done)
{
	const uint8_t *lf = memchr(data, '\n', len);
	size_t used = lf ? (size_t)(lf - data) + 1 : len;

	if (used > HTTP1_BLOCK_MAX - p->block)
		return -EPROTO;
	p->block += used;
	line_append(p, data, lf ? used - 1 : used);
	*done = lf != NULL;
	if (lf && p->line_len && p->line[p->line_len - 1] == '\r')
		p->line[--p->line_len] = '\0';
	return used;
}

static void message_end(struct http1 *p, enum http1_end how, enum http1_state next)
{
	line_clear(p);
	p->saw_cr = false;
	p->state = next;
	p->events->end(p->ctx, how);
}

/* RFC 9112 section 6.3: what follows the header block. */
static void body_start(struct http1 *p, int reply)
{
	const struct http1_head *h = &p->head;
	bool response = p->kind == HTTP1_RESPONSE;

	if ((reply & HTTP1_TUNNEL) || (response && h->status == 101))
		return message_end(p, HTTP1_END_COMPLETE, HTTP1_S_TUNNEL);
	if ((reply & HTTP1_NO_BODY) || (response && (h->status == 204 || h->status == 304)))
		return message_end(p, HTTP1_END_COMPLETE, HTTP1_S_START);
	if (h->chunked) {
		p->state = HTTP1_S_CHUNK_SIZE;
		p->left = 0;
		p->block = 0;
	} else if (h->content_length > 0) {
		p->state = HTTP1_S_BODY_LENGTH;
		p->left = h->content_length;
	} else if (h->content_length == 0 || !response) {
		message_end(p, HTTP1_END_COMPLETE, HTTP1_S_START);
	} else {
		p->state = HTTP1_S_BODY_CLOSE;
	}
}

static int head_done(struct http1 *p)
{
	struct http1_head *h = &p->head;
	int reply;

	line_clear(p);
	if (p->kind == HTTP1_RESPONSE && h->status < 200 && h->status != 101) {
		p->state = HTTP1_S_START;
		if (p->events->interim)
			p->events->interim(p->ctx, h->status);
		return 0;
	}
	/* A request cannot be delimited by close: RFC 9112 section 6.3, rule 4. */
	if (p->te_other && p->kind == HTTP1_REQUEST)
		return -EPROTO;
	if (h->chunked || p->te_other)
		h->content_length = -1;
	h->upgrade = h->upgrade && (p->kind == HTTP1_REQUEST || h->status == 101);
	reply = p->events->head(p->ctx, h);
	explicit_bzero(h->target, sizeof(h->target));
	body_start(p, reply);
	return 0;
}

static ssize_t step_start(struct http1 *p, const uint8_t *data, size_t len)
{
	(void)len;
	/* RFC 9112 section 2.2: empty lines before a start line are ignored. */
	if (*data == '\r' || *data == '\n')
		return 1;
	http1_head_reset(&p->head);
	p->te_other = false;
	p->block = 0;
	p->state = HTTP1_S_LINE;
	return 0;
}

static ssize_t step_line(struct http1 *p, const uint8_t *data, size_t len)
{
	bool done;
	ssize_t used = take_line(p, data, len, &done);

	if (used < 0 || !done)
		return used;
	if (http1_parse_start(p))
		return -EPROTO;
	line_clear(p);
	p->state = HTTP1_S_HEADER;
	return used;
}

/* A header line counts once the next line is known not to continue it (obs-fold). */
static ssize_t step_header(struct http1 *p, const uint8_t *data, size_t len)
{
	ssize_t used;
	bool done;

	if (p->line_done && *data != ' ' && *data != '\t') {
		if (http1_parse_header(p))
			return -EPROTO;
		line_clear(p);
	}
	p->line_done = false;
	used = take_line(p, data, len, &done);
	if (used < 0 || !done)
		return used;
	if (p->line_len) {
		p->line_done = true;
		return used;
	}
	return head_done(p) ? -EPROTO : used;
}

static ssize_t step_body_length(struct http1 *p, const uint8_t *data, size_t len)
{
	size_t n = len < p->left ? len : p->left;

	p->left -= n;
	p->events->body(p->ctx, data, n);
	if (!p->left)
		message_end(p, HTTP1_END_COMPLETE, HTTP1_S_START);
	return n;
}

static ssize_t step_body_close(struct http1 *p, const uint8_t *data, size_t len)
{
	p->events->body(p->ctx, data, len);
	return len;
}

static void chunk_size_done(struct http1 *p)
{
	line_clear(p);
	p->block = 0;
	p->state = p->left ? HTTP1_S_CHUNK_DATA : HTTP1_S_TRAILER;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* line_len counts the digits; nothing is stored in line[]. */
static ssize_t step_chunk_size(struct http1 *p, const uint8_t *data, size_t len)
{
	int digit = hex_digit(*data);

	(void)len;
	if (digit >= 0) {
		if (p->left > (uint64_t)(INT64_MAX - digit) / 16 || p->line_len == 64)
			return -EPROTO;
		p->left = p->left * 16 + digit;
		p->line_len++;
		return 1;
	}
	if (!p->line_len)
		return -EPROTO;
	if (*data == '\n')
		chunk_size_done(p);
	else if (*data == ';' || *data == '\r' || *data == ' ' || *data == '\t')
		p->state = HTTP1_S_CHUNK_EXT;
	else
		return -EPROTO;
	return 1;
}

static ssize_t step_chunk_ext(struct http1 *p, const uint8_t *data, size_t len)
{
	const uint8_t *lf = memchr(data, '\n', len);
	size_t used = lf ? (size_t)(lf - data) + 1 : len;

	if (used > HTTP1_BLOCK_MAX - p->block)
		return -EPROTO;
	p->block += used;
	if (lf)
		chunk_size_done(p);
	return used;
}

static ssize_t step_chunk_data(struct http1 *p, const uint8_t *data, size_t len)
{
	size_t n = len < p->left ? len : p->left;

	p->left -= n;
	if (!p->left)
		p->state = HTTP1_S_CHUNK_CRLF;
	p->events->body(p->ctx, data, n);
	return n;
}

static ssize_t step_chunk_crlf(struct http1 *p, const uint8_t *data, size_t len)
{
	(void)len;
	if (*data == '\r' && !p->saw_cr) {
		p->saw_cr = true;
		return 1;
	}
	if (*data != '\n')
		return -EPROTO;
	p->saw_cr = false;
	p->state = HTTP1_S_CHUNK_SIZE;
	return 1;
}

static ssize_t step_trailer(struct http1 *p, const uint8_t *data, size_t len)
{
	bool done;
	ssize_t used = take_line(p, data, len, &done);

	if (used < 0 || !done)
		return used;
	if (p->line_len)
		line_clear(p);
	else
		message_end(p, HTTP1_END_COMPLETE, HTTP1_S_START);
	return used;
}

/* Each returns the bytes used (0 only with a change of state), or -EPROTO. len > 0. */
static ssize_t (*const steps[])(struct http1 *p, const uint8_t *data, size_t len) = {
	[HTTP1_S_START] = step_start,		[HTTP1_S_LINE] = step_line,
	[HTTP1_S_HEADER] = step_header,		[HTTP1_S_BODY_LENGTH] = step_body_length,
	[HTTP1_S_BODY_CLOSE] = step_body_close, [HTTP1_S_CHUNK_SIZE] = step_chunk_size,
	[HTTP1_S_CHUNK_EXT] = step_chunk_ext,	[HTTP1_S_CHUNK_DATA] = step_chunk_data,
	[HTTP1_S_CHUNK_CRLF] = step_chunk_crlf, [HTTP1_S_TRAILER] = step_trailer,
};

void http1_init(struct http1 *p, enum http1_kind kind, const struct http1_events *events, void *ctx)
{
	memset(p, 0, sizeof(*p));
	p->kind = kind;
	p->events = events;
	p->ctx = ctx;
	http1_head_reset(&p->head);
}

static void broken(struct http1 *p)
{
	line_clear(p);
	http1_head_reset(&p->head);
	p->state = HTTP1_S_BROKEN;
}

int http1_feed(struct http1 *p, const uint8_t *data, size_t len)
{
	const uint8_t *end = data + len;

	while (data < end) {
		ssize_t used;

		if (p->state == HTTP1_S_TUNNEL)
			return 0;
		if (p->state == HTTP1_S_BROKEN)
			return -EPROTO;
		used = steps[p->state](p, data, end - data);
		if (used < 0) {
			broken(p);
			return -EPROTO;
		}
		data += used;
	}
	return 0;
}

int http1_gap(struct http1 *p, uint64_t len)
{
	bool sized = p->state == HTTP1_S_BODY_LENGTH || p->state == HTTP1_S_CHUNK_DATA;

	if (!len || p->state == HTTP1_S_TUNNEL)
		return 0;
	if (p->state != HTTP1_S_BODY_CLOSE && !(sized && len <= p->left)) {
		broken(p);
		return -ENODATA;
	}
	p->events->body_gap(p->ctx, len);
	if (!sized)
		return 0;
	p->left -= len;
	if (p->left)
		return 0;
	if (p->state == HTTP1_S_CHUNK_DATA)
		p->state = HTTP1_S_CHUNK_CRLF;
	else
		message_end(p, HTTP1_END_COMPLETE, HTTP1_S_START);
	return 0;
}

void http1_eof(struct http1 *p)
{
	switch (p->state) {
	case HTTP1_S_BODY_CLOSE:
		message_end(p, HTTP1_END_CLOSE, HTTP1_S_START);
		break;
	case HTTP1_S_BODY_LENGTH:
	case HTTP1_S_CHUNK_SIZE:
	case HTTP1_S_CHUNK_EXT:
	case HTTP1_S_CHUNK_DATA:
	case HTTP1_S_CHUNK_CRLF:
	case HTTP1_S_TRAILER:
		message_end(p, HTTP1_END_TRUNCATED, HTTP1_S_START);
		break;
	case HTTP1_S_LINE:
	case HTTP1_S_HEADER:
		http1_restart(p); /* no head() was called, so no end() either */
		break;
	case HTTP1_S_START:
	case HTTP1_S_TUNNEL:
	case HTTP1_S_BROKEN:
		break;
	}
}

void http1_restart(struct http1 *p)
{
	line_clear(p);
	explicit_bzero(p->line, sizeof(p->line));
	http1_head_reset(&p->head);
	p->state = HTTP1_S_START;
	p->left = 0;
	p->block = 0;
	p->saw_cr = false;
	p->te_other = false;
}

bool http1_idle(const struct http1 *p)
{
	return p->state == HTTP1_S_START;
}
