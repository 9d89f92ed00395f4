// SPDX-License-Identifier: Apache-2.0
/*
 * The transfer runs on a multi handle, whose poll another thread can wake up: an agent that ends need not wait for a
 * collector that says nothing.
 */
#include "export/otlp_send.h"

#include <curl/curl.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "export/base64.h"
#include "export/gzip.h"

#define GRPC_MESSAGE_MAX 1024
#define GRPC_DETAILS_MAX 8192 /* base64; gRPC limits all trailers together to 8 KiB by default */

struct otlp_sender {
	const struct otlp_endpoint *endpoint;
	CURLM *multi;
	CURL *easy;
	struct curl_slist *headers;
	uint64_t stop_ns; /* atomic; UINT64_MAX: not stopping */
	/* of the attempt under way */
	char error[CURL_ERROR_SIZE];
	bool too_long;
	struct buf body;
	int grpc_status;
	char grpc_message[GRPC_MESSAGE_MAX];
	uint8_t details[GRPC_DETAILS_MAX];
	size_t details_len;
};

/* ------------------------------------------------------------------ what comes back */

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
	struct otlp_sender *s = ctx;

	if (s->body.len + size * n > OTLP_RESPONSE_MAX) {
		s->too_long = true;
		return 0;
	}
	buf_append(&s->body, data, size * n);
	return s->body.err ? 0 : size * n;
}

/* The value of a header line if it has this name: its beginning and length without blanks around it. */
static const char *header_value(const char *line, size_t len, const char *name, size_t *value_len)
{
	size_t name_len = strlen(name);

	if (len <= name_len || strncasecmp(line, name, name_len) || line[name_len] != ':')
		return NULL;
	line += name_len + 1;
	len -= name_len + 1;
	while (len && strchr(" \t", *line))
		line++, len--;
	while (len && strchr(" \t\r\n", line[len - 1]))
		len--;
	*value_len = len;
	return line;
}

/* Headers and trailers alike: an answer without a message has its status in the headers. */
static size_t on_header(char *line, size_t size, size_t n, void *ctx)
{
	struct otlp_sender *s = ctx;
	const char *value;
	size_t len;

	if ((value = header_value(line, size * n, "grpc-status", &len)) && len && len < 4) {
		char digits[4] = "";

		memcpy(digits, value, len);
		s->grpc_status = (int)strtoul(digits, NULL, 10);
	} else if ((value = header_value(line, size * n, "grpc-message", &len))) {
		len = len < GRPC_MESSAGE_MAX ? len : GRPC_MESSAGE_MAX - 1;
		memcpy(s->grpc_message, value, len);
		s->grpc_message[len] = '\0';
	} else if ((value = header_value(line, size * n, "grpc-status-details-bin", &len))) {
		s->details_len = base64_decode(s->details, sizeof(s->details), value, len);
	}
	return size * n;
}

/* ------------------------------------------------------------------ set up */

static int add_line(struct otlp_sender *s, const char *name, const char *value)
{
	_cleanup_(buf_free) struct buf line = BUF_INIT;
	struct curl_slist *headers;

	buf_printf(&line, "%s:%s%s", name, *value ? " " : "", value);
	headers = line.err ? NULL : curl_slist_append(s->headers, line.data);
	if (!headers)
		return -ENOMEM;
	s->headers = headers;
	return 0;
}

static int set_headers(struct otlp_sender *s)
{
	static const char *const http[][2] = { { "Content-Type", "application/x-protobuf" },
					       { "Content-Encoding", "gzip" } };
	static const char *const grpc[][2] = { { "content-type", "application/grpc" },
					       { "grpc-encoding", "gzip" } };
	const struct otlp_endpoint *e = s->endpoint;
	const char *const(*own)[2] = e->grpc ? grpc : http;
	int err = add_line(s, own[0][0], own[0][1]);

	if (!err && e->gzip)
		err = add_line(s, own[1][0], own[1][1]);
	if (!err && e->grpc)
		err = add_line(s, "te", "trailers");
	if (!err)
		err = add_line(s, "Expect", ""); /* curl's wait for "100 Continue" costs a second */
	for (size_t i = 0; !err && i < e->headers.count; i++)
		err = add_line(s, e->headers.items[i].name, e->headers.items[i].value);
	return err;
}

static long http_version(const struct otlp_endpoint *e)
{
	if (!e->grpc)
		return CURL_HTTP_VERSION_1_1;
	return e->tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
}

/*
 * Before curl 8.0.0 (github.com/curl/curl/pull/10643) the second request on a connection of HTTP/2 without TLS always fails;
 * Debian 12 has 7.88.1.
 */
static bool can_reuse(const struct otlp_endpoint *e)
{
	return !e->grpc || e->tls || curl_version_info(CURLVERSION_NOW)->version_num >= 0x080000;
}

static void set_tls(CURL *c, const struct otlp_endpoint *e)
{
	if (e->certificate)
		curl_easy_setopt(c, CURLOPT_CAINFO, e->certificate);
	if (!e->client_key)
		return;
	curl_easy_setopt(c, CURLOPT_SSLKEY, e->client_key);
	curl_easy_setopt(c, CURLOPT_SSLCERT, e->client_certificate);
}

static int set_up(struct otlp_sender *s)
{
	const struct otlp_endpoint *e = s->endpoint;
	CURL *c = s->easy;

	if (!s->multi || !c || set_headers(s))
		return -ENOMEM;
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	/* A name server that does not answer must not hold up the end of a failed attempt. */
	curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, http_version(e));
	curl_easy_setopt(c, CURLOPT_FORBID_REUSE, (long)!can_reuse(e));
	/* gRPC through a proxy is a tunnel: HTTP/2 is the collector's to speak. */
	curl_easy_setopt(c, CURLOPT_HTTPPROXYTUNNEL, (long)e->grpc);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "tokscope/" TOKSCOPE_VERSION);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, s->headers);
	/* Ours are for the collector, not for a proxy on the way. */
	curl_easy_setopt(c, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, s);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, s);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, s->error);
	curl_easy_setopt(c, CURLOPT_POST, 1L);
	set_tls(c, e);
	return curl_easy_setopt(c, CURLOPT_URL, e->url) ? -ENOMEM : 0;
}

struct otlp_sender *otlp_sender_new(const struct otlp_endpoint *e)
{
	struct otlp_sender *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->endpoint = e;
	s->stop_ns = UINT64_MAX;
	s->multi = curl_multi_init();
	s->easy = curl_easy_init();
	if (!set_up(s))
		return s;
	otlp_sender_free(s);
	return NULL;
}

void otlp_sender_free(struct otlp_sender *s)
{
	if (!s)
		return;
	curl_easy_cleanup(s->easy);
	curl_multi_cleanup(s->multi);
	curl_slist_free_all(s->headers);
	buf_free(&s->body);
	free(s);
}

/* ------------------------------------------------------------------ one message */

int otlp_sender_wrap(const struct otlp_sender *s, struct buf *message)
{
	struct buf framed = BUF_INIT;
	uint8_t prefix[5];

	if (message->len > OTLP_REQUEST_MAX)
		return -EMSGSIZE;
	if (s->endpoint->gzip && gzip_buf(message))
		return -ENOMEM;
	if (!s->endpoint->grpc)
		return 0;
	prefix[0] = s->endpoint->gzip;
	for (int i = 1; i < 5; i++)
		prefix[i] = message->len >> (32 - 8 * i);
	buf_append(&framed, prefix, sizeof(prefix));
	buf_append(&framed, message->data, message->len);
	if (framed.err) {
		buf_free(&framed);
		return -ENOMEM;
	}
	buf_free(message);
	*message = framed;
	return 0;
}

/* Milliseconds until the end of the attempt; 0: it is over. */
static int left_ms(const struct otlp_sender *s, uint64_t end_ns)
{
	uint64_t stop_ns = __atomic_load_n(&s->stop_ns, __ATOMIC_RELAXED);
	uint64_t now = clock_monotonic_ns();

	if (stop_ns < end_ns)
		end_ns = stop_ns;
	if (now >= end_ns)
		return 0;
	return 1 + (end_ns - now < 600 * NSEC_PER_SEC ? (end_ns - now) / NSEC_PER_MSEC : 600000);
}

static CURLcode result_of(const struct otlp_sender *s)
{
	int queued;
	const CURLMsg *m = curl_multi_info_read(s->multi, &queued);

	return m && m->msg == CURLMSG_DONE ? m->data.result : CURLE_OPERATION_TIMEDOUT;
}

/* Taking the handle off the multi ends a transfer that is not finished, and its connection. */
static CURLcode transfer(struct otlp_sender *s, uint64_t end_ns)
{
	CURLMcode err = curl_multi_add_handle(s->multi, s->easy);
	int running = 1, left;
	CURLcode result;

	while (!err && !(err = curl_multi_perform(s->multi, &running)) && running) {
		left = left_ms(s, end_ns);
		if (!left)
			break;
		err = curl_multi_poll(s->multi, NULL, 0, left, NULL);
	}
	result = err ? CURLE_OUT_OF_MEMORY : result_of(s);
	curl_multi_remove_handle(s->multi, s->easy);
	return result;
}

static void fill_answer(struct otlp_sender *s, CURLcode result, struct otlp_answer *a)
{
	curl_off_t retry_after = 0;

	curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &a->http_status);
	curl_easy_getinfo(s->easy, CURLINFO_RETRY_AFTER, &retry_after); /* 0: none */
	a->grpc = s->endpoint->grpc;
	a->too_long = s->too_long;
	a->retry_after_s = retry_after > 0 ? (double)retry_after : NAN;
	a->grpc_status = s->grpc_status;
	a->grpc_message = s->grpc_message;
	a->details = s->details;
	a->details_len = s->details_len;
	a->body = (const uint8_t *)s->body.data;
	a->body_len = s->body.len;
	if (result)
		a->failure = *s->error ? s->error : curl_easy_strerror(result);
}

/* A collector may repeat what it was sent ("invalid key abc"): then its words are not for the log. */
static void hide_headers(const struct otlp_endpoint *e, struct otlp_verdict *v)
{
	size_t own = strcspn(v->text, ":"); /* what we say ourselves */

	if (otlp_headers_shown_in(&e->headers, v->text))
		snprintf(v->text + own, sizeof(v->text) - own, ": (it repeats a header of ours)");
}

void otlp_send(struct otlp_sender *s, const struct buf *body, uint64_t timeout_ms,
	       struct otlp_verdict *out)
{
	struct otlp_answer answer = { 0 };
	CURLcode result;

	s->error[0] = s->grpc_message[0] = '\0';
	s->too_long = false;
	s->grpc_status = OTLP_GRPC_NO_STATUS;
	s->details_len = 0;
	curl_easy_setopt(s->easy, CURLOPT_POSTFIELDS, body->data);
	curl_easy_setopt(s->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
	result = transfer(s, clock_monotonic_ns() + timeout_ms * NSEC_PER_MSEC);
	fill_answer(s, result, &answer);
	otlp_verdict(&answer, out);
	hide_headers(s->endpoint, out);
	buf_free(&s->body);
}

void otlp_sender_stop(struct otlp_sender *s, uint64_t deadline_ns)
{
	__atomic_store_n(&s->stop_ns, deadline_ns, __ATOMIC_RELAXED);
	curl_multi_wakeup(s->multi);
}
