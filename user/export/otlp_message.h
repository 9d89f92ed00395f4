/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the OTLP encoders: messages are built as trees in an arena, packed and forgotten. What finds no memory is left out,
 * and the arena's error says so before anything is packed; so builders need not look at each piece.
 */
#ifndef EXPORT_OTLP_MESSAGE_H
#define EXPORT_OTLP_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "metric/resource.h"

#include "opentelemetry/proto/collector/logs/v1/logs_service.pb-c.h"
#include "opentelemetry/proto/collector/metrics/v1/metrics_service.pb-c.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.pb-c.h"

void *otlp_message_new(struct arena *a, const ProtobufCMessageDescriptor *type);

/* otlp_span_new(arena): an empty otlp_span. NULL: no memory. */
#define OTLP_TYPE(name, type, prefix)                                                      \
	typedef Opentelemetry__Proto__##type otlp_##name;                                  \
	static inline otlp_##name *otlp_##name##_new(struct arena *a)                      \
	{                                                                                  \
		return otlp_message_new(a, &opentelemetry__proto__##prefix##__descriptor); \
	}
#include "export/otlp_types.def"
#undef OTLP_TYPE

/* A list that grows up to the size it was made with. */
struct otlp_attributes {
	struct arena *arena;
	otlp_key_value **items;
	size_t count, room;
};

struct otlp_attributes otlp_attributes(struct arena *a, size_t room);
/* Keys are static or outlive the message, and so do texts. Unknown values are left out: NULL, "", NAN, below 0. */
void otlp_put_text(struct otlp_attributes *l, const char *key, const char *text);
void otlp_put_texts(struct otlp_attributes *l, const char *key, const char *only); /* an array */
void otlp_put_integer(struct otlp_attributes *l, const char *key, int64_t value);  /* any value */
void otlp_put_count(struct otlp_attributes *l, const char *key, int64_t value);
void otlp_put_double(struct otlp_attributes *l, const char *key, double value);
void otlp_put_bool(struct otlp_attributes *l, const char *key, bool value);

/* protobuf's strings must be UTF-8, or the receiver refuses the whole message: other bytes become '?'. */
char *otlp_text(struct arena *a, const char *text);
otlp_any_value *otlp_text_value(struct arena *a, const char *text);
/* The bytes of an id in hexadecimal; empty where it is not `len` bytes, or all zero. */
ProtobufCBinaryData otlp_id(struct arena *a, const char *hex, size_t len);
#define OTLP_TRACE_ID_LEN 16
#define OTLP_SPAN_ID_LEN  8

otlp_resource *otlp_make_resource(struct arena *a,
				  const struct resource *r); /* NULL: the agent's */
otlp_scope *otlp_make_scope(struct arena *a);

/*
 * Appends the packed message. Requests may be appended one after another: protobuf reads them as one, with the lists of all.
 * Returns 0, or -ENOMEM (the arena's, or out's) with out as it was.
 */
int otlp_append(struct buf *out, const struct arena *a, const ProtobufCMessage *m);

#endif
