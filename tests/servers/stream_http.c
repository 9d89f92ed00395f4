// SPDX-License-Identifier: Apache-2.0
/* Reads requests, routes them, and answers what is not a completion. */
#include "stream_server.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#define INPUT_MAX (4 << 20)

/* What was read and not yet used. */
struct input {
	int fd;
	char *data;
	size_t len;
};

/* Reads more. Returns bytes, 0 at the peer's end, or a negative errno. */
static ssize_t read_more(struct input *in)
{
	ssize_t n = recv(in->fd, in->data + in->len, INPUT_MAX - in->len, 0);

	if (n > 0)
		in->len += (size_t)n;
	return n < 0 ? -errno : n;
}

static void consume(struct input *in, size_t len)
{
	in->len -= len;
	memmove(in->data, in->data + len, in->len);
}

/* Length of the head with its empty line, 0 when the connection ended or the head is too large. */
static size_t read_head(struct input *in)
{
	for (;;) {
		char *end = memmem(in->data, in->len, "\r\n\r\n", 4);

		if (end)
			return (size_t)(end - in->data) + 4;
		if (in->len > 65536 || read_more(in) <= 0)
			return 0;
	}
}

static void read_header(struct request *r, char *line)
{
	char *value = strchr(line, ':');

	if (!value)
		return;
	*value++ = '\0';
	value += strspn(value, " \t");
	if (!strcasecmp(line, "content-length")) {
		r->has_length = true;
		r->length = strtoull(value, NULL, 10);
	} else if (!strcasecmp(line, "connection")) {
		r->keep_alive = strcasestr(value, "close")
					? false
					: r->keep_alive || strcasestr(value, "keep-alive");
	} else if (!strcasecmp(line, "expect")) {
		r->expect_continue = !strcasecmp(value, "100-continue");
	}
}

/* Takes a head apart, in place. Returns false when it is malformed. */
static bool parse_head(char *head, struct request *r)
{
	char *save = NULL, *line = strtok_r(head, "\r\n", &save);

	*r = (struct request){ 0 };
	if (!line || sscanf(line, "%15s %255s HTTP/1.%d", r->method, r->target, &r->minor) != 3)
		return false;
	r->keep_alive = r->minor >= 1;
	while ((line = strtok_r(NULL, "\r\n", &save)))
		read_header(r, line);
	return true;
}

/* ---------------------------------------------------------------- plain answers */
static const char *reason(int status)
{
	return status == 200   ? "OK"
	       : status == 404 ? "Not Found"
	       : status == 413 ? "Content Too Large"
			       : "Bad Request";
}

int answer(struct connection *c, const struct request *r, int status, const char *type,
	   const char *body)
{
	bool head_only = !strcmp(r->method, "HEAD");
	char *text;
	int len, err;

	len = asprintf(
		&text,
		"HTTP/1.1 %d %s\r\nServer: stream-server\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
		"Connection: %s\r\n\r\n%s",
		status, reason(status), type, strlen(body), r->keep_alive ? "keep-alive" : "close",
		head_only ? "" : body);
	if (len < 0)
		return -ENOMEM;
	err = writer_put(&c->writer, text, (size_t)len);
	free(text);
	return err;
}

static int answer_error(struct connection *c, const struct request *r, int status,
			const char *message)
{
	char body[256];

	snprintf(body, sizeof(body),
		 "{\"error\":{\"code\":%d,\"message\":\"%s\",\"type\":\"invalid_request_error\"}}",
		 status, message);
	return answer(c, r, status, "application/json", body);
}

static int answer_health(struct connection *c, const struct request *r)
{
	return answer(c, r, 200, "application/json", "{\"status\":\"ok\"}");
}

static int answer_models(struct connection *c, const struct request *r)
{
	return answer(
		c, r, 200, "application/json",
		"{\"object\":\"list\",\"data\":[{\"id\":\"stream-server\",\"object\":\"model\"}]}");
}

static int answer_metrics(struct connection *c, const struct request *r)
{
	const struct counters *n = c->counters;
	char body[1024];

	snprintf(body, sizeof(body),
		 "stream_server_requests_total{outcome=\"ok\"} %" PRIuFAST64 "\n"
		 "stream_server_requests_total{outcome=\"error\"} %" PRIuFAST64 "\n"
		 "stream_server_requests_total{outcome=\"aborted\"} %" PRIuFAST64 "\n"
		 "stream_server_events_total %" PRIuFAST64 "\n"
		 "stream_server_content_events_total %" PRIuFAST64 "\n"
		 "stream_server_input_tokens_total %" PRIuFAST64 "\n"
		 "stream_server_output_tokens_total %" PRIuFAST64 "\n",
		 n->requests_ok, n->requests_error, n->requests_aborted, n->events,
		 n->content_events, n->input_tokens, n->output_tokens);
	return answer(c, r, 200, "text/plain; version=0.0.4", body);
}

/* ---------------------------------------------------------------- completions */
static uint64_t count_words(const char *text)
{
	uint64_t words = 0;

	while (text && *text) {
		text += strspn(text, " \t\r\n");
		words += *text != '\0';
		text += strcspn(text, " \t\r\n");
	}
	return words;
}

/* Reads what the request asks for. Returns false when the body is not a chat request. */
static bool parse_chat(const char *body, size_t len, struct request *r)
{
	json_t *root = json_loadb(body, len, 0, NULL);
	json_t *messages = json_object_get(root, "messages"), *message, *limit;
	size_t i;

	if (!json_is_array(messages)) {
		json_decref(root);
		return false;
	}
	json_array_foreach(messages, i, message)
		r->prompt_tokens +=
			count_words(json_string_value(json_object_get(message, "content")));
	limit = json_object_get(root, "max_tokens");
	if (json_is_integer(limit) && json_integer_value(limit) > 0)
		r->tokens = (uint64_t)json_integer_value(limit);
	r->stream = json_is_true(json_object_get(root, "stream"));
	r->include_usage = json_is_true(
		json_object_get(json_object_get(root, "stream_options"), "include_usage"));
	json_decref(root);
	return true;
}

static const struct route {
	const char *target;
	int (*answer)(struct connection *c, const struct request *r);
} routes[] = {
	{ "/health", answer_health },
	{ "/healthz", answer_health },
	{ "/metrics", answer_metrics },
	{ "/v1/models", answer_models },
};

static int dispatch(struct connection *c, struct request *r, const char *body)
{
	if (!strcmp(r->target, "/v1/chat/completions") && !strcmp(r->method, "POST")) {
		r->tokens = c->config->tokens;
		if (parse_chat(body, r->length, r))
			return chat(c, r);
		atomic_fetch_add(&c->counters->requests_error, 1);
		return answer_error(c, r, 400, "expected a JSON object with an array 'messages'");
	}
	for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++)
		if (!strcmp(r->target, routes[i].target))
			return routes[i].answer(c, r);
	return answer_error(c, r, 404, "no such route");
}

/* Reads the body after the head. Returns false when it does not come whole. */
static bool read_body(struct connection *c, struct input *in, const struct request *r)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (r->expect_continue && writer_put(&c->writer, go_on, sizeof(go_on) - 1))
		return false;
	while (in->len < r->length)
		if (read_more(in) <= 0)
			return false;
	return true;
}

/* One request and its answer. Returns false when the connection is over. */
static bool serve_one(struct connection *c, struct input *in)
{
	struct request r;
	struct timespec now;
	size_t head = read_head(in);
	char *text;
	bool ok;
	int err;

	if (!head)
		return false;
	text = strndup(in->data, head);
	ok = text && parse_head(text, &r);
	free(text);
	if (!ok || (!r.has_length && !strcmp(r.method, "POST"))) {
		r.keep_alive = false;
		answer_error(c, &r, 400, "malformed, or a body without Content-Length");
		return false;
	}
	consume(in, head);
	if (r.length > INPUT_MAX) {
		r.keep_alive = false;
		answer_error(c, &r, 413, "the body is too large");
		return false;
	}
	if (!read_body(c, in, &r))
		return false;
	clock_gettime(CLOCK_MONOTONIC, &now);
	r.complete_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	err = dispatch(c, &r, in->data);
	consume(in, r.length);
	return !err && r.keep_alive;
}

void serve(struct connection *c)
{
	struct input in = { .fd = c->writer.fd, .data = malloc(INPUT_MAX) };

	while (in.data && serve_one(c, &in))
		;
	free(in.data);
}
