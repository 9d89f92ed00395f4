// SPDX-License-Identifier: Apache-2.0
#include "cli/config_kind.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/config_text.h"
#include "export/listen.h"
#include "metric/registry.h"

/* ------------------------------------------------------------------ words */

static int tristate_parse(const char *text)
{
	bool value;

	if (!strcmp(text, "auto"))
		return UNSET;
	return text_truth(text, &value) ? -EINVAL : value ? YES : NO;
}

static int exemplars_parse(const char *text)
{
	if (!strcmp(text, "trace_based"))
		return EXEMPLARS_TRACE_BASED;
	return strcmp(text, "always_off") ? -EINVAL : EXEMPLARS_OFF;
}

static int nvml_parse(const char *text)
{
	if (!strcmp(text, "auto"))
		return NVML_AUTO;
	return !strcmp(text, "on") ? NVML_ON : !strcmp(text, "off") ? NVML_OFF : -EINVAL;
}

static int parse_choice(const struct given *g, void *field)
{
	int value = g->kind->word(g->text ? g->text : "true");

	if (value < 0)
		return -EINVAL;
	*(int *)field = value;
	return 0;
}

/* "Not given", which the OTLP choices may be, has no word. */
static json_t *choice_value(const struct shown *s)
{
	const struct value_kind *k = s->kind;

	for (size_t i = 0; i < KIND_WORDS_MAX && k->words[i]; i++)
		if (k->word(k->words[i]) == *(const int *)s->field)
			return json_string(k->words[i]);
	return json_null();
}

/* ------------------------------------------------------------------ scalars */

static int parse_flag(const struct given *g, void *field)
{
	if (g->text)
		return text_truth(g->text, field);
	*(bool *)field = true;
	return 0;
}

static json_t *flag_value(const struct shown *s)
{
	return json_boolean(*(const bool *)s->field);
}

static int parse_count(const struct given *g, void *field)
{
	return text_unsigned(g->text, INT64_MAX, field);
}

static json_t *count_value(const struct shown *s)
{
	return json_integer(*(const uint64_t *)s->field);
}

static int parse_bytes(const struct given *g, void *field)
{
	return text_bytes(g->text, field);
}

static json_t *bytes_value(const struct shown *s)
{
	return text_of_bytes(*(const uint64_t *)s->field);
}

static int parse_decimal(const struct given *g, void *field)
{
	return text_decimal(g->text, field);
}

static int parse_ratio(const struct given *g, void *field)
{
	double value;

	if (text_decimal(g->text, &value) || value > 1)
		return -EINVAL;
	*(double *)field = value;
	return 0;
}

static json_t *decimal_value(const struct shown *s)
{
	double v = *(const double *)s->field;

	return v == floor(v) && v < INT64_MAX ? json_integer(v) : json_real(v);
}

static int parse_seconds(const struct given *g, void *field)
{
	return text_seconds(g->text, field);
}

static json_t *seconds_value(const struct shown *s)
{
	return text_of_seconds(*(const double *)s->field);
}

/* The OpenTelemetry specification has plain milliseconds in the environment. 0 would be "not given". */
static int parse_milliseconds(const struct given *g, void *field)
{
	uint64_t ms;
	double seconds;

	if (g->source == CONFIG_ENVIRONMENT) {
		if (text_unsigned(g->text, UINT32_MAX, &ms))
			return -EINVAL;
	} else {
		if (text_seconds(g->text, &seconds))
			return -EINVAL;
		ms = llround(seconds * 1e3);
	}
	if (!ms)
		return -EINVAL;
	*(uint64_t *)field = ms;
	return 0;
}

static json_t *milliseconds_value(const struct shown *s)
{
	uint64_t ms = *(const uint64_t *)s->field;

	return ms ? text_of_milliseconds(ms) : json_null();
}

/* ------------------------------------------------------------------ texts */

static int keep(const struct given *g, const char **field)
{
	const char *kept = config_keep(g->config, g->text);

	if (!kept)
		return -ENOMEM;
	*field = kept;
	return 0;
}

static int parse_text(const struct given *g, void *field)
{
	return text_plain(g->text) ?: keep(g, field);
}

static int parse_url(const struct given *g, void *field)
{
	return text_url(g->text) ?: keep(g, field);
}

static int parse_address(const struct given *g, void *field)
{
	return listen_check(g->text) ?: keep(g, field);
}

static int parse_pairs(const struct given *g, void *field)
{
	return text_pairs(g->text) ?: keep(g, field);
}

static json_t *text_value(const struct shown *s)
{
	const char *text = *(const char *const *)s->field;

	return text ? json_string(text) : json_null();
}

static json_t *url_value(const struct shown *s)
{
	const char *text = *(const char *const *)s->field;

	return text && s->hide ? text_of_url(text) : text_value(s);
}

static json_t *pairs_value(const struct shown *s)
{
	const char *text = *(const char *const *)s->field;

	return text ? text_of_pairs(text, s->hide) : json_null();
}

/* ------------------------------------------------------------------ lists */

static int append_number(struct number_list *list, const char *text, uint32_t max)
{
	uint64_t value;
	uint32_t *items;

	if (text_unsigned(text, max, &value) || !value)
		return -EINVAL;
	items = realloc(list->items, (list->count + 1) * sizeof(*items));
	if (!items)
		return -ENOMEM;
	list->items = items;
	list->items[list->count++] = value;
	return 0;
}

static int append_number32(const struct given *g, void *field)
{
	return append_number(field, g->text, UINT32_MAX);
}

static int append_port(const struct given *g, void *field)
{
	return append_number(field, g->text, UINT16_MAX);
}

static json_t *numbers_value(const struct shown *s)
{
	const struct number_list *list = s->field;
	json_t *array = json_array();

	for (size_t i = 0; array && i < list->count; i++)
		json_array_append_new(array, json_integer(list->items[i]));
	return array;
}

static int append_text(const struct given *g, void *field)
{
	struct string_list *list = field;
	const char **items;

	if (text_plain(g->text))
		return -EINVAL;
	items = realloc(list->items, (list->count + 1) * sizeof(*items));
	if (!items)
		return -ENOMEM;
	list->items = items;
	if (keep(g, &items[list->count]))
		return -ENOMEM;
	list->count++;
	return 0;
}

static int append_boundary(const struct given *g, void *field)
{
	struct extra_boundary boundary;
	char error[BOUNDARY_ERROR_MAX];

	return extra_boundary_parse(g->text, &boundary, error) ?: append_text(g, field);
}

static json_t *texts_value(const struct shown *s)
{
	const struct string_list *list = s->field;
	json_t *array = json_array();

	for (size_t i = 0; array && i < list->count; i++)
		json_array_append_new(array, json_string(list->items[i]));
	return array;
}

/* ------------------------------------------------------------------ the table */

#define SCALAR(type, from, to, what)                                               \
	{                                                                          \
		.size = sizeof(type), .parse = from, .value = to, .expected = what \
	}
#define TEXT(from, to, what)                                                                       \
	{                                                                                          \
		.size = sizeof(char *), .text = true, .parse = from, .value = to, .expected = what \
	}
#define LIST(type, from, to, what)                                                               \
	{                                                                                        \
		.size = sizeof(type), .list = true, .parse = from, .value = to, .expected = what \
	}
#define CHOICE(parser, what, ...)                                                  \
	{                                                                          \
		.size = sizeof(int), .parse = parse_choice, .value = choice_value, \
		.expected = what, .word = parser, .words = { __VA_ARGS__ },        \
	}

#define PLAIN "text without control characters"

const struct value_kind value_kinds[OPTION_KINDS] = {
	[OPTION_FLAG] = SCALAR(bool, parse_flag, flag_value, "true or false"),
	[OPTION_COUNT] = SCALAR(uint64_t, parse_count, count_value, "a whole number"),
	[OPTION_BYTES] = SCALAR(uint64_t, parse_bytes, bytes_value, "a size such as 512k or 4m"),
	[OPTION_DECIMAL] = SCALAR(double, parse_decimal, decimal_value, "a number of 0 or above"),
	[OPTION_RATIO] = SCALAR(double, parse_ratio, decimal_value, "a number from 0 to 1"),
	[OPTION_SECONDS] =
		SCALAR(double, parse_seconds, seconds_value, "a time such as 500ms, 5s or 2m"),
	[OPTION_MILLISECONDS] = SCALAR(uint64_t, parse_milliseconds, milliseconds_value,
				       "a time above 0 such as 500ms, 5s or 2m"),
	[OPTION_STRING] = TEXT(parse_text, text_value, PLAIN),
	[OPTION_URL] = TEXT(parse_url, url_value, "a URL"),
	[OPTION_ADDRESS] = TEXT(parse_address, text_value,
				"ADDRESS:PORT such as 127.0.0.1:9464 or [::1]:9464"),
	[OPTION_PAIRS] = TEXT(parse_pairs, pairs_value, "NAME=VALUE,NAME=VALUE"),
	[OPTION_STRINGS] = LIST(struct string_list, append_text, texts_value, PLAIN),
	[OPTION_BOUNDARIES] = LIST(struct string_list, append_boundary, texts_value,
				   "METRIC=BOUNDARY, of a histogram, above 0"),
	[OPTION_NUMBERS] =
		LIST(struct number_list, append_number32, numbers_value, "a whole number above 0"),
	[OPTION_PORTS] =
		LIST(struct number_list, append_port, numbers_value, "a TCP port, 1 to 65535"),
	[OPTION_TRISTATE] = CHOICE(tristate_parse, "auto, true or false", "auto", "true", "false"),
	[OPTION_LOG_LEVEL] = CHOICE(log_level_parse, "error, warn, info or debug", "error", "warn",
				    "info", "debug"),
	[OPTION_BACKEND] = CHOICE(socket_backend_parse, "auto, fentry, kprobe, sock or syscall",
				  "auto", "fentry", "kprobe", "sock", "syscall"),
	[OPTION_GPU_HOOK] = CHOICE(gpu_hook_parse, "auto, kprobe, tracepoint or off", "auto",
				   "kprobe", "tracepoint", "off"),
	[OPTION_NVML] = CHOICE(nvml_parse, "auto, on or off", "auto", "on", "off"),
	[OPTION_PROBE_SET] =
		CHOICE(probe_set_parse, "default, full or off", "default", "full", "off"),
	[OPTION_EXEMPLARS] =
		CHOICE(exemplars_parse, "trace_based or always_off", "trace_based", "always_off"),
	[OPTION_PROTOCOL] =
		CHOICE(otlp_protocol_parse, "http/protobuf or grpc", "http/protobuf", "grpc"),
	[OPTION_COMPRESSION] = CHOICE(otlp_compression_parse, "gzip or none", "gzip", "none"),
	[OPTION_TEMPORALITY] = CHOICE(otlp_temporality_parse, "cumulative, delta or lowmemory",
				      "cumulative", "delta", "lowmemory"),
	[OPTION_HISTOGRAM] =
		CHOICE(otlp_histogram_parse,
		       "explicit_bucket_histogram or base2_exponential_bucket_histogram",
		       "explicit_bucket_histogram", "base2_exponential_bucket_histogram"),
	[OPTION_EXPORTER] = CHOICE(otlp_exporter_parse, "otlp or none", "otlp", "none"),
};
