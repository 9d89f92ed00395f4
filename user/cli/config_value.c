// SPDX-License-Identifier: Apache-2.0
#include "cli/config_value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/config_kind.h"

static const struct value_kind *kind_of(const struct option_spec *o)
{
	return &value_kinds[o->kind];
}

static void *field_of(struct config *c, const struct option_spec *o)
{
	return (char *)c + o->offset;
}

/* Both kinds of list are a pointer and a count; texts in them are freed with the configuration. */
static void empty_list(void *field)
{
	struct number_list *list = field;

	_Static_assert(offsetof(struct number_list, items) == offsetof(struct string_list, items) &&
			       offsetof(struct number_list, count) ==
				       offsetof(struct string_list, count),
		       "one way to empty both");
	free(list->items);
	*list = (struct number_list){ 0 };
}

int config_assign(struct config *c, const struct option_spec *o, const char *text,
		  struct config_origin from)
{
	struct config_origin *origin = &c->origin[o - options];
	const struct given given = {
		.config = c, .kind = kind_of(o), .text = text, .source = from.source
	};
	int err;

	if (given.kind->list && origin->source != from.source)
		empty_list(field_of(c, o));
	err = given.kind->parse(&given, field_of(c, o));
	if (!err)
		*origin = from;
	return err;
}

void config_assign_none(struct config *c, const struct option_spec *o, struct config_origin from)
{
	empty_list(field_of(c, o));
	c->origin[o - options] = from;
}

/* ------------------------------------------------------------------ copy */

static int copy_list(struct config *to, const struct option_spec *o, const json_t *list,
		     struct config_origin from)
{
	const json_t *item;
	size_t i;

	config_assign_none(to, o, from);
	json_array_foreach(list, i, item) {
		char number[24];
		int err;

		snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(item));
		err = config_assign(to, o, json_string_value(item) ?: number, from);
		if (err)
			return err;
	}
	return 0;
}

int config_copy(struct config *to, const struct config *from, const struct option_spec *o)
{
	const void *source = (const char *)from + o->offset;
	const struct config_origin origin = from->origin[o - options];
	const struct value_kind *k = kind_of(o);
	json_t *list;
	int err;

	if (k->list) {
		list = config_value(from, o, false);
		err = list ? copy_list(to, o, list, origin) : -ENOMEM;
		json_decref(list);
		return err;
	}
	if (k->text && *(const char *const *)source)
		return config_assign(to, o, *(const char *const *)source, origin);
	memcpy(field_of(to, o), source, k->size);
	to->origin[o - options] = origin;
	return 0;
}

/* ------------------------------------------------------------------ show */

bool option_is_list(const struct option_spec *o)
{
	return kind_of(o)->list;
}

const char *const *option_words(const struct option_spec *o, size_t *count)
{
	const struct value_kind *k = kind_of(o);

	*count = 0;
	while (*count < KIND_WORDS_MAX && k->words[*count])
		++*count;
	return *count ? k->words : NULL;
}

const char *option_expected(const struct option_spec *o)
{
	return kind_of(o)->expected;
}

bool option_is_private(const struct option_spec *o)
{
	return o->flags & SECRET || o->kind == OPTION_URL;
}

json_t *config_value(const struct config *c, const struct option_spec *o, bool hide)
{
	const struct shown shown = {
		.kind = kind_of(o),
		.field = (const char *)c + o->offset,
		.hide = hide && option_is_private(o),
	};

	return shown.kind->value(&shown);
}

const char *config_where(const struct config *c, const struct option_spec *o, char *buf, size_t len)
{
	const struct config_origin *from = &c->origin[o - options];

	switch (from->source) {
	case CONFIG_FILE:
		snprintf(buf, len, "%s:%u", c->config_file, from->line);
		return buf;
	case CONFIG_ENVIRONMENT:
		return from->variable;
	case CONFIG_ARGUMENT:
		snprintf(buf, len, "--%s", o->name);
		return buf;
	case CONFIG_DEFAULT:
		break;
	}
	return "default";
}
