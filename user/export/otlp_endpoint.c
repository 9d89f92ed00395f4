// SPDX-License-Identifier: Apache-2.0
#include "export/otlp_endpoint.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"

#define TIMEOUT_MS 10000	/* OTEL_EXPORTER_OTLP_TIMEOUT's default */
#define GRPC_PORT  "4317"	/* OTLP/gRPC's, for a host without one */
#define NO_SIGNAL  OTLP_SIGNALS /* in names of settings: the one for all signals */

static const char *const grpc_paths[OTLP_SIGNALS] = {
	[OTLP_METRICS] = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
	[OTLP_TRACES] = "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
	[OTLP_LOGS] = "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
};

/* ------------------------------------------------------------------ which setting holds */

struct choice {
	const struct otlp_settings *all;
	const struct otlp_signal_settings *own;
	enum otlp_signal signal;
};

/* A text of the signal's own settings, else of the general ones; NULL: not given. Empty is not given (specification). */
struct chosen {
	const char *text;
	char setting[96]; /* its name, for messages */
};

static const char *given(const char *text)
{
	return text && *text ? text : NULL;
}

/* "OTEL_EXPORTER_OTLP_TRACES_HEADERS (otlp.traces.headers)" of "headers". */
static void name_setting(char out[96], const char *word, enum otlp_signal signal)
{
	const char *of = signal == NO_SIGNAL ? "" : otlp_signal_name(signal);
	const char *dot = *of ? "." : "", *line = *of ? "_" : "";
	size_t len;

	len = snprintf(out, 96, "OTEL_EXPORTER_OTLP_%s%s%s", of, line, word);
	for (size_t i = 0; i < len; i++)
		out[i] = toupper((unsigned char)out[i]);
	snprintf(out + len, 96 - len, " (otlp.%s%s%s)", of, dot, word);
}

static struct chosen choose(const struct choice *c, const char *own, const char *base,
			    const char *word)
{
	struct chosen chosen = { .text = given(own) ? own : given(base) };

	name_setting(chosen.setting, word, given(own) ? c->signal : NO_SIGNAL);
	return chosen;
}

/* Enumerations: 0 is "not given" in each. */
static int choose_value(int own, int base, int otherwise)
{
	return own ? own : base ? base : otherwise;
}

/* ------------------------------------------------------------------ URL */

/* Without user, password and query, all of which may hold secrets. NULL: out of memory. */
static char *shown_url(CURLU *u)
{
	char *text = NULL, *copy;

	curl_url_set(u, CURLUPART_USER, NULL, 0);
	curl_url_set(u, CURLUPART_PASSWORD, NULL, 0);
	curl_url_set(u, CURLUPART_QUERY, NULL, 0);
	if (curl_url_get(u, CURLUPART_URL, &text, 0))
		return NULL;
	copy = strdup(text);
	curl_free(text);
	return copy;
}

/* A general endpoint's path is the parent of each signal's: "/otlp" -> "/otlp/v1/traces". */
static int append_path(CURLU *u, enum otlp_signal signal)
{
	_cleanup_(buf_free) struct buf path = BUF_INIT;
	char *old = NULL;

	if (curl_url_get(u, CURLUPART_PATH, &old, 0))
		return -ENOMEM;
	buf_puts(&path, old);
	curl_free(old);
	if (!path.len || path.data[path.len - 1] != '/')
		buf_puts(&path, "/");
	buf_printf(&path, "v1/%s", otlp_signal_name(signal));
	if (path.err || curl_url_set(u, CURLUPART_PATH, path.data, 0))
		return -ENOMEM;
	return 0;
}

static int set_path(CURLU *u, const struct otlp_endpoint *e, const struct choice *c)
{
	if (e->grpc)
		return curl_url_set(u, CURLUPART_PATH, grpc_paths[c->signal], 0) ? -ENOMEM : 0;
	return given(c->own->endpoint) ? 0 : append_path(u, c->signal);
}

static int keep_url(CURLU *u, struct otlp_endpoint *e)
{
	char *text = NULL;

	if (curl_url_get(u, CURLUPART_URL, &text, 0))
		return -ENOMEM;
	e->url = strdup(text);
	e->tls = !strncmp(text, "https:", 6);
	curl_free(text);
	e->shown = shown_url(u);
	return e->url && e->shown ? 0 : -ENOMEM;
}

/* gRPC's own form is host:port; whether it is TLS then is another setting's say. */
static int parse_url(CURLU *u, const struct otlp_endpoint *e, const struct choice *c,
		     const char *text)
{
	_cleanup_(buf_free) struct buf full = BUF_INIT;
	bool bare = !strstr(text, "://");
	char *port = NULL;

	if (bare && !e->grpc)
		return -EINVAL;
	if (bare)
		buf_puts(&full, choose_value(c->own->insecure, c->all->base.insecure, NO) == YES
					? "http://"
					: "https://");
	buf_puts(&full, text);
	if (full.err)
		return -ENOMEM;
	if (strncasecmp(full.data, "http://", 7) && strncasecmp(full.data, "https://", 8))
		return -EINVAL;
	if (curl_url_set(u, CURLUPART_URL, full.data, 0))
		return -EINVAL;
	if (bare && curl_url_get(u, CURLUPART_PORT, &port, 0) == CURLUE_NO_PORT)
		return curl_url_set(u, CURLUPART_PORT, GRPC_PORT, 0) ? -ENOMEM : 0;
	curl_free(port);
	return 0;
}

static void cleanup_url(CURLU **u)
{
	curl_url_cleanup(*u);
}

/* The text is not shown: it may hold a password. */
static int resolve_url(struct otlp_endpoint *e, const struct choice *c, const char *text)
{
	_cleanup_(cleanup_url) CURLU *u = curl_url();
	int err = u ? parse_url(u, e, c, text) : -ENOMEM;

	if (!err)
		err = set_path(u, e, c);
	if (!err)
		err = keep_url(u, e);
	if (err == -EINVAL)
		log_error("%s is no address to send %s to; write %s", e->setting,
			  otlp_signal_name(c->signal),
			  e->grpc ? "host:4317 or http://host:4317" : "http://host:4318");
	return err;
}

/* ------------------------------------------------------------------ files and headers */

static int keep_file(char **out, const struct chosen *chosen)
{
	int err;

	if (!chosen->text)
		return 0;
	if (access(chosen->text, R_OK)) {
		err = -errno;
		log_error("%s: cannot read %s: %m; give a PEM file that tokscope may read",
			  chosen->setting, chosen->text);
		return err;
	}
	*out = strdup(chosen->text);
	return *out ? 0 : -ENOMEM;
}

#define CHOOSE(c, field) choose(c, (c)->own->field, (c)->all->base.field, #field)

static int resolve_files(struct otlp_endpoint *e, const struct choice *c)
{
	struct chosen ca = CHOOSE(c, certificate), key = CHOOSE(c, client_key),
		      certificate = CHOOSE(c, client_certificate);
	int err;

	if (!key.text != !certificate.text) {
		log_error("%s is set and %s is not; a client certificate needs both",
			  key.text ? key.setting : certificate.setting,
			  key.text ? certificate.setting : key.setting);
		return -EINVAL;
	}
	err = keep_file(&e->certificate, &ca);
	if (!err)
		err = keep_file(&e->client_key, &key);
	return err ? err : keep_file(&e->client_certificate, &certificate);
}

static int resolve_headers(struct otlp_endpoint *e, const struct choice *c)
{
	struct chosen list = CHOOSE(c, headers);
	int err = 0;

	if (list.text)
		err = otlp_headers_add_list(&e->headers, list.text, list.setting);
	if (err || !given(c->all->headers_file))
		return err;
	return otlp_headers_add_file(&e->headers, c->all->headers_file,
				     "--otlp.headers-file (otlp.headers_file)");
}

/* ------------------------------------------------------------------ all of it */

static int resolve(struct otlp_endpoint *e, const struct choice *c, const char *endpoint)
{
	const struct otlp_signal_settings *own = c->own, *base = &c->all->base;
	int err;

	e->grpc = choose_value(own->protocol, base->protocol, OTLP_HTTP_PROTOBUF) == OTLP_GRPC;
	e->gzip = choose_value(own->compression, base->compression, OTLP_COMPRESSION_NONE) ==
		  OTLP_COMPRESSION_GZIP;
	e->timeout_ms = own->timeout_ms	   ? own->timeout_ms
			: base->timeout_ms ? base->timeout_ms
					   : TIMEOUT_MS;
	err = resolve_url(e, c, endpoint);
	if (!err)
		err = resolve_files(e, c);
	if (!err)
		err = resolve_headers(e, c);
	if (err == -ENOMEM)
		log_error("out of memory while reading the settings of OTLP");
	return err;
}

int otlp_endpoint_resolve(const struct otlp_settings *s, enum otlp_signal signal,
			  struct otlp_endpoint *out)
{
	struct choice c = { .all = s, .own = &s->signal[signal], .signal = signal };
	struct chosen endpoint = CHOOSE(&c, endpoint);
	int err;

	*out = (struct otlp_endpoint){ 0 };
	if (s->disabled || s->exporter[signal] == OTLP_EXPORTER_NONE)
		return 0;
	if (!endpoint.text) {
		if (s->exporter[signal] == OTLP_EXPORTER_OTLP)
			log_warn("%s are not pushed: there is no endpoint; set %s",
				 otlp_signal_name(signal), endpoint.setting);
		return 0;
	}
	snprintf(out->setting, sizeof(out->setting), "%s", endpoint.setting);
	err = resolve(out, &c, endpoint.text);
	if (!err)
		return 1;
	otlp_endpoint_free(out);
	return err;
}

void otlp_endpoint_free(struct otlp_endpoint *e)
{
	free(e->url);
	free(e->shown);
	free(e->certificate);
	free(e->client_key);
	free(e->client_certificate);
	otlp_headers_free(&e->headers);
	*e = (struct otlp_endpoint){ 0 };
}
