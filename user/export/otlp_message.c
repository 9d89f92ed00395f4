// SPDX-License-Identifier: Apache-2.0
#include "export/otlp_message.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"

void *otlp_message_new(struct arena *a, const ProtobufCMessageDescriptor *type)
{
	void *m = arena_alloc(a, type->sizeof_message);

	if (m)
		protobuf_c_message_init(type, m);
	return m;
}

struct otlp_attributes otlp_attributes(struct arena *a, size_t room)
{
	struct otlp_attributes l = { .arena = a };

	l.items = arena_array(a, room, sizeof(*l.items));
	if (l.items)
		l.room = room;
	return l;
}

/* The place of one more value. */
static otlp_any_value *put(struct otlp_attributes *l, const char *key)
{
	otlp_key_value *kv = l->count < l->room ? otlp_key_value_new(l->arena) : NULL;

	if (!kv) {
		l->arena->err = -ENOMEM;
		return NULL;
	}
	kv->key = (char *)key;
	kv->value = otlp_any_value_new(l->arena);
	if (kv->value)
		l->items[l->count++] = kv;
	return kv->value;
}

/* The member of the union that protobuf-c calls by the field's name, and what says that it is the one. */
#define SET(value, member, type, what)                                                             \
	do {                                                                                       \
		if (value) {                                                                       \
			(value)->value_case =                                                      \
				OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_##type##_VALUE; \
			(value)->member##_value = (what);                                          \
		}                                                                                  \
	} while (0)

char *otlp_text(struct arena *a, const char *text)
{
	char *copy;

	if (utf8_valid(text))
		return (char *)text;
	copy = arena_strdup(a, text);
	if (!copy)
		return (char *)protobuf_c_empty_string;
	utf8_repair(copy);
	return copy;
}

otlp_any_value *otlp_text_value(struct arena *a, const char *text)
{
	otlp_any_value *v = otlp_any_value_new(a);

	SET(v, string, STRING, otlp_text(a, text));
	return v;
}

void otlp_put_text(struct otlp_attributes *l, const char *key, const char *text)
{
	otlp_any_value *v = text && *text ? put(l, key) : NULL;

	SET(v, string, STRING, otlp_text(l->arena, text));
}

void otlp_put_texts(struct otlp_attributes *l, const char *key, const char *only)
{
	otlp_any_value *v = only && *only ? put(l, key) : NULL;
	otlp_array_value *array = v ? otlp_array_value_new(l->arena) : NULL;

	if (!array)
		return;
	array->values = arena_array(l->arena, 1, sizeof(*array->values));
	if (array->values)
		array->values[0] = otlp_text_value(l->arena, only);
	array->n_values = array->values && array->values[0];
	SET(v, array, ARRAY, array);
}

void otlp_put_integer(struct otlp_attributes *l, const char *key, int64_t value)
{
	otlp_any_value *v = put(l, key);

	SET(v, int, INT, value);
}

void otlp_put_count(struct otlp_attributes *l, const char *key, int64_t value)
{
	if (value >= 0)
		otlp_put_integer(l, key, value);
}

void otlp_put_double(struct otlp_attributes *l, const char *key, double value)
{
	otlp_any_value *v = isnan(value) ? NULL : put(l, key);

	SET(v, double, DOUBLE, value);
}

void otlp_put_bool(struct otlp_attributes *l, const char *key, bool value)
{
	otlp_any_value *v = put(l, key);

	SET(v, bool, BOOL, value);
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

ProtobufCBinaryData otlp_id(struct arena *a, const char *hex, size_t len)
{
	const ProtobufCBinaryData none = { 0 };
	uint8_t *bytes = strlen(hex) == 2 * len ? arena_alloc(a, len) : NULL;
	uint8_t any = 0;

	for (size_t i = 0; bytes && i < len; i++) {
		int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return none;
		bytes[i] = high << 4 | low;
		any |= bytes[i];
	}
	return any ? (ProtobufCBinaryData){ len, bytes } : none;
}

otlp_resource *otlp_make_resource(struct arena *a, const struct resource *r)
{
	struct otlp_attributes l = otlp_attributes(a, r ? r->count : 2);
	otlp_resource *m = otlp_resource_new(a);

	for (size_t i = 0; r && i < r->count; i++) {
		const struct attribute *at = &r->attributes[i];

		if (at->text)
			otlp_put_text(&l, at->key, at->text);
		else
			otlp_put_integer(&l, at->key, at->number);
	}
	if (!r) {
		otlp_put_text(&l, "service.name", "tokscope");
		otlp_put_text(&l, "service.version", TOKSCOPE_VERSION);
	}
	if (!m)
		return NULL;
	m->attributes = l.items;
	m->n_attributes = l.count;
	return m;
}

otlp_scope *otlp_make_scope(struct arena *a)
{
	otlp_scope *s = otlp_scope_new(a);

	if (!s)
		return NULL;
	s->name = "tokscope";
	s->version = TOKSCOPE_VERSION;
	return s;
}

int otlp_append(struct buf *out, const struct arena *a, const ProtobufCMessage *m)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	size_t len;

	if (a->err || !m)
		return -ENOMEM;
	len = protobuf_c_message_get_packed_size(m);
	bytes = malloc(len + 1);
	if (!bytes)
		return -ENOMEM;
	buf_append(out, bytes, protobuf_c_message_pack(m, bytes));
	return out->err;
}
