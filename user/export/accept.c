// SPDX-License-Identifier: Apache-2.0
#include "export/accept.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct span {
	const char *s;
	size_t len;
};

static struct span trim(struct span t)
{
	while (t.len && isspace((unsigned char)t.s[0])) {
		t.s++;
		t.len--;
	}
	while (t.len && isspace((unsigned char)t.s[t.len - 1]))
		t.len--;
	return t;
}

static bool span_is(struct span t, const char *text)
{
	return t.len == strlen(text) && !strncasecmp(t.s, text, t.len);
}

static struct span unquote(struct span t)
{
	if (t.len >= 2 && t.s[0] == '"' && t.s[t.len - 1] == '"')
		return (struct span){ t.s + 1, t.len - 2 };
	return t;
}

/* "0", "0.5", "1.000" -> thousandths; anything else -> 0. */
static int parse_q(struct span t)
{
	int q = 0, weight = ACCEPT_Q_ONE;

	if (!t.len || (t.s[0] != '0' && t.s[0] != '1') || (t.len > 1 && t.s[1] != '.'))
		return 0;
	q = (t.s[0] - '0') * weight;
	for (size_t i = 2; i < t.len; i++) {
		if (!isdigit((unsigned char)t.s[i]))
			return 0;
		weight /= 10;
		q += (t.s[i] - '0') * weight;
	}
	return q <= ACCEPT_Q_ONE ? q : 0;
}

struct parameter {
	struct span name, value;
};

/* Takes the next ";name=value" off `rest`; false at the end. One without '=' has no value. */
static bool next_parameter(struct span *rest, struct parameter *p)
{
	const char *end, *equals;
	struct span t;

	if (!rest->len)
		return false;
	t = (struct span){ rest->s + 1, rest->len - 1 };
	end = memchr(t.s, ';', t.len);
	if (end)
		t.len = end - t.s;
	*rest = (struct span){ t.s + t.len, rest->len - 1 - t.len };
	equals = memchr(t.s, '=', t.len);
	*p = (struct parameter){ .name = trim(t) };
	if (equals) {
		p->name = trim((struct span){ t.s, equals - t.s });
		p->value = unquote(trim((struct span){ equals + 1, t.s + t.len - equals - 1 }));
	}
	return true;
}

static struct span parameters(const struct accept_item *item)
{
	return (struct span){ item->parameters, item->parameters_len };
}

static int read_q(const struct accept_item *item)
{
	struct span rest = parameters(item);
	struct parameter p;

	while (next_parameter(&rest, &p))
		if (span_is(p.name, "q"))
			return parse_q(p.value);
	return ACCEPT_Q_ONE;
}

bool accept_next(const char **cursor, struct accept_item *item)
{
	const char *p = *cursor + strspn(*cursor, ", \t");
	size_t len = strcspn(p, ","), n = strcspn(p, ";,");
	struct span name = trim((struct span){ p, n });

	if (!*p)
		return false;
	*item = (struct accept_item){
		.name = name.s, .name_len = name.len, .parameters = p + n, .parameters_len = len - n
	};
	item->q = read_q(item);
	*cursor = p + len;
	return true;
}

bool accept_is(const struct accept_item *item, const char *name)
{
	return span_is((struct span){ item->name, item->name_len }, name);
}

bool accept_parameter_in(const struct accept_item *item, const char *name,
			 const char *const *values)
{
	struct span rest = parameters(item);
	struct parameter p;

	while (next_parameter(&rest, &p)) {
		if (!span_is(p.name, name))
			continue;
		while (*values && !span_is(p.value, *values))
			values++;
		return *values;
	}
	return true;
}

bool accept_gzip(const char *accept_encoding)
{
	int gzip = -1, any = 0;
	struct accept_item item;

	while (accept_encoding && accept_next(&accept_encoding, &item)) {
		if (accept_is(&item, "gzip") || accept_is(&item, "x-gzip"))
			gzip = item.q;
		else if (accept_is(&item, "*"))
			any = item.q;
	}
	return (gzip >= 0 ? gzip : any) > 0;
}
