/* SPDX-License-Identifier: Apache-2.0 */
/* TLS of the listener: what GnuTLS needs of a web configuration, applied to each connection before its handshake. */
#ifndef EXPORT_WEB_TLS_H
#define EXPORT_WEB_TLS_H

#include <gnutls/gnutls.h>

#include "export/web_config.h"

struct web_tls;

/*
 * Loads the certificates; config must outlive it. NULL with *error set (to be freed; NULL: out of memory): which file, and why.
 */
struct web_tls *web_tls_new(const struct web_tls_config *config, char **error);
void web_tls_free(struct web_tls *t);
/* t must outlive the session. 0, or a negative errno: the session is left without a certificate, so that its handshake fails. */
int web_tls_apply(struct web_tls *t, gnutls_session_t session);

#endif
