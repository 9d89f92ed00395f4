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

static void read_parameter(struct accept_item *item, struct span t)
{
	const char *equals = memchr(t.s, '=', t.len);
	struct span name, value;

	if (!equals)
		return;
	name = trim((struct span){ t.s, equals - t.s });
	value = unquote(trim((struct span){ equals + 1, t.s + t.len - equals - 1 }));
	if (span_is(name, "q")) {
		item->q = parse_q(value);
	} else if (span_is(name, "version")) {
		item->version = value.s;
		item->version_len = value.len;
	}
}

bool accept_next(const char **cursor, struct accept_item *item)
{
	const char *p = *cursor + strspn(*cursor, ", \t");
	size_t n = strcspn(p, ";,");
	struct span name = trim((struct span){ p, n });

	if (!*p)
		return false;
	*item = (struct accept_item){ .name = name.s, .name_len = name.len, .q = ACCEPT_Q_ONE };
	for (p += n; *p == ';'; p += n) {
		p++;
		n = strcspn(p, ";,");
		read_parameter(item, (struct span){ p, n });
	}
	*cursor = p;
	return true;
}

bool accept_is(const struct accept_item *item, const char *name)
{
	return span_is((struct span){ item->name, item->name_len }, name);
}

bool accept_version_is(const struct accept_item *item, const char *version)
{
	return item->version && span_is((struct span){ item->version, item->version_len }, version);
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
