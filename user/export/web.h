/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The web configuration in force: read at start, and again when its file or one of its certificates has changed. Of one thread; the
 * clock is the caller's.
 */
#ifndef EXPORT_WEB_H
#define EXPORT_WEB_H

#include <stdbool.h>
#include <stdint.h>

#include "export/web_auth.h"
#include "export/web_config.h"
#include "export/web_tls.h"

/* Immutable. A connection holds a reference as long as its TLS session lives. */
struct web_settings {
	unsigned int refs;
	struct web_config config;
	struct web_tls *tls; /* NULL: plain HTTP */
};

struct web;

/* NULL with errno set, after logging what is wrong in the file. */
struct web *web_open(const char *path);
void web_free(struct web *w);
/* Looks for changes, at most once a second. A file that became bad, or wants TLS on or off, changes nothing and is logged once. */
void web_refresh(struct web *w, uint64_t monotonic_ns);
const struct web_settings *web_settings(const struct web *w);
/* A reference to what is in force now. */
struct web_settings *web_settings_get(struct web *w);
void web_settings_put(struct web_settings *s);
struct web_auth *web_auth(struct web *w);

#endif
