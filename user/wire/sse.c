// SPDX-License-Identifier: Apache-2.0
#include "wire/sse.h"

#include <string.h>

enum state {
	LINE_START,
	NAME,
	VALUE_START, /* after the colon of a field that is wanted: one space may follow */
	VALUE,
	SKIP, /* the rest of a line that is not wanted */
};

void sse_init(struct sse *s, const struct sse_events *events, void *ctx)
{
	*s = (struct sse){ .events = events, .ctx = ctx };
}

static bool name_is(const struct sse *s, const char *name)
{
	return s->name_len == strlen(name) && !memcmp(s->name, name, s->name_len);
}

/* A field name is complete: data begins, or the line is skipped. */
static void field_start(struct sse *s)
{
	bool failed = name_is(s, "error");

	if (!failed && !name_is(s, "data")) {
		s->state = SKIP;
		return;
	}
	if (s->has_data)
		s->events->data(s->ctx, (const uint8_t *)"\n", 1);
	s->has_data = true;
	s->failed |= failed;
	s->state = VALUE_START;
}

static void line_end(struct sse *s)
{
	if (s->state == NAME)
		field_start(s); /* a field without colon has an empty value */
	s->state = LINE_START;
}

static void blank_line(struct sse *s)
{
	bool dispatch = s->has_data;

	s->lost = false;
	s->has_data = false;
	if (dispatch)
		s->events->dispatch(s->ctx);
	s->failed = false;
}

static void line_start(struct sse *s, uint8_t c)
{
	s->name_len = 0;
	s->state = c == ':' || s->lost ? SKIP : NAME;
}

/* One byte of a name, its colon included. Names longer than name[] are none that are wanted. */
static void name_byte(struct sse *s, uint8_t c)
{
	if (c == ':')
		field_start(s);
	else if (s->name_len < sizeof(s->name))
		s->name[s->name_len++] = c;
	else
		s->state = SKIP;
}

static const uint8_t *find_eol(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *lf = memchr(p, '\n', end - p), *cr;

	end = lf ? lf : end;
	cr = memchr(p, '\r', end - p);
	return cr ? cr : end;
}

/* Uses bytes of a line, not its end. */
static const uint8_t *in_line(struct sse *s, const uint8_t *p, const uint8_t *end)
{
	const uint8_t *eol;

	switch ((enum state)s->state) {
	case LINE_START:
		line_start(s, *p);
		return p;
	case NAME:
		name_byte(s, *p);
		return p + 1;
	case VALUE_START:
		s->state = VALUE;
		return *p == ' ' ? p + 1 : p;
	case VALUE:
		eol = find_eol(p, end);
		s->events->data(s->ctx, p, eol - p);
		return eol;
	case SKIP:
		break;
	}
	return find_eol(p, end);
}

void sse_feed(struct sse *s, const uint8_t *data, size_t len)
{
	const uint8_t *end = data + len;

	while (data < end) {
		if (*data == '\n' && s->saw_cr) {
			s->saw_cr = false; /* the second half of CRLF */
			data++;
			continue;
		}
		s->saw_cr = *data == '\r';
		if (*data != '\n' && *data != '\r') {
			data = in_line(s, data, end);
			continue;
		}
		if (s->state == LINE_START)
			blank_line(s);
		else
			line_end(s);
		data++;
	}
}

void sse_gap(struct sse *s)
{
	s->state = SKIP;
	s->saw_cr = false;
	s->has_data = false;
	s->failed = false;
	s->lost = true;
}

bool sse_pending(const struct sse *s)
{
	return s->has_data;
}

bool sse_failed(const struct sse *s)
{
	return s->failed;
}
