// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/internal.h"

void site_free(struct site *s)
{
	free(s->name);
	free(s->refused);
	free(s->args);
	*s = (struct site){ 0 };
}

void sites_free(struct sites *s)
{
	for (size_t i = 0; i < s->count; i++)
		site_free(&s->items[i]);
	free(s->items);
	*s = (struct sites){ 0 };
}

/* Of what cannot be probed, each function is told once. */
static bool same_place(const struct site *a, const struct site *b)
{
	if (!a->refused != !b->refused)
		return false;
	return a->refused ? a->function == b->function && a->offset == b->offset
			  : a->offset == b->offset;
}

int sites_take(struct sites *out, struct site *s)
{
	struct site *items;

	for (size_t i = 0; i < out->count; i++)
		if (same_place(&out->items[i], s)) {
			site_free(s);
			return 0;
		}
	if (!(out->count & (out->count - 1))) { /* full at each power of two */
		items = realloc(out->items, (out->count ? 2 * out->count : 1) * sizeof(*items));
		if (!items) {
			site_free(s);
			return -ENOMEM;
		}
		out->items = items;
	}
	out->items[out->count++] = *s;
	return 1;
}

int sites_copy(struct sites *out, const struct site *s)
{
	struct site copy = *s;

	copy.name = s->name ? strdup(s->name) : NULL;
	copy.refused = s->refused ? strdup(s->refused) : NULL;
	copy.args = s->arg_count ? malloc(s->arg_count * sizeof(*s->args)) : NULL;
	if ((s->name && !copy.name) || (s->refused && !copy.refused) ||
	    (s->arg_count && !copy.args)) {
		site_free(&copy);
		return -ENOMEM;
	}
	if (s->arg_count)
		memcpy(copy.args, s->args, s->arg_count * sizeof(*s->args));
	return sites_take(out, &copy);
}

int site_refuse(struct site *s, const char *fmt, ...)
{
	va_list ap;
	int n;

	free(s->refused);
	va_start(ap, fmt);
	n = vasprintf(&s->refused, fmt, ap);
	va_end(ap);
	if (n >= 0)
		return 0;
	s->refused = NULL;
	return -ENOMEM;
}

int sites_of_function(struct binary *b, const struct extent *function, enum target_at at,
		      const char *name, struct sites *out)
{
	struct site s = { 0 };
	int err;

	if (at == AT_RETURN)
		return returns_add(b, function, name, out);
	s.name = strdup(name);
	err = s.name ? place_entry(b, function->start, function->size, &s) : -ENOMEM;
	if (err) {
		site_free(&s);
		return err;
	}
	return sites_take(out, &s);
}
