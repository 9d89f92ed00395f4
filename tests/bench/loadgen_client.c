// SPDX-License-Identifier: Apache-2.0
/* One client: its connection, its request, and the end of its answer. */
#include "loadgen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

const char *outcome_name(enum outcome o)
{
	static const char *const names[] = { "ok", "error", "aborted" };

	return names[o];
}

void request_id(const struct run *r, const struct client *c, char *buf, size_t len)
{
	snprintf(buf, len, "loadgen-%llx-%llu", (unsigned long long)r->start_ns,
		 (unsigned long long)c->number);
}

/* ---------------------------------------------------------------- the request */
/* Names of the prompt and of the token limit in a request body; the last row is the default. */
static const struct body_names {
	const char *path, *prompt, *limit;
} body_names[] = {
	{ "/v1/completions", "prompt", "max_tokens" },
	{ "/completion", "prompt", "n_predict" },
	{ "/api/generate", "prompt", "num_predict" },
	{ "/v1/responses", "input", "max_output_tokens" },
	{ NULL, NULL, "max_tokens" },
};

/* Words that differ from request to request, so that no prefix cache answers for the model. */
static json_t *make_prompt(uint64_t number, size_t len)
{
	static const char *const words[] = { "queue ",	"token ",  "latency ", "prompt ",
					     "server ", "stream ", "batch " };
	struct vec text = { 0 };
	uint64_t state = number + 1;
	char start[32];
	json_t *prompt;

	snprintf(start, sizeof(start), "%llu ", (unsigned long long)number);
	vec_append(&text, start, strlen(start), 1);
	while (text.count < len) {
		state = state * 6364136223846793005ULL +
			1442695040888963407ULL; /* Knuth's MMIX generator */
		vec_append(&text, words[(state >> 33) % 7], strlen(words[(state >> 33) % 7]), 1);
	}
	prompt = json_stringn(text.items, len > strlen(start) ? len : text.count);
	free(text.items);
	return prompt;
}

static char *make_body(const struct options *o, uint64_t number)
{
	const struct body_names *names = body_names;
	json_t *body = json_object(), *prompt = make_prompt(number, o->prompt_bytes);
	char *text;

	while (names->path && strcmp(names->path, o->path))
		names++;
	if (o->model)
		json_object_set_new(body, "model", json_string(o->model));
	json_object_set_new(body, "stream", json_boolean(!o->no_stream));
	json_object_set_new(body, names->limit, json_integer((json_int_t)o->max_tokens));
	if (o->include_usage && !o->no_stream)
		json_object_set_new(body, "stream_options", json_pack("{sb}", "include_usage", 1));
	if (names->prompt)
		json_object_set_new(body, names->prompt, prompt);
	else
		json_object_set_new(body, "messages",
				    json_pack("[{ssso}]", "role", "user", "content", prompt));
	text = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	return text;
}

static void make_request(const struct run *r, struct client *c)
{
	const struct options *o = &r->options;
	char *body = make_body(o, c->number);
	char id[64], head[1024];
	int len;

	request_id(r, c, id, sizeof(id));
	len = snprintf(head, sizeof(head),
		       "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
		       "X-Request-Id: %s\r\nContent-Length: %zu\r\n%s\r\n",
		       o->path, id, strlen(body), o->close ? "Connection: close\r\n" : "");
	c->out.count = 0;
	vec_append(&c->out, head, (size_t)len, 1);
	vec_append(&c->out, body, strlen(body), 1);
	free(body);
}

/* ---------------------------------------------------------------- the connection */
static socklen_t server_address(const struct options *o, struct sockaddr_storage *storage)
{
	struct sockaddr_un *un = (struct sockaddr_un *)storage;
	struct sockaddr_in *in = (struct sockaddr_in *)storage;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)storage;

	memset(storage, 0, sizeof(*storage));
	if (o->unix_path) {
		un->sun_family = AF_UNIX;
		snprintf(un->sun_path, sizeof(un->sun_path), "%s", o->unix_path);
		return sizeof(*un);
	}
	if (inet_pton(AF_INET, o->host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)o->port);
		return sizeof(*in);
	}
	if (inet_pton(AF_INET6, o->host, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)o->port);
		return sizeof(*in6);
	}
	return 0;
}

static void disconnect(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static void watch(const struct run *r, struct client *c, int op, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = c };

	epoll_ctl(r->epoll_fd, op, c->fd, &event);
}

/* Returns a negative errno on failure. The connection may still be under way. */
static int connect_client(struct run *r, struct client *c)
{
	struct sockaddr_storage address;
	socklen_t len = server_address(&r->options, &address);
	int one = 1;

	if (!len)
		return -EINVAL;
	c->fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return -errno;
	if (address.ss_family != AF_UNIX)
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	watch(r, c, EPOLL_CTL_ADD, EPOLLOUT);
	if (connect(c->fd, (struct sockaddr *)&address, len) && errno != EINPROGRESS)
		return -errno;
	return 0;
}

static void begin(struct run *r, struct client *c)
{
	int err = 0;

	answer_reset(&c->answer);
	c->sent = 0;
	c->sent_ns = 0;
	c->started_ns = now_ns();
	c->reused = c->fd >= 0;
	c->state = c->reused ? CLIENT_SENDING : CLIENT_CONNECTING;
	if (!c->reused)
		err = connect_client(r, c);
	if (err)
		client_finish(r, c, OUTCOME_ERROR, strerror(-err));
	else if (c->reused)
		client_writable(r, c);
}

void client_start(struct run *r, struct client *c)
{
	c->number = r->started++;
	c->resent = false;
	r->open++;
	make_request(r, c);
	begin(r, c);
}

void client_writable(struct run *r, struct client *c)
{
	const char *data = c->out.items;
	ssize_t n = 0;

	c->state = CLIENT_SENDING;
	while (c->sent < c->out.count) {
		n = send(c->fd, data + c->sent, c->out.count - c->sent, MSG_NOSIGNAL);
		if (n < 0)
			break;
		c->sent += (size_t)n;
	}
	if (n < 0 && errno != EAGAIN) {
		client_finish(r, c, OUTCOME_ERROR, strerror(errno));
		return;
	}
	if (c->sent == c->out.count) {
		c->sent_ns = now_ns();
		c->state = CLIENT_RECEIVING;
	}
	watch(r, c, EPOLL_CTL_MOD, c->state == CLIENT_RECEIVING ? EPOLLIN : EPOLLIN | EPOLLOUT);
}

/* ---------------------------------------------------------------- the answer */
static bool wants_abort(const struct run *r, const struct client *c)
{
	const struct options *o = &r->options;

	return o->abort_after && c->number % o->abort_every == 0 &&
	       (uint64_t)c->answer.content_events >= o->abort_after;
}

void client_received(struct run *r, struct client *c, const char *data, long len, uint64_t time_ns)
{
	struct answer *a = &c->answer;

	if (len <= 0 && (c->state == CLIENT_IDLE || (c->reused && !a->bytes))) {
		/* The server ended a connection between requests; one that was just sent goes out again. */
		disconnect(c);
		c->resent = c->state != CLIENT_IDLE;
		if (c->resent)
			begin(r, c);
		return;
	}
	if (len > 0)
		answer_feed(a, data, (size_t)len, time_ns);
	else
		answer_eof(a);
	if (len < 0)
		client_finish(r, c, OUTCOME_ERROR, strerror((int)-len));
	else if (a->state == BODY_BROKEN)
		client_finish(r, c, OUTCOME_ERROR,
			      len || a->malformed ? "malformed answer" : "the server closed early");
	else if (a->state == BODY_DONE && (a->failed || a->status >= 400))
		client_finish(r, c, OUTCOME_ERROR, "the server reports an error");
	else if (a->state == BODY_DONE && !r->options.no_stream && a->kind != KIND_SSE &&
		 a->kind != KIND_NDJSON)
		client_finish(r, c, OUTCOME_ERROR, "the answer is no stream of events");
	else if (a->state == BODY_DONE)
		client_finish(r, c, OUTCOME_OK, NULL);
	else if (wants_abort(r, c))
		client_finish(r, c, OUTCOME_ABORTED, NULL);
}

void client_finish(struct run *r, struct client *c, enum outcome outcome, const char *error)
{
	uint64_t end_ns = outcome == OUTCOME_OK ? c->answer.last_ns : now_ns();

	if (c->answer.state != BODY_DONE || c->answer.close || r->options.close)
		disconnect(c);
	c->state = CLIENT_IDLE;
	r->open--;
	report_request(r, c, outcome, error, end_ns);
}

void client_free(struct client *c)
{
	disconnect(c);
	free(c->answer.frame.items);
	free(c->answer.line.items);
	free(c->answer.data.items);
	free(c->answer.gaps.items);
	free(c->out.items);
}
