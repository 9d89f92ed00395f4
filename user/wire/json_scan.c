// SPDX-License-Identifier: Apache-2.0
#include "wire/json_scan.h"

#include <string.h>

#include "wire/json_lex.h"

enum state {
	TOKEN,	 /* between tokens: `allow` says what may come */
	STRING,	 /* inside the quotes */
	ESCAPE,	 /* after a backslash */
	UNICODE, /* hex digits of \uXXXX */
	NUMBER,
	LITERAL,
	OUT_OF_SYNC,
};

enum allow {
	ALLOW_VALUE = 1 << 0,
	ALLOW_KEY = 1 << 1,
	ALLOW_COLON = 1 << 2,
	ALLOW_COMMA = 1 << 3,
	ALLOW_CLOSE = 1 << 4,
	ALLOW_FIRST = 1 << 5, /* the container has no element yet */
};

static void text_clear(struct json_scan *s)
{
	explicit_bzero(s->text, s->text_len);
	s->text_len = 0;
	s->text_cut = false;
}

static void out_of_sync(struct json_scan *s)
{
	text_clear(s);
	s->state = OUT_OF_SYNC;
}

void json_init(struct json_scan *s, const struct json_field *const *fields, size_t count,
	       const struct json_events *events, void *ctx)
{
	memset(s, 0, sizeof(*s));
	s->fields = fields;
	s->all = count < JSON_FIELDS_MAX ? (1u << count) - 1 : ~0u;
	s->events = events;
	s->ctx = ctx;
	json_reset(s);
}

void json_reset(struct json_scan *s)
{
	text_clear(s);
	s->state = TOKEN;
	s->allow = ALLOW_VALUE;
	s->depth = 0;
	s->objects = 0;
	s->value = s->all;
}

/* The fields of `set` whose path goes on with this name after `level` steps. */
static uint32_t step_into(const struct json_scan *s, uint32_t set, unsigned int level,
			  const char *name)
{
	const char *last = NULL;
	uint32_t found = 0;
	bool same = false;

	for (; set; set &= set - 1) {
		int i = __builtin_ctz(set);
		const char *step = s->fields[i]->path[level];

		if (!step)
			continue;
		if (step != last) /* neighbours in the table share their first steps */
			same = *step == *name && !strcmp(step, name);
		last = step;
		if (same)
			found |= 1u << i;
	}
	return found;
}

/* The fields that lead to or through the innermost container; none below the longest path. */
static uint32_t below(const struct json_scan *s)
{
	return s->depth <= JSON_PATH_MAX + 1 ? s->below[s->depth - 1] : 0;
}

/* Tells the owner about a value `level` steps from the root: fields of `set` whose path ends there. */
static void report(struct json_scan *s, uint32_t set, unsigned int level,
		   const struct json_value *v)
{
	for (; set; set &= set - 1) {
		const struct json_field *field = s->fields[__builtin_ctz(set)];

		if (!field->path[level])
			s->events->value(s->ctx, field, v);
	}
}

static bool wants_text(const struct json_scan *s)
{
	for (uint32_t set = s->value; set; set &= set - 1) {
		const struct json_field *field = s->fields[__builtin_ctz(set)];

		if (field->text && !field->path[s->depth])
			return true;
	}
	return false;
}

static bool in_object(const struct json_scan *s)
{
	return s->objects >> (s->depth - 1) & 1;
}

/* The innermost container turns out not to be empty. */
static void first_element(struct json_scan *s)
{
	struct json_value v = { .type = in_object(s) ? JSON_OBJECT : JSON_ARRAY, .number = -1 };

	if (below(s))
		report(s, below(s), s->depth - 1, &v);
}

static void value_done(struct json_scan *s)
{
	s->state = TOKEN;
	s->allow = s->depth ? ALLOW_COMMA | ALLOW_CLOSE : 0;
}

static void scalar(struct json_scan *s, const struct json_value *v)
{
	if (s->value)
		report(s, s->value, s->depth, v);
	value_done(s);
}

static void open_container(struct json_scan *s, bool object)
{
	if (s->depth == JSON_DEPTH_MAX)
		return out_of_sync(s);
	if (s->depth <= JSON_PATH_MAX)
		s->below[s->depth] = s->value;
	s->objects &= ~(1ull << s->depth);
	s->objects |= (uint64_t)object << s->depth;
	s->depth++;
	s->allow = ALLOW_FIRST | ALLOW_CLOSE | (object ? ALLOW_KEY : ALLOW_VALUE);
}

static void close_container(struct json_scan *s, bool object)
{
	struct json_value v = { .type = JSON_CLOSE, .number = -1 };
	uint32_t set;

	if (!(s->allow & ALLOW_CLOSE) || in_object(s) != object)
		return out_of_sync(s);
	set = below(s);
	s->depth--;
	if (set)
		report(s, set, s->depth, &v);
	value_done(s);
}

static void begin_string(struct json_scan *s, bool is_key)
{
	s->state = STRING;
	s->is_key = is_key;
	s->string_len = 0;
	s->keep_text = is_key ? below(s) != 0 : wants_text(s);
}

static void end_string(struct json_scan *s)
{
	struct json_value v = { .type = JSON_STRING, .number = -1, .len = s->string_len };

	s->text[s->text_len] = '\0';
	if (!s->is_key) {
		v.text = s->keep_text && !s->text_cut ? s->text : NULL;
		scalar(s, &v);
	} else {
		s->value = 0;
		if (s->keep_text && !s->text_cut)
			s->value = step_into(s, below(s), s->depth - 1, s->text);
		s->state = TOKEN;
		s->allow = ALLOW_COLON;
	}
	text_clear(s);
}

static void begin_literal(struct json_scan *s, const char *rest, enum json_type type)
{
	s->state = LITERAL;
	s->literal = rest;
	s->literal_type = type;
}

static void begin_number(struct json_scan *s, uint8_t c)
{
	s->state = NUMBER;
	s->number = c == '-' ? -1 : c - '0';
	s->number_state = json_number_first(c);
}

/* Any value but a string that starts with c. */
static void begin_value(struct json_scan *s, uint8_t c)
{
	switch (c) {
	case '{':
	case '[':
		return open_container(s, c == '{');
	case 't':
		return begin_literal(s, "rue", JSON_TRUE);
	case 'f':
		return begin_literal(s, "alse", JSON_FALSE);
	case 'n':
		return begin_literal(s, "ull", JSON_NULL);
	case 'N':
		return begin_literal(s, "aN", JSON_NUMBER);
	case 'I':
		return begin_literal(s, "nfinity", JSON_NUMBER);
	default:
		if (c != '-' && (c < '0' || c > '9'))
			return out_of_sync(s);
		begin_number(s, c);
	}
}

/* A comma, a colon or the end of a container; true when c is one. */
static bool punctuation(struct json_scan *s, uint8_t c)
{
	switch (c) {
	case ',':
		if (s->allow & ALLOW_COMMA)
			s->allow = in_object(s) ? ALLOW_KEY : ALLOW_VALUE;
		else
			out_of_sync(s);
		return true;
	case ':':
		if (s->allow & ALLOW_COLON)
			s->allow = ALLOW_VALUE;
		else
			out_of_sync(s);
		return true;
	case '}':
	case ']':
		close_container(s, c == '}');
		return true;
	default:
		return false;
	}
}

static const uint8_t *scan_token(struct json_scan *s, const uint8_t *p, const uint8_t *end)
{
	uint8_t c;

	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	if (p == end)
		return p;
	c = *p++;
	if (punctuation(s, c))
		return p;
	if (!(s->allow & (ALLOW_VALUE | ALLOW_KEY))) {
		out_of_sync(s);
		return p;
	}
	if (s->allow & ALLOW_FIRST)
		first_element(s);
	if (s->allow & ALLOW_VALUE && s->depth && !in_object(s))
		s->value = step_into(s, below(s), s->depth - 1, "[]");
	if (c == '"')
		begin_string(s, s->allow & ALLOW_KEY);
	else if (s->allow & ALLOW_KEY)
		out_of_sync(s);
	else
		begin_value(s, c);
	return p;
}

static void text_append(struct json_scan *s, const void *data, size_t len)
{
	size_t room = JSON_TEXT_MAX - s->text_len;

	if (!s->keep_text)
		return;
	if (len > room) {
		s->text_cut = true;
		len = room;
	}
	memcpy(s->text + s->text_len, data, len);
	s->text_len += len;
}

static const uint8_t *scan_string(struct json_scan *s, const uint8_t *p, const uint8_t *end)
{
	const uint8_t *stop = json_string_stop(p, end);

	s->string_len += stop - p;
	text_append(s, p, stop - p);
	if (stop == end)
		return end;
	if (*stop == '"') {
		end_string(s);
	} else if (*stop == '\\') {
		s->string_len++;
		s->state = ESCAPE;
	} else {
		out_of_sync(s);
	}
	return stop + 1;
}

static const uint8_t *scan_escape(struct json_scan *s, const uint8_t *p)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at = *p ? strchr(from, *p) : NULL;

	s->string_len++;
	s->state = STRING;
	if (at) {
		text_append(s, to + (at - from), 1);
	} else if (*p == 'u') {
		s->state = UNICODE;
		s->hex = 0;
		s->hex_left = 4;
	} else {
		out_of_sync(s);
	}
	return p + 1;
}

static const uint8_t *scan_unicode(struct json_scan *s, const uint8_t *p)
{
	uint8_t c = *p, lower = c | 0x20;

	s->string_len++;
	if (c >= '0' && c <= '9') {
		s->hex = s->hex << 4 | (c - '0');
	} else if (lower >= 'a' && lower <= 'f') {
		s->hex = s->hex << 4 | (lower - 'a' + 10);
	} else {
		out_of_sync(s);
		return p;
	}
	if (--s->hex_left)
		return p + 1;
	/* No name or value that is looked for has other than ASCII text: any byte that differs will do. */
	text_append(s, (uint8_t[]){ s->hex && s->hex < 0x80 ? s->hex : 0xff }, 1);
	s->state = STRING;
	return p + 1;
}

/* What stands there is a number, if nothing more comes. */
static void end_number(struct json_scan *s)
{
	struct json_value v = { .type = JSON_NUMBER, .number = s->number };

	if (json_number_whole(s->number_state))
		scalar(s, &v);
	else
		out_of_sync(s);
}

static const uint8_t *scan_number(struct json_scan *s, const uint8_t *p)
{
	enum number_state next = json_number_next(s->number_state, *p);
	int digit = *p - '0';

	if (next == NUMBER_END && s->number_state == NUMBER_MINUS && *p == 'I') {
		begin_literal(s, "nfinity", JSON_NUMBER);
		return p + 1;
	}
	if (next == NUMBER_END) {
		end_number(s);
		return p;
	}
	if (next != NUMBER_INT || s->number < 0 || s->number > (INT64_MAX - digit) / 10)
		s->number = -1;
	else
		s->number = s->number * 10 + digit;
	s->number_state = next;
	return p + 1;
}

static const uint8_t *scan_literal(struct json_scan *s, const uint8_t *p)
{
	struct json_value v = { .type = s->literal_type, .number = -1 };

	if (*p != (uint8_t)*s->literal)
		out_of_sync(s);
	else if (!*++s->literal)
		scalar(s, &v);
	return p + 1;
}

void json_feed(struct json_scan *s, const uint8_t *data, size_t len)
{
	const uint8_t *end = data + len;

	while (data < end) {
		switch ((enum state)s->state) {
		case TOKEN:
			data = scan_token(s, data, end);
			break;
		case STRING:
			data = scan_string(s, data, end);
			break;
		case ESCAPE:
			data = scan_escape(s, data);
			break;
		case UNICODE:
			data = scan_unicode(s, data);
			break;
		case NUMBER:
			data = scan_number(s, data);
			break;
		case LITERAL:
			data = scan_literal(s, data);
			break;
		case OUT_OF_SYNC:
			return;
		}
	}
}

bool json_end(struct json_scan *s)
{
	if (s->state == NUMBER && !s->depth)
		end_number(s);
	return s->state == TOKEN && !s->depth && !s->allow;
}

bool json_blank(const struct json_scan *s)
{
	return s->state == TOKEN && !s->depth && s->allow;
}

bool json_in_sync(const struct json_scan *s)
{
	return s->state != OUT_OF_SYNC;
}
