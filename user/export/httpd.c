// SPDX-License-Identifier: Apache-2.0
/*
 * Pages fill a struct reply; one function sends it. libmicrohttpd runs without its own log (no MHD_USE_ERROR_LOG): it
 * would print pieces of requests.
 */
#include "export/httpd.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "export/accept.h"
#include "export/gzip.h"
#include "export/listen.h"
#include "export/prometheus.h"
#include "export/web.h"

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
	struct web *
		web; /* NULL: plain HTTP for everybody; else of the listener's thread once that runs */
};

struct reply {
	unsigned int status;
	const char *content_type;
	const char *allow; /* NULL: no such header */
	bool compress;	   /* the body may be gzip */
	bool authenticate; /* a user's name and password are asked for */
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
	bool for_everybody; /* kubelet's probes bring no password */
} pages[] = {
	{ "/", page_landing, false },
	{ "/metrics", page_metrics, false },
	{ "/healthz", page_healthz, true },
	{ "/servers", page_servers, false },
};

static bool is_read(const char *method)
{
	return !strcmp(method, MHD_HTTP_METHOD_GET) || !strcmp(method, MHD_HTTP_METHOD_HEAD);
}

static const struct page *find_page(const char *path)
{
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (!strcmp(path, pages[i].path))
			return &pages[i];
	return NULL;
}

/* Whether the request brings the password of one of the users, where there are any. */
static bool is_user(const struct httpd *h, struct MHD_Connection *c)
{
	const struct web_pairs *users = h->web ? &web_settings(h->web)->config.users : NULL;
	char *name, *password = NULL;
	bool ok;

	if (!users || !users->count)
		return true;
	name = MHD_basic_auth_get_username_password(c, &password);
	ok = name && password && web_auth_check(web_auth(h->web), users, name, password);
	if (password)
		explicit_bzero(password, strlen(password));
	MHD_free(password);
	MHD_free(name);
	return ok;
}

static void fill(const struct httpd *h, struct MHD_Connection *c, const char *path,
		 const char *method, struct reply *r)
{
	const struct page *p = find_page(path);

	if (!(p && p->for_everybody) && !is_user(h, c)) {
		r->authenticate = true;
		plain(r, MHD_HTTP_UNAUTHORIZED, "unauthorized");
	} else if (!p) {
		plain(r, MHD_HTTP_NOT_FOUND, "not found");
	} else if (!is_read(method)) {
		r->allow = "GET, HEAD";
		plain(r, MHD_HTTP_METHOD_NOT_ALLOWED, "method not allowed");
	} else {
		p->fill(h, c, r);
	}
}

/* ------------------------------------------------------------------ answers */

static enum MHD_Result add_headers(struct MHD_Response *response, const struct httpd *h,
				   const struct reply *r, bool gzip)
{
	const struct web_pairs none = { 0 };
	const struct web_pairs *more = h->web ? &web_settings(h->web)->config.headers : &none;
	const struct web_pair own[] = {
		{ MHD_HTTP_HEADER_CONTENT_TYPE, (char *)r->content_type },
		{ MHD_HTTP_HEADER_ALLOW, (char *)r->allow },
		{ MHD_HTTP_HEADER_WWW_AUTHENTICATE, r->authenticate ? "Basic" : NULL },
		{ MHD_HTTP_HEADER_VARY, r->compress ? "Accept, Accept-Encoding" : NULL },
		{ MHD_HTTP_HEADER_CONTENT_ENCODING, gzip ? "gzip" : NULL },
	};
	enum MHD_Result ok = MHD_YES;

	for (size_t i = 0; ok && i < sizeof(own) / sizeof(own[0]); i++)
		if (own[i].value)
			ok = MHD_add_response_header(response, own[i].name, own[i].value);
	for (size_t i = 0; ok && i < more->count; i++)
		ok = MHD_add_response_header(response, more->items[i].name, more->items[i].value);
	return ok;
}

/* Queues the answer; the body goes over to libmicrohttpd, which drops it for HEAD. */
static enum MHD_Result queue(const struct httpd *h, struct MHD_Connection *c, struct reply *r,
			     bool gzip)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(r->body.len, r->body.data, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result ok;

	if (!response) {
		buf_free(&r->body);
		return MHD_NO;
	}
	ok = add_headers(response, h, r, gzip);
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

	if (h->web)
		web_refresh(h->web, clock_monotonic_ns());
	fill(h, c, path, method, &r);
	if (r.body.err) {
		buf_free(&r.body);
		plain(&r, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
		r.compress = false;
	}
	gzip = r.compress && accept_gzip(header(c, MHD_HTTP_HEADER_ACCEPT_ENCODING)) &&
	       !gzip_buf(&r.body);
	return queue(h, c, &r, gzip);
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

/*
 * Each connection has the settings in force when it began, applied before its handshake: so certificates are replaced without
 * a restart, which libmicrohttpd's own options for them do not allow.
 */
static void on_connection(void *cls, struct MHD_Connection *c, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *info;
	struct httpd *h = cls;
	struct web_settings *s;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		web_settings_put(*context);
		return;
	}
	web_refresh(h->web, clock_monotonic_ns());
	s = web_settings_get(h->web);
	*context = s;
	info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	if (s->tls && info)
		web_tls_apply(s->tls, info->tls_session);
}

/* libmicrohttpd wants to know where certificates come from before it starts; a connection that got none has none. */
static int no_certificate(gnutls_session_t session, const gnutls_datum_t *ca, int ca_count,
			  const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
			  gnutls_pcert_st **chain, unsigned int *chain_len, gnutls_privkey_t *key)
{
	(void)session;
	(void)ca;
	(void)ca_count;
	(void)algorithms;
	(void)algorithm_count;
	(void)chain;
	(void)chain_len;
	(void)key;
	return -1;
}

static bool has_tls(const struct httpd *h)
{
	return h->web && web_settings(h->web)->tls;
}

/* Signals stay with the threads of the agent: the listener's thread inherits an all-blocked mask. */
static struct MHD_Daemon *start_daemon(struct httpd *h, int fd)
{
	const struct MHD_OptionItem web[] = {
		{ MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, h },
		/* Without TLS the list ends here. */
		{ has_tls(h) ? MHD_OPTION_HTTPS_CERT_CALLBACK : MHD_OPTION_END, 0,
		  (void *)(intptr_t)no_certificate },
		{ MHD_OPTION_END, 0, NULL },
	};
	unsigned int flags = MHD_USE_AUTO_INTERNAL_THREAD | (has_tls(h) ? MHD_USE_TLS : 0);
	struct MHD_Daemon *daemon;
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, h, MHD_OPTION_LISTEN_SOCKET, fd,
				  MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS_MAX,
				  MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
				  MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)CONNECTION_TIMEOUT,
				  MHD_OPTION_ARRAY, h->web ? web : &web[2], MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return daemon;
}

/* Returns 0 or a negative errno, logged. */
static int start(struct httpd *h, const struct httpd_config *config)
{
	int fd;

	if (config->web_config) {
		h->web = web_open(config->web_config);
		if (!h->web)
			return -errno;
	}
	fd = listen_open(config->listen);
	if (fd < 0)
		return fd;
	h->port = listen_port(fd);
	h->daemon = start_daemon(h, fd); /* owns fd from here on, also when it fails */
	if (h->daemon)
		return 0;
	log_error(
		"cannot start the HTTP listener on %s: out of memory or threads; raise the agent's limits",
		config->listen);
	return -ENOMEM;
}

struct httpd *httpd_new(const struct httpd_config *config, const struct httpd_ops *ops, void *ctx)
{
	struct httpd *h = calloc(1, sizeof(*h));
	int err = h ? 0 : -ENOMEM;

	if (!err) {
		*h = (struct httpd){ .ops = *ops, .ctx = ctx };
		err = start(h, config);
	}
	if (!err)
		return h;
	if (h)
		web_free(h->web);
	free(h);
	errno = -err;
	return NULL;
}

void httpd_free(struct httpd *h)
{
	if (!h)
		return;
	MHD_stop_daemon(h->daemon);
	web_free(h->web);
	free(h);
}

uint16_t httpd_port(const struct httpd *h)
{
	return h->port;
}

const char *httpd_scheme(const struct httpd *h)
{
	return has_tls(h) ? "https" : "http";
}
