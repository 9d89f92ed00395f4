// SPDX-License-Identifier: Apache-2.0
/* Reads one HTTP/1.1 answer: head, framing, SSE or NDJSON events, and what their JSON says. */
#include "loadgen.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void reset_vec(struct vec *v)
{
	v->count = 0;
}

void answer_reset(struct answer *a)
{
	struct vec frame = a->frame, line = a->line, data = a->data, gaps = a->gaps;

	*a = (struct answer){
		.frame = frame,
		.line = line,
		.data = data,
		.gaps = gaps,
		.input_tokens = -1,
		.output_tokens = -1,
		.cached_tokens = -1,
	};
	reset_vec(&a->frame);
	reset_vec(&a->line);
	reset_vec(&a->data);
	reset_vec(&a->gaps);
}

/* ---------------------------------------------------------------- JSON */
static bool has_text(const json_t *object, const char *key)
{
	return json_string_length(json_object_get(object, key)) > 0;
}

/* The delta of a choice, or a message: text, reasoning, or a tool call. */
static bool delta_has_content(const json_t *delta)
{
	return has_text(delta, "content") || has_text(delta, "reasoning_content") ||
	       has_text(delta, "reasoning") || has_text(delta, "thinking") ||
	       has_text(delta, "text") || has_text(delta, "partial_json") ||
	       json_array_size(json_object_get(delta, "tool_calls")) > 0;
}

/* Whether an event carries content of any choice; OpenAI's, llama.cpp's, Anthropic's and Ollama's shapes. */
static bool event_has_content(const json_t *event)
{
	const json_t *choices = json_object_get(event, "choices"), *choice;
	size_t i;

	json_array_foreach(choices, i, choice) {
		if (has_text(choice, "text") || delta_has_content(json_object_get(choice, "delta")))
			return true;
	}
	return has_text(event, "content") || has_text(event, "response") ||
	       has_text(event, "delta") || delta_has_content(json_object_get(event, "delta")) ||
	       delta_has_content(json_object_get(event, "message"));
}

static void read_int(const json_t *object, const char *key, int64_t *value)
{
	const json_t *number = json_object_get(object, key);

	if (json_is_integer(number))
		*value = json_integer_value(number);
}

/*
 * Counts under their OpenAI names, or under those of Anthropic and of the Responses API. Input includes what came from a
 * cache: Anthropic's input_tokens does not.
 */
static void read_usage(struct answer *a, const json_t *usage)
{
	int64_t cache_read = 0, cache_creation = 0;

	read_int(usage, "prompt_tokens", &a->input_tokens);
	read_int(usage, "completion_tokens", &a->output_tokens);
	read_int(usage, "input_tokens", &a->input_tokens);
	read_int(usage, "output_tokens", &a->output_tokens);
	read_int(json_object_get(usage, "prompt_tokens_details"), "cached_tokens",
		 &a->cached_tokens);
	read_int(json_object_get(usage, "input_tokens_details"), "cached_tokens",
		 &a->cached_tokens);
	read_int(usage, "cache_read_input_tokens", &cache_read);
	read_int(usage, "cache_creation_input_tokens", &cache_creation);
	if (json_object_get(usage, "cache_read_input_tokens")) {
		a->input_tokens += cache_read + cache_creation;
		a->cached_tokens = cache_read;
	}
}

static void read_timings(struct answer *a, const json_t *timings)
{
	if (!json_is_object(timings))
		return;
	a->has_timings = true;
	read_int(timings, "prompt_n", &a->prompt_n);
	read_int(timings, "cache_n", &a->cache_n);
	read_int(timings, "predicted_n", &a->predicted_n);
	a->prompt_ms = json_number_value(json_object_get(timings, "prompt_ms"));
	a->predicted_ms = json_number_value(json_object_get(timings, "predicted_ms"));
	if (a->input_tokens < 0)
		a->input_tokens = a->prompt_n + a->cache_n;
	if (a->output_tokens < 0)
		a->output_tokens = a->predicted_n;
	if (a->cached_tokens < 0)
		a->cached_tokens = a->cache_n;
}

static void read_document(struct answer *a, const json_t *document)
{
	const json_t *choice = json_array_get(json_object_get(document, "choices"), 0);
	const char *reason = json_string_value(json_object_get(choice, "finish_reason"));
	const json_t *error = json_object_get(document, "error");

	if (reason)
		snprintf(a->finish_reason, sizeof(a->finish_reason), "%s", reason);
	if (error && !json_is_null(error))
		a->failed = true;
	read_usage(a, json_object_get(document, "usage"));
	read_usage(a, json_object_get(json_object_get(document, "message"), "usage"));
	read_usage(a, json_object_get(json_object_get(document, "response"), "usage"));
	read_timings(a, json_object_get(document, "timings"));
}

static void content_event(struct answer *a, uint64_t time_ns)
{
	if (a->content_events++) {
		uint64_t gap = time_ns - a->content_ns;

		vec_append(&a->gaps, &gap, 1, sizeof(gap));
	} else {
		a->first_ns = time_ns;
	}
	a->content_ns = time_ns;
}

static void end_event(struct answer *a, uint64_t time_ns)
{
	json_t *event;

	bool done_marker = a->data.count == 6 && !memcmp(a->data.items, "[DONE]", 6);

	a->events++;
	event = done_marker ? NULL : json_loadb(a->data.items, a->data.count, JSON_ALLOW_NUL, NULL);
	reset_vec(&a->data);
	if (!event) {
		a->malformed = a->malformed || !done_marker;
		return;
	}
	if (event_has_content(event))
		content_event(a, time_ns);
	read_document(a, event);
	json_decref(event);
}

static void end_document(struct answer *a)
{
	json_t *document = json_loadb(a->data.items, a->data.count, JSON_ALLOW_NUL, NULL);

	if (document)
		read_document(a, document);
	else
		a->malformed = true;
	json_decref(document);
}

/* ---------------------------------------------------------------- lines */
typedef void line_fn(struct answer *a, const char *line, size_t len, uint64_t time_ns);

/* Calls fn for the first line of the data when it is complete, else keeps it in `pending`. Returns the bytes used. */
static size_t take_line(struct answer *a, struct vec *pending, const char *data, size_t len,
			uint64_t time_ns, line_fn *fn)
{
	const char *end = memchr(data, '\n', len);
	size_t used = end ? (size_t)(end - data) + 1 : len;
	const char *line = data;
	size_t line_len = used;

	if (!end || pending->count) {
		vec_append(pending, data, used, 1);
		line = pending->items;
		line_len = pending->count;
	}
	if (!end)
		return used;
	line_len--;
	if (line_len && line[line_len - 1] == '\r')
		line_len--;
	reset_vec(pending);
	fn(a, line, line_len, time_ns);
	return used;
}

static void sse_line(struct answer *a, const char *line, size_t len, uint64_t time_ns)
{
	if (len == 0) {
		if (a->data.count)
			end_event(a, time_ns);
		return;
	}
	if (len < 5 || memcmp(line, "data:", 5))
		return;
	line += 5;
	len -= 5;
	if (len && *line == ' ') {
		line++;
		len--;
	}
	if (a->data.count)
		vec_append(&a->data, "\n", 1, 1);
	vec_append(&a->data, line, len, 1);
}

static void ndjson_line(struct answer *a, const char *line, size_t len, uint64_t time_ns)
{
	if (len == 0)
		return;
	vec_append(&a->data, line, len, 1);
	end_event(a, time_ns);
}

static void body(struct answer *a, const char *data, size_t len, uint64_t time_ns)
{
	line_fn *fn = a->kind == KIND_SSE ? sse_line : ndjson_line;
	size_t used;

	if (a->kind == KIND_JSON)
		vec_append(&a->data, data, len, 1);
	if (a->kind != KIND_SSE && a->kind != KIND_NDJSON)
		return;
	for (; len; data += used, len -= used)
		used = take_line(a, &a->line, data, len, time_ns, fn);
}

/* ---------------------------------------------------------------- HTTP */
/* The end of the body; a line or an event that is still open was cut short. */
static void done(struct answer *a)
{
	if (a->kind == KIND_JSON)
		end_document(a);
	else if (a->line.count || a->data.count)
		a->malformed = true;
	a->state = a->malformed ? BODY_BROKEN : BODY_DONE;
}

static void header(struct answer *a, const char *name, const char *value)
{
	char *end;

	if (!strcasecmp(name, "content-length")) {
		a->left = strtoull(value, &end, 10);
		a->malformed = end == value || *end;
		if (a->state == BODY_TO_CLOSE)
			a->state = BODY_LENGTH;
	} else if (!strcasecmp(name, "transfer-encoding") && strcasestr(value, "chunked")) {
		a->state = BODY_CHUNK_SIZE;
	} else if (!strcasecmp(name, "connection")) {
		a->close = strcasestr(value, "close");
	} else if (!strcasecmp(name, "content-type")) {
		a->kind = strcasestr(value, "event-stream") ? KIND_SSE
			  : strcasestr(value, "ndjson")	    ? KIND_NDJSON
			  : strcasestr(value, "json")	    ? KIND_JSON
							    : KIND_OTHER;
	}
}

/* The head is in a->data as lines that end in NUL. */
static void end_head(struct answer *a, uint64_t time_ns)
{
	char *line = a->data.items, *end = line + a->data.count;

	a->status = a->data.count > 12 && !strncmp(line, "HTTP/1.", 7) ? atoi(line + 9) : 0;
	if (a->status < 100) {
		a->state = BODY_BROKEN;
		return;
	}
	if (a->status < 200) { /* 100 Continue: the real head follows */
		reset_vec(&a->data);
		return;
	}
	a->headers_ns = time_ns;
	a->state = BODY_TO_CLOSE; /* until a header says otherwise */
	for (line += strlen(line) + 1; line < end; line += strlen(line) + 1) {
		char *colon = strchr(line, ':');
		char *next = line + strlen(line);

		if (!colon)
			continue;
		*colon = '\0';
		header(a, line, colon + 1 + strspn(colon + 1, " \t"));
		line = next;
	}
	reset_vec(&a->data);
	if (a->state == BODY_LENGTH && a->left == 0)
		done(a);
}

static void head_line(struct answer *a, const char *line, size_t len, uint64_t time_ns)
{
	if (len == 0) {
		if (a->data.count)
			end_head(a, time_ns);
		return;
	}
	vec_append(&a->data, line, len, 1);
	vec_append(&a->data, "", 1, 1);
}

static void chunk_size_line(struct answer *a, const char *line, size_t len, uint64_t time_ns)
{
	char *end;

	(void)time_ns;
	if (len == 0 || !isxdigit((unsigned char)*line)) {
		a->state = BODY_BROKEN;
		return;
	}
	/* strtoull stops at the extension or the line's end: the byte after `len` is CR or LF. */
	a->left = strtoull(line, &end, 16);
	if (end < line + len && *end != ';' && *end != ' ')
		a->state = BODY_BROKEN;
	else
		a->state = a->left ? BODY_CHUNK_DATA : BODY_TRAILER;
}

static void chunk_end_line(struct answer *a, const char *line, size_t len, uint64_t time_ns)
{
	(void)line;
	(void)time_ns;
	a->state = len ? BODY_BROKEN : BODY_CHUNK_SIZE;
}

static void trailer_line(struct answer *a, const char *line, size_t len, uint64_t time_ns)
{
	(void)line;
	(void)time_ns;
	if (len == 0)
		done(a);
}

static size_t counted_body(struct answer *a, const char *data, size_t len, uint64_t time_ns)
{
	if (len > a->left)
		len = a->left;
	a->left -= len;
	body(a, data, len, time_ns);
	if (a->left == 0 && a->state == BODY_LENGTH)
		done(a);
	else if (a->left == 0)
		a->state = BODY_CHUNK_END;
	return len;
}

static size_t feed_some(struct answer *a, const char *data, size_t len, uint64_t time_ns)
{
	static line_fn *const by_state[] = {
		[BODY_HEAD] = head_line,
		[BODY_CHUNK_SIZE] = chunk_size_line,
		[BODY_CHUNK_END] = chunk_end_line,
		[BODY_TRAILER] = trailer_line,
	};

	switch (a->state) {
	case BODY_HEAD:
	case BODY_CHUNK_SIZE:
	case BODY_CHUNK_END:
	case BODY_TRAILER:
		return take_line(a, &a->frame, data, len, time_ns, by_state[a->state]);
	case BODY_LENGTH:
	case BODY_CHUNK_DATA:
		return counted_body(a, data, len, time_ns);
	case BODY_TO_CLOSE:
		body(a, data, len, time_ns);
		return len;
	case BODY_DONE: /* bytes after the end */
	case BODY_BROKEN:
		a->state = BODY_BROKEN;
		return len;
	}
	return len;
}

void answer_feed(struct answer *a, const char *data, size_t len, uint64_t time_ns)
{
	size_t used;

	a->bytes += len;
	a->last_ns = time_ns;
	for (; len; data += used, len -= used)
		used = feed_some(a, data, len, time_ns);
}

void answer_eof(struct answer *a)
{
	a->close = true;
	if (a->state == BODY_TO_CLOSE)
		done(a);
	else if (a->state != BODY_DONE)
		a->state = BODY_BROKEN;
}
