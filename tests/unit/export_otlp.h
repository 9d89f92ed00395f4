/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the OTLP encoders share: reading attributes of decoded messages, records to encode. */
#ifndef TESTS_EXPORT_OTLP_H
#define TESTS_EXPORT_OTLP_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "export/otlp_encode.h"
#include "export/otlp_message.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* NULL: there is no such attribute. Two of one key are an error of the message. */
static inline const otlp_any_value *find_attribute(otlp_key_value **items, size_t count,
						   const char *key)
{
	const otlp_any_value *found = NULL;

	for (size_t i = 0; i < count; i++)
		if (!strcmp(items[i]->key, key)) {
			assert_null(found);
			found = items[i]->value;
		}
	return found;
}

#define VALUE_IS(type) OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_##type##_VALUE

#define assert_text(m, key, want)                                                \
	do {                                                                     \
		const otlp_any_value *v_ =                                       \
			find_attribute((m)->attributes, (m)->n_attributes, key); \
		assert_non_null(v_);                                             \
		assert_int_equal(v_->value_case, VALUE_IS(STRING));              \
		assert_string_equal(v_->string_value, want);                     \
	} while (0)

#define assert_number(m, key, TYPE, member, want)                                \
	do {                                                                     \
		const otlp_any_value *v_ =                                       \
			find_attribute((m)->attributes, (m)->n_attributes, key); \
		assert_non_null(v_);                                             \
		assert_int_equal(v_->value_case, VALUE_IS(TYPE));                \
		assert_true(v_->member == (want));                               \
	} while (0)
#define assert_integer(m, key, want) assert_number(m, key, INT, int_value, want)
#define assert_double(m, key, want)  assert_number(m, key, DOUBLE, double_value, want)
#define assert_bool(m, key, want)    assert_number(m, key, BOOL, bool_value, want)

/* An array of one text. */
#define assert_texts(m, key, want)                                                   \
	do {                                                                         \
		const otlp_any_value *v_ =                                           \
			find_attribute((m)->attributes, (m)->n_attributes, key);     \
		assert_non_null(v_);                                                 \
		assert_int_equal(v_->value_case, VALUE_IS(ARRAY));                   \
		assert_int_equal(v_->array_value->n_values, 1);                      \
		assert_string_equal(v_->array_value->values[0]->string_value, want); \
	} while (0)

#define assert_absent(m, key) assert_null(find_attribute((m)->attributes, (m)->n_attributes, key))

#define assert_bytes(field, ...)                                         \
	do {                                                             \
		static const uint8_t want_[] = { __VA_ARGS__ };          \
		assert_int_equal((field).len, sizeof(want_));            \
		assert_memory_equal((field).data, want_, sizeof(want_)); \
	} while (0)

/* Decodes a buffer as otlp_<name>; to be freed with protobuf_c_message_free_unpacked(). */
#define DECODE(prefix, out) \
	opentelemetry__proto__##prefix##__unpack(NULL, (out).len, (const uint8_t *)(out).data)

/* Nothing is known of it but the method. */
static inline struct kept_record unknown_record(void)
{
	struct kept_record k = { 0 };

	request_record_init(&k.record);
	k.record.method = HTTP1_POST;
	return k;
}

#define REQUEST_NS 1795434766123456789ULL

/* A streamed chat that ended well, as child of a caller's span. */
static inline struct kept_record chat_record(struct resource *resource)
{
	struct kept_record k = unknown_record();
	struct request_record *r = &k.record;

	k.resource = resource;
	strcpy(k.address, "127.0.0.1");
	k.port = 8081;
	k.itl_count = 15;
	r->time_ns = REQUEST_NS;
	r->pid = 7;
	r->route = route_match(HTTP1_POST, "/v1/chat/completions", NULL, 0);
	r->status = 200;
	r->outcome = OUTCOME_OK;
	r->stream = 1;
	strcpy(r->request_model, "asked");
	strcpy(r->response_model, "m-7b");
	strcpy(r->finish_reason, "length");
	strcpy(r->request_id, "req-1");
	strcpy(r->trace_id, "0af7651916cd43dd8448eb211c80319c");
	strcpy(r->span_id, "00f067aa0ba902b7");
	strcpy(r->parent_span_id, "b7ad6b7169203331");
	r->trace_flags = 3;
	r->sampled = true;
	r->duration_s = 0.5;
	r->ttft_s = 0.125;
	r->itl_min_s = 0.25;
	r->itl_p50_s = 0.5;
	r->itl_p99_s = 0.75;
	r->itl_max_s = 1;
	r->events = 19;
	r->content_events = 16;
	r->input_tokens = 18;
	r->output_tokens = 16;
	r->cached_tokens = 0;
	r->token_source = TOKENS_USAGE;
	r->bytes_in = 300;
	r->bytes_out = 4000;
	r->retransmits = 2;
	return k;
}

#endif
