// SPDX-License-Identifier: Apache-2.0
/* Chat completions: a plain answer, or a stream of events in any framing. */
#include "stream_server.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_S 1000000000ULL

/* One stream under way. What is in `out` has not been written yet. */
struct stream {
	struct connection *c;
	const struct request *r;
	bool chunked;
	uint64_t id;
	char *out;
	size_t len, capacity;
	uint64_t pending_events, pending_content; /* counted once they are written */
	uint64_t tokens, first_ns, last_ns;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* Sleeps until start plus us, so that what a step costs does not add up. */
static void sleep_until(uint64_t start_ns, uint64_t us)
{
	uint64_t at = start_ns + us * 1000;
	struct timespec ts = { (time_t)(at / NS_PER_S), (long)(at % NS_PER_S) };

	while (us && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

/* ---------------------------------------------------------------- events */
static int append(struct stream *s, const char *data, size_t len)
{
	if (s->len + len > s->capacity) {
		size_t capacity = (s->len + len) * 2;
		char *out = realloc(s->out, capacity);

		if (!out)
			return -ENOMEM;
		s->out = out;
		s->capacity = capacity;
	}
	memcpy(s->out + s->len, data, len);
	s->len += len;
	return 0;
}

/* Appends one event, in a chunk of its own where the answer is chunked. */
static int append_event(struct stream *s, const char *json)
{
	char size[32];
	int err = 0;

	s->pending_events++;
	if (s->chunked) {
		int len = snprintf(size, sizeof(size), "%zx\r\n",
				   strlen(json) + strlen("data: \n\n"));

		err = append(s, size, (size_t)len);
	}
	err = err ?: append(s, "data: ", 6);
	err = err ?: append(s, json, strlen(json));
	err = err ?: append(s, "\n\n", 2);
	return err || !s->chunked ? err : append(s, "\r\n", 2);
}

/* An event of the usual frame around a list of choices and what follows it. */
static char *make_event(const struct stream *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static char *make_event(const struct stream *s, const char *format, ...)
{
	char *tail = NULL, *event = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&tail, format, args) < 0)
		tail = NULL;
	va_end(args);
	if (tail &&
	    asprintf(&event,
		     "{\"id\":\"chatcmpl-%" PRIu64 "\",\"object\":\"chat.completion.chunk\","
		     "\"model\":\"stream-server\",\"choices\":%s}",
		     s->id, tail) < 0)
		event = NULL;
	free(tail);
	return event;
}

/* Appends and frees. */
static int append_made(struct stream *s, char *event)
{
	int err = event ? append_event(s, event) : -ENOMEM;

	free(event);
	return err;
}

static void count(struct counters *n, uint64_t events, uint64_t content)
{
	atomic_fetch_add(&n->events, events);
	atomic_fetch_add(&n->content_events, content);
	atomic_fetch_add(&n->output_tokens, content);
}

/* Counts first and takes it back on failure: whoever has read an event finds it counted. */
static int flush(struct stream *s)
{
	struct counters *n = s->c->counters;
	uint64_t events = s->pending_events, content = s->pending_content;
	int err;

	count(n, events, content);
	err = writer_put(&s->c->writer, s->out, s->len);
	if (err)
		count(n, -events, -content);
	else
		s->tokens += content;
	if (content) {
		s->last_ns = now_ns();
		s->first_ns = s->first_ns ?: s->last_ns;
	}
	s->len = s->pending_events = s->pending_content = 0;
	return err;
}

/* ---------------------------------------------------------------- the parts of a stream */
static int begin(struct stream *s)
{
	char head[256];
	int err, len;

	len = snprintf(
		head, sizeof(head),
		"HTTP/1.1 200 OK\r\nServer: stream-server\r\nContent-Type: text/event-stream\r\n%s\r\n",
		s->chunked && s->r->keep_alive ? "Transfer-Encoding: chunked\r\n"
		: s->chunked ? "Transfer-Encoding: chunked\r\nConnection: close\r\n"
			     : "Connection: close\r\n");
	err = writer_put(&s->c->writer, head, (size_t)len);
	err = err
		      ?: append_made(
				 s,
				 make_event(
					 s,
					 "[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":null},"
					 "\"finish_reason\":null}]"));
	return err ?: flush(s);
}

/* How many content events this stream gets before it is cut by --error-after or --die-after. */
static uint64_t token_limit(const struct stream *s)
{
	const struct config *o = s->c->config;
	uint64_t limit = s->r->tokens;

	if (o->error_after && o->error_after < limit)
		limit = o->error_after;
	if (o->die_after && o->die_after < limit)
		limit = o->die_after;
	return limit;
}

static int write_tokens(struct stream *s)
{
	const struct config *o = s->c->config;
	uint64_t limit = token_limit(s), start = now_ns();
	char *event = make_event(
		s, "[{\"index\":0,\"delta\":{\"content\":\"%s\"},\"finish_reason\":null}]",
		o->text);
	int err = event ? 0 : -ENOMEM;

	sleep_until(start, o->delay_first_us);
	for (uint64_t i = 1; !err && i <= limit; i++) {
		err = append_event(s, event);
		s->pending_content++;
		if (i % o->batch && i < limit)
			continue;
		err = err ?: flush(s);
		if (i < limit)
			sleep_until(start, o->delay_first_us + i * o->interval_us);
	}
	free(event);
	return err;
}

/* Times have a fixed width (JSON allows the spaces): answers to equal requests are equally long, whatever they took. */
static int append_usage(struct stream *s)
{
	uint64_t prompt_us = (s->first_ns - s->r->complete_ns) / 1000,
		 predicted_us = (s->last_ns - s->first_ns) / 1000;

	return append_made(
		s, make_event(s,
			      "[],\"usage\":{\"prompt_tokens\":%" PRIu64
			      ",\"completion_tokens\":%" PRIu64 ",\"total_tokens\":%" PRIu64
			      "},\"timings\":{\"prompt_n\":%" PRIu64
			      ",\"cache_n\":0,\"prompt_ms\":%9.3f,\"predicted_n\":%" PRIu64
			      ",\"predicted_ms\":%9.3f}",
			      s->r->prompt_tokens, s->tokens, s->r->prompt_tokens + s->tokens,
			      s->r->prompt_tokens, (double)prompt_us / 1e3, s->tokens,
			      (double)predicted_us / 1e3));
}

/* The last events and the end of the framing. */
static int finish(struct stream *s, bool failed)
{
	int err;

	if (failed) {
		err = append_event(
			s,
			"{\"error\":{\"code\":500,\"message\":\"as asked\",\"type\":\"server_error\"}}");
	} else {
		err = append_made(
			s,
			make_event(s, "[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}]"));
		if (s->c->config->usage || s->r->include_usage)
			err = err ?: append_usage(s);
		err = err ?: append_event(s, "[DONE]");
	}
	if (s->chunked)
		err = err ?: append(s, "0\r\n\r\n", 5);
	return err ?: flush(s);
}

static bool reached(const struct stream *s, uint64_t limit)
{
	return limit && s->tokens >= limit;
}

/* Returns what chat() returns. The request is counted before its last bytes go out: who has read them may scrape. */
static int run(struct stream *s)
{
	const struct config *o = s->c->config;
	struct counters *n = s->c->counters;
	bool failed;
	int err;

	err = begin(s);
	err = err ?: write_tokens(s);
	if (!err && reached(s, o->die_after)) {
		atomic_fetch_add(&n->requests_error, 1);
		return -ECONNABORTED;
	}
	failed = reached(s, o->error_after);
	if (!err)
		atomic_fetch_add(failed ? &n->requests_error : &n->requests_ok, 1);
	else
		atomic_fetch_add(&n->requests_aborted, 1);
	err = err ?: finish(s, failed);
	return err || s->chunked ? err : -ESHUTDOWN; /* close-delimited: the close is the end */
}

/* ---------------------------------------------------------------- entry */
static int plain(struct connection *c, const struct request *r)
{
	const char *text = c->config->text;
	size_t text_len = strlen(text);
	char *content = malloc(text_len * r->tokens + 1), *body = NULL;
	int err = -ENOMEM;

	if (!content)
		return err;
	content[0] = '\0';
	for (uint64_t i = 0; i < r->tokens; i++)
		memcpy(content + i * text_len, text, text_len + 1);
	sleep_until(now_ns(), c->config->delay_first_us + r->tokens * c->config->interval_us);
	atomic_fetch_add(&c->counters->requests_ok, 1);
	atomic_fetch_add(&c->counters->output_tokens, r->tokens);
	if (asprintf(
		    &body,
		    "{\"id\":\"chatcmpl-%" PRIuFAST64
		    "\",\"object\":\"chat.completion\",\"model\":\"stream-server\","
		    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},"
		    "\"finish_reason\":\"length\"}],\"usage\":{\"prompt_tokens\":%" PRIu64
		    ",\"completion_tokens\":%" PRIu64 ",\"total_tokens\":%" PRIu64 "}}",
		    atomic_fetch_add(&c->counters->next_id, 1), content, r->prompt_tokens,
		    r->tokens, r->prompt_tokens + r->tokens) >= 0) {
		err = answer(c, r, 200, "application/json", body);
		free(body);
	}
	free(content);
	return err;
}

int chat(struct connection *c, const struct request *r)
{
	struct stream s = {
		.c = c,
		.r = r,
		.chunked = !c->config->close_delimited && r->minor >= 1,
	};
	int err;

	atomic_fetch_add(&c->counters->input_tokens, r->prompt_tokens);
	if (!r->stream)
		return plain(c, r);
	s.id = atomic_fetch_add(&c->counters->next_id, 1);
	err = run(&s);
	free(s.out);
	return err;
}
