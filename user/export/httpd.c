// SPDX-License-Identifier: Apache-2.0
/*
 * Pages fill a struct reply; one function sends it. libmicrohttpd runs without its own log (no MHD_USE_ERROR_LOG): it
 * would print pieces of requests.
 */
#include "export/httpd.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "export/accept.h"
#include "export/gzip.h"
#include "export/listen.h"
#include "export/prometheus.h"

/* A scraper or two and a person; what comes on top waits in the backlog until a connection ends or times out. */
#define CONNECTIONS_MAX 32
/* Per connection: the request's headers must fit, or the answer is 431. Bodies are not read. */
#define CONNECTION_MEMORY 16384
/* Seconds without progress: above Prometheus's default scrape interval (60 s), so that a scraper keeps its connection. */
#define CONNECTION_TIMEOUT 75

#define PLAIN		   "text/plain; charset=utf-8"

struct httpd {
	struct MHD_Daemon *daemon;
	struct httpd_ops ops;
	void *ctx;
	uint16_t port;
};

struct reply {
	unsigned int status;
	const char *content_type;
	const char *allow; /* NULL: no such header */
	bool compress;	   /* the body may be gzip */
	struct buf body;
};

/* ------------------------------------------------------------------ pages */

static void plain(struct reply *r, unsigned int status, const char *text)
{
	r->status = status;
	r->content_type = PLAIN;
	buf_puts(&r->body, text);
	buf_append(&r->body, "\n", 1);
}

static const char *header(struct MHD_Connection *c, const char *name)
{
	return MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
}

static void page_metrics(const struct httpd *h, struct MHD_Connection *c, struct reply *r)
{
	enum exposition e = exposition_negotiate(header(c, MHD_HTTP_HEADER_ACCEPT));
	struct snapshot *s = h->ops.snapshot(h->ctx);

	if (!s) {
		plain(r, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
		return;
	}
	exposition_write(&r->body, e, s);
	snapshot_free(s);
	r->content_type = exposition_content_type(e);
	r->compress = true;
}

static void page_healthz(const struct httpd *h, struct MHD_Connection *c, struct reply *r)
{
	char reason[256] = "";

	(void)c;
	if (h->ops.health(h->ctx, reason, sizeof(reason)))
		plain(r, MHD_HTTP_SERVICE_UNAVAILABLE, reason);
	else
		plain(r, MHD_HTTP_OK, "ok");
}

static void page_servers(const struct httpd *h, struct MHD_Connection *c, struct reply *r)
{
	(void)c;
	if (!h->ops.servers) {
		plain(r, MHD_HTTP_NOT_FOUND, "not found");
		return;
	}
	if (h->ops.servers(h->ctx, &r->body)) {
		buf_reset(&r->body);
		plain(r, MHD_HTTP_SERVICE_UNAVAILABLE, "not ready");
		return;
	}
	r->content_type = "application/json";
	r->compress = true;
}

static void page_landing(const struct httpd *h, struct MHD_Connection *c, struct reply *r)
{
	(void)c;
	r->content_type = "text/html; charset=utf-8";
	buf_puts(&r->body,
		 "<!DOCTYPE html>\n<html lang=\"en\"><head><title>tokscope</title></head><body>\n"
		 "<h1>tokscope " TOKSCOPE_VERSION "</h1>\n<ul>\n"
		 "<li><a href=\"/metrics\">/metrics</a></li>\n");
	if (h->ops.servers)
		buf_puts(&r->body, "<li><a href=\"/servers\">/servers</a></li>\n");
	buf_puts(&r->body, "<li><a href=\"/healthz\">/healthz</a></li>\n</ul></body></html>\n");
}

static const struct page {
	const char *path;
	void (*fill)(const struct httpd *h, struct MHD_Connection *c, struct reply *r);
} pages[] = {
	{ "/", page_landing },
	{ "/metrics", page_metrics },
	{ "/healthz", page_healthz },
	{ "/servers", page_servers },
};

static bool is_read(const char *method)
{
	return !strcmp(method, MHD_HTTP_METHOD_GET) || !strcmp(method, MHD_HTTP_METHOD_HEAD);
}

static void fill(const struct httpd *h, struct MHD_Connection *c, const char *path,
		 const char *method, struct reply *r)
{
	const struct page *p = NULL;

	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (!strcmp(path, pages[i].path))
			p = &pages[i];
	if (!p) {
		plain(r, MHD_HTTP_NOT_FOUND, "not found");
	} else if (!is_read(method)) {
		r->allow = "GET, HEAD";
		plain(r, MHD_HTTP_METHOD_NOT_ALLOWED, "method not allowed");
	} else {
		p->fill(h, c, r);
	}
}

/* ------------------------------------------------------------------ answers */

/* Queues the answer; the body goes over to libmicrohttpd, which drops it for HEAD. */
static enum MHD_Result queue(struct MHD_Connection *c, struct reply *r, bool gzip)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(r->body.len, r->body.data, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result ok;

	if (!response) {
		buf_free(&r->body);
		return MHD_NO;
	}
	ok = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, r->content_type);
	if (ok && r->allow)
		ok = MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, r->allow);
	if (ok && r->compress)
		ok = MHD_add_response_header(response, MHD_HTTP_HEADER_VARY,
					     "Accept, Accept-Encoding");
	if (ok && gzip)
		ok = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
	if (ok)
		ok = MHD_queue_response(c, r->status, response);
	MHD_destroy_response(response);
	return ok;
}

static enum MHD_Result answer(const struct httpd *h, struct MHD_Connection *c, const char *path,
			      const char *method)
{
	struct reply r = { .status = MHD_HTTP_OK, .body = BUF_INIT };
	bool gzip;

	fill(h, c, path, method, &r);
	if (r.body.err) {
		buf_free(&r.body);
		plain(&r, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
		r.compress = false;
	}
	gzip = r.compress && accept_gzip(header(c, MHD_HTTP_HEADER_ACCEPT_ENCODING)) &&
	       !gzip_buf(&r.body);
	return queue(c, &r, gzip);
}

/*
 * libmicrohttpd calls first with the headers, then with each piece of a body, then once more for the answer. Bodies have
 * no meaning here: methods that bring one are answered (405) before it is read, and a GET that has one is cut off.
 */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *path,
				  const char *method, const char *version, const char *body,
				  size_t *body_len, void **state)
{
	static int headers_seen;

	(void)version;
	(void)body;
	if (!*state && is_read(method)) {
		*state = &headers_seen;
		return MHD_YES;
	}
	return *body_len ? MHD_NO : answer(cls, c, path, method);
}

/* ------------------------------------------------------------------ life */

/* Signals stay with the threads of the agent: the listener's thread inherits an all-blocked mask. */
static struct MHD_Daemon *start_daemon(struct httpd *h, int fd)
{
	struct MHD_Daemon *daemon;
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	daemon = MHD_start_daemon(MHD_USE_AUTO_INTERNAL_THREAD, 0, NULL, NULL, on_request, h,
				  MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
				  (unsigned int)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				  (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT,
				  (unsigned int)CONNECTION_TIMEOUT, MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return daemon;
}

/* Returns 0 or a negative errno, logged. */
static int start(struct httpd *h, const char *address)
{
	int fd = listen_open(address);

	if (fd < 0)
		return fd;
	h->port = listen_port(fd);
	h->daemon = start_daemon(h, fd); /* owns fd from here on, also when it fails */
	if (h->daemon)
		return 0;
	log_error(
		"cannot start the HTTP listener on %s: out of memory or threads; raise the agent's limits",
		address);
	return -ENOMEM;
}

struct httpd *httpd_new(const struct httpd_config *config, const struct httpd_ops *ops, void *ctx)
{
	struct httpd *h = calloc(1, sizeof(*h));
	int err = h ? 0 : -ENOMEM;

	if (!err) {
		*h = (struct httpd){ .ops = *ops, .ctx = ctx };
		err = start(h, config->listen);
	}
	if (!err)
		return h;
	free(h);
	errno = -err;
	return NULL;
}

void httpd_free(struct httpd *h)
{
	if (!h)
		return;
	MHD_stop_daemon(h->daemon);
	free(h);
}

uint16_t httpd_port(const struct httpd *h)
{
	return h->port;
}
