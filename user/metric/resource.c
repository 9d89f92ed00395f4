// SPDX-License-Identifier: Apache-2.0
#include "metric/resource.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

static int wanted(const struct attribute *a)
{
	return !a->text || *a->text;
}

/* Bytes behind the array of attributes. */
static size_t texts_len(const struct attribute *attributes, size_t count)
{
	size_t len = 0;

	for (size_t i = 0; i < count; i++)
		if (wanted(&attributes[i]))
			len += strlen(attributes[i].key) + 1 +
			       (attributes[i].text ? strlen(attributes[i].text) + 1 : 0);
	return len;
}

static const char *copy_text(char **at, const char *text)
{
	char *copy = *at;

	if (!text)
		return NULL;
	*at = stpcpy(copy, text) + 1;
	utf8_repair(copy);
	return copy;
}

struct resource *resource_new(const struct attribute *attributes, size_t count)
{
	struct resource *r =
		calloc(1, sizeof(*r) + count * sizeof(*attributes) + texts_len(attributes, count));
	char *at;

	if (!r)
		return NULL;
	r->refs = 1;
	at = (char *)&r->attributes[count];
	for (size_t i = 0; i < count; i++) {
		struct attribute *a = &r->attributes[r->count];

		if (!wanted(&attributes[i]))
			continue;
		a->key = copy_text(&at, attributes[i].key);
		a->text = copy_text(&at, attributes[i].text);
		a->number = attributes[i].number;
		r->count++;
	}
	return r;
}

struct resource *resource_get(struct resource *r)
{
	if (r)
		__atomic_add_fetch(&r->refs, 1, __ATOMIC_RELAXED);
	return r;
}

void resource_put(struct resource *r)
{
	if (r && !__atomic_sub_fetch(&r->refs, 1, __ATOMIC_ACQ_REL))
		free(r);
}

const char *resource_text(const struct resource *r, const char *key)
{
	for (size_t i = 0; r && i < r->count; i++)
		if (!strcmp(r->attributes[i].key, key))
			return r->attributes[i].text;
	return NULL;
}
