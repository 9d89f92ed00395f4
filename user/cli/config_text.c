// SPDX-License-Identifier: Apache-2.0
#include "cli/config_text.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define HIDDEN "<hidden>"
/* Longer than any wait that makes sense, and far from the end of 64-bit nanoseconds (292 years). */
#define SECONDS_MAX 1e9

/* ------------------------------------------------------------------ numbers */

int text_unsigned(const char *text, uint64_t max, uint64_t *out)
{
	uint64_t value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || !isdigit((unsigned char)*text) || *end || value > max)
		return -EINVAL;
	*out = value;
	return 0;
}

int text_bytes(const char *text, uint64_t *out)
{
	int shift = 0;
	uint64_t value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || !isdigit((unsigned char)*text) || value > UINT64_MAX >> 20)
		return -EINVAL;
	if (*end == 'k' || *end == 'K')
		shift = 10;
	else if (*end == 'm' || *end == 'M')
		shift = 20;
	if (end[shift != 0])
		return -EINVAL;
	*out = value << shift;
	return 0;
}

/* A number of 0 and above; *end receives what follows it. */
static int leading_decimal(const char *text, double *out, char **end)
{
	if (!isdigit((unsigned char)*text) && *text != '.')
		return -EINVAL;
	*out = strtod(text, end);
	return *end == text || !isfinite(*out) ? -EINVAL : 0;
}

int text_decimal(const char *text, double *out)
{
	double value;
	char *end;

	if (leading_decimal(text, &value, &end) || *end)
		return -EINVAL;
	*out = value;
	return 0;
}

int text_seconds(const char *text, double *out)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = { { "", 1 }, { "ms", 1e-3 }, { "s", 1 }, { "m", 60 }, { "h", 3600 } };
	double value;
	char *end;

	if (leading_decimal(text, &value, &end))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].name) || value * units[i].seconds > SECONDS_MAX)
			continue;
		*out = value * units[i].seconds;
		return 0;
	}
	return -EINVAL;
}

int text_truth(const char *text, bool *out)
{
	if (strcasecmp(text, "true") && strcasecmp(text, "false"))
		return -EINVAL;
	*out = !strcasecmp(text, "true");
	return 0;
}

/* ------------------------------------------------------------------ texts */

int text_plain(const char *text)
{
	json_t *utf8 = json_string(text);

	if (!utf8)
		return -EINVAL;
	json_decref(utf8);
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			return -EINVAL;
	return 0;
}

int text_url(const char *text)
{
	return !*text || strchr(text, ' ') ? -EINVAL : text_plain(text);
}

/* One pair of a list: where its parts are, without the blanks around them. */
struct pair {
	const char *key, *value;
	int key_len, value_len;
};

static void trim(const char **text, int *len)
{
	while (*len && **text == ' ') {
		++*text;
		--*len;
	}
	while (*len && (*text)[*len - 1] == ' ')
		--*len;
}

/* Takes the next pair off the text. 1, 0 at its end, -EINVAL where it is no pair. */
static int next_pair(const char **text, struct pair *p)
{
	int len = strcspn(*text, ",");
	const char *equals = memchr(*text, '=', len);

	if (!**text)
		return 0;
	if (!equals)
		return -EINVAL;
	*p = (struct pair){ *text, equals + 1, equals - *text, *text + len - equals - 1 };
	trim(&p->key, &p->key_len);
	trim(&p->value, &p->value_len);
	*text += len + ((*text)[len] == ',');
	return p->key_len ? 1 : -EINVAL;
}

int text_pairs(const char *text)
{
	struct pair p;
	int more;

	if (text_plain(text))
		return -EINVAL;
	do
		more = next_pair(&text, &p);
	while (more > 0);
	return more;
}

/* ------------------------------------------------------------------ and back */

json_t *text_of_bytes(uint64_t bytes)
{
	if (bytes && !(bytes & ((1 << 20) - 1)))
		return json_sprintf("%llum", (unsigned long long)bytes >> 20);
	if (bytes && !(bytes & ((1 << 10) - 1)))
		return json_sprintf("%lluk", (unsigned long long)bytes >> 10);
	return json_integer(bytes);
}

json_t *text_of_seconds(double seconds)
{
	return json_sprintf("%.9gs", seconds);
}

json_t *text_of_milliseconds(uint64_t ms)
{
	if (ms % 1000)
		return json_sprintf("%llums", (unsigned long long)ms);
	return json_sprintf("%llus", (unsigned long long)ms / 1000);
}

/* A decoded value may be anything; what is no text is shown as it came. */
static json_t *decoded(const struct pair *p)
{
	int len;
	char *text = curl_easy_unescape(NULL, p->value, p->value_len, &len);
	json_t *value = text ? json_stringn(text, len) : NULL;

	curl_free(text);
	return value ?: json_stringn(p->value, p->value_len);
}

json_t *text_of_pairs(const char *text, bool hide)
{
	json_t *object = json_object();
	struct pair p;

	while (object && next_pair(&text, &p) > 0) {
		_cleanup_free_ char *key = strndup(p.key, p.key_len);

		if (!key ||
		    json_object_set_new(object, key, hide ? json_string(HIDDEN) : decoded(&p))) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

json_t *text_of_url(const char *text)
{
	const char *scheme = strstr(text, "://");
	const char *host = scheme ? scheme + 3 : text;
	const char *at = strrchr(host, '@');
	const char *rest = at ? at : host;
	int shown = strcspn(rest, "?#");

	return json_sprintf("%.*s%s%.*s%s", (int)(host - text), text, at ? HIDDEN : "", shown, rest,
			    rest[shown] ? "?" HIDDEN : "");
}
