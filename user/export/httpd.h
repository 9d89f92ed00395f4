/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's HTTP listener: /metrics, /healthz, /servers, / (libmicrohttpd, its own thread). */
#ifndef EXPORT_HTTPD_H
#define EXPORT_HTTPD_H

#include <stdint.h>

#include "base/buf.h"
#include "metric/registry.h"

struct httpd_config {
	const char
		*listen; /* "127.0.0.1:9464", "[::1]:9464", ":9464" (all addresses); port 0: any */
	const char *web_config; /* file of the exporter toolkit: TLS, users, headers; NULL: none */
};

struct httpd_ops {
	/* A fresh snapshot for one scrape, on the listener's thread. */
	struct snapshot *(*snapshot)(void *ctx);
	/* 0 healthy; else a negative errno and a reason of at most len - 1 bytes. */
	int (*health)(void *ctx, char *reason, unsigned long len);
	/* Appends the JSON of /servers; 0 or a negative errno (answered 503). NULL: there is no such page. */
	int (*servers)(void *ctx, struct buf *out);
};

struct httpd;

/*
 * NULL with errno set, after logging the reason (address in use: which option changes it). ops is copied. Where the web
 * configuration names users, every page but /healthz asks for one of them.
 */
struct httpd *httpd_new(const struct httpd_config *config, const struct httpd_ops *ops, void *ctx);
/* Waits for the answers under way. */
void httpd_free(struct httpd *h);
uint16_t httpd_port(const struct httpd *h);
const char *httpd_scheme(const struct httpd *h); /* "http" or "https" */

#endif
