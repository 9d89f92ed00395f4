// SPDX-License-Identifier: Apache-2.0
#include "export/otlp_headers.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"

/* More than that is a mistake, such as the wrong file. */
#define HEADERS_MAX 64

/* Words as long as that are secrets or parts of them, and shorter ones may be "Bearer". */
#define SECRET_MIN 8

/* Set by the sender itself: a second one would make the request say two things. */
static const char *const reserved[] = { "content-type",	     "content-encoding", "content-length",
					"transfer-encoding", "connection",	 "te",
					"user-agent",	     "expect",		 NULL };

/* ------------------------------------------------------------------ one header */

static char *trim(char *s)
{
	size_t len;

	s += strspn(s, " \t");
	len = strlen(s);
	while (len && strchr(" \t\r\n", s[len - 1]))
		len--;
	s[len] = '\0';
	return s;
}

/* RFC 9110, 5.6.2: token. */
static bool is_name(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("!#$%&'*+-.^_`|~", *s))
			return false;
	return true;
}

/* RFC 9110, 5.5: no control characters, so no CR or LF that would begin another header. */
static bool is_value(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (((unsigned char)*s < ' ' && *s != '\t') || *s == 0x7f)
			return false;
	return true;
}

static bool is_reserved(const char *name)
{
	if (!strncasecmp(name, "grpc-", 5))
		return true;
	for (size_t i = 0; reserved[i]; i++)
		if (!strcasecmp(name, reserved[i]))
			return true;
	return false;
}

/* Decodes %XX in place. False: no two hex digits behind a %, or a NUL. */
static bool percent_decode(char *s)
{
	char *out = s;

	for (; *s; s++) {
		unsigned int byte;

		if (*s != '%') {
			*out++ = *s;
			continue;
		}
		if (!isxdigit((unsigned char)s[1]) || !isxdigit((unsigned char)s[2]) ||
		    sscanf(s + 1, "%2x", &byte) != 1 || !byte)
			return false;
		*out++ = (char)byte;
		s += 2;
	}
	*out = '\0';
	return true;
}

/* The header of this name, made anew where there is none; NULL: out of memory. */
static struct otlp_header *place(struct otlp_headers *h, const char *name)
{
	struct otlp_header *items, *item;

	for (size_t i = 0; i < h->count; i++)
		if (!strcasecmp(h->items[i].name, name))
			return &h->items[i];
	items = reallocarray(h->items, h->count + 1, sizeof(*items));
	if (!items)
		return NULL;
	h->items = items;
	item = &items[h->count];
	*item = (struct otlp_header){ .name = strdup(name) };
	if (!item->name)
		return NULL;
	h->count++;
	return item;
}

static int set(struct otlp_headers *h, const char *name, const char *value)
{
	struct otlp_header *item = place(h, name);
	char *copy = item ? strdup(value) : NULL;

	if (!copy) {
		log_error("out of memory while reading OTLP headers");
		return -ENOMEM;
	}
	free(item->value);
	item->value = copy;
	return 0;
}

/*
 * name and value without blanks around them; number: which entry or line it is, for messages. They show no unknown name: it
 * may be a key that stands in the wrong place.
 */
static int add(struct otlp_headers *h, const char *name, const char *value, const char *setting,
	       size_t number)
{
	if (!is_name(name))
		log_error("%s: the name of header %zu is no header name; use letters, digits and -",
			  setting, number);
	else if (is_reserved(name))
		log_error("%s: header %zu (%s) is set by tokscope itself; leave it out", setting,
			  number, name);
	else if (!is_value(value))
		log_error(
			"%s: header %zu has no value, or one with control characters; give it a printable one",
			setting, number);
	else if (h->count >= HEADERS_MAX)
		log_error("%s: more than %d headers; is it the right text?", setting, HEADERS_MAX);
	else
		return set(h, name, value);
	return -EINVAL;
}

/* ------------------------------------------------------------------ sources */

static int add_entry(struct otlp_headers *h, char *entry, const char *setting, size_t number)
{
	char *equals = strchr(entry, '=');
	char *value;

	if (!equals) {
		log_error("%s: header %zu has no '='; write key=value,key=value", setting, number);
		return -EINVAL;
	}
	*equals = '\0';
	value = trim(equals + 1);
	if (!percent_decode(value)) {
		log_error(
			"%s: the value of header %zu is not percent-encoded text; write %% itself as %%25",
			setting, number);
		return -EINVAL;
	}
	return add(h, trim(entry), value, setting, number);
}

int otlp_headers_add_list(struct otlp_headers *h, const char *list, const char *setting)
{
	_cleanup_free_ char *copy = strdup(list);
	char *rest = copy, *entry;
	int err = copy ? 0 : -ENOMEM;

	for (size_t i = 1; !err && (entry = strsep(&rest, ",")); i++) {
		entry = trim(entry);
		if (*entry)
			err = add_entry(h, entry, setting, i);
	}
	return err;
}

static int add_line(struct otlp_headers *h, char *line, const char *setting, size_t number)
{
	char *colon;

	line = trim(line);
	if (!*line || *line == '#')
		return 0;
	colon = strchr(line, ':');
	if (!colon) {
		log_error("%s: line %zu has no ':'; write a header a line, \"key: value\"", setting,
			  number);
		return -EINVAL;
	}
	*colon = '\0';
	return add(h, trim(line), trim(colon + 1), setting, number);
}

/* A Kubernetes secret is mounted with mode 0644 unless told otherwise, so it is a warning only. */
static void check_mode(FILE *f, const char *path, const char *setting)
{
	struct stat st;

	if (!fstat(fileno(f), &st) && (st.st_mode & S_IROTH))
		log_warn(
			"%s: everybody on this machine can read %s; chmod 600 it (in Kubernetes: defaultMode: 0400)",
			setting, path);
}

int otlp_headers_add_file(struct otlp_headers *h, const char *path, const char *setting)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	size_t cap = 0;
	int err = 0;

	if (!f) {
		err = -errno;
		log_error("%s: cannot read %s: %m; give a file of \"key: value\" lines", setting,
			  path);
		return err;
	}
	check_mode(f, path, setting);
	for (size_t i = 1; !err && getline(&line, &cap, f) >= 0; i++)
		err = add_line(h, line, setting, i);
	if (!err && ferror(f)) {
		err = -EIO;
		log_error("%s: cannot read %s to its end; is it a regular file?", setting, path);
	}
	return err;
}

void otlp_headers_free(struct otlp_headers *h)
{
	for (size_t i = 0; i < h->count; i++) {
		free(h->items[i].name);
		free(h->items[i].value);
	}
	free(h->items);
	*h = (struct otlp_headers){ 0 };
}

static bool word_shown_in(const char *value, const char *text)
{
	char word[SECRET_MIN + 1] = "";

	for (value += strspn(value, " "); *value; value += strspn(value, " ")) {
		size_t len = strcspn(value, " ");

		memcpy(word, value, len < SECRET_MIN ? len : SECRET_MIN);
		if (len >= SECRET_MIN && strstr(text, word))
			return true;
		value += len;
	}
	return false;
}

bool otlp_headers_shown_in(const struct otlp_headers *h, const char *text)
{
	for (size_t i = 0; i < h->count; i++)
		if (strstr(text, h->items[i].value) || word_shown_in(h->items[i].value, text))
			return true;
	return false;
}
