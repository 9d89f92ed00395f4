// SPDX-License-Identifier: Apache-2.0
#include "export/web_tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define NAME_MAX_LEN 1024 /* of one subject alternative name; a longer one matches nothing */

struct web_tls {
	const struct web_tls_config *config;
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priority;
};

/* ------------------------------------------------------------------ the client's certificate */

/* One subject alternative name as text; false: it is of a kind that client_allowed_sans does not speak of. */
static bool san_text(int type, char *name, size_t len)
{
	char address[INET6_ADDRSTRLEN];

	if (type == GNUTLS_SAN_DNSNAME || type == GNUTLS_SAN_RFC822NAME || type == GNUTLS_SAN_URI)
		return strlen(name) == len;
	if (type != GNUTLS_SAN_IPADDRESS || (len != 4 && len != 16) ||
	    !inet_ntop(len == 4 ? AF_INET : AF_INET6, name, address, sizeof(address)))
		return false;
	strcpy(name, address);
	return true;
}

static bool is_allowed(const struct web_tls_config *c, const char *name)
{
	for (size_t i = 0; i < c->client_san_count; i++)
		if (!strcmp(name, c->client_sans[i]))
			return true;
	return false;
}

static bool has_allowed_san(const struct web_tls_config *c, gnutls_x509_crt_t crt)
{
	for (unsigned int i = 0;; i++) {
		char name[NAME_MAX_LEN + 1] = "";
		size_t len = NAME_MAX_LEN;
		int type = gnutls_x509_crt_get_subject_alt_name(crt, i, name, &len, NULL);

		if (type == GNUTLS_E_SHORT_MEMORY_BUFFER)
			continue;
		if (type < 0)
			return false;
		if (san_text(type, name, len) && is_allowed(c, name))
			return true;
	}
}

static int check_san(const struct web_tls_config *c, const gnutls_datum_t *der)
{
	gnutls_x509_crt_t crt;
	bool allowed;

	if (!c->client_san_count)
		return 0;
	if (gnutls_x509_crt_init(&crt))
		return GNUTLS_E_CERTIFICATE_ERROR;
	allowed = !gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) && has_allowed_san(c, crt);
	gnutls_x509_crt_deinit(crt);
	return allowed ? 0 : GNUTLS_E_CERTIFICATE_ERROR;
}

static int check_chain(gnutls_session_t session)
{
	gnutls_typed_vdata_st client = { .type = GNUTLS_DT_KEY_PURPOSE_OID,
					 .data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT };
	unsigned int status;

	return gnutls_certificate_verify_peers(session, &client, 1, &status) || status
		       ? GNUTLS_E_CERTIFICATE_ERROR
		       : 0;
}

/* Within the handshake. A client that must show a certificate and has none does not come this far. */
static int verify_client(gnutls_session_t session)
{
	const struct web_tls *t = gnutls_session_get_ptr(session);
	const struct web_tls_config *c = t->config;
	bool verifies =
		c->client_auth == WEB_CLIENT_VERIFY || c->client_auth == WEB_CLIENT_VERIFY_IF_GIVEN;
	unsigned int count = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);

	if (!chain || !count)
		return c->client_auth == WEB_CLIENT_VERIFY || c->client_auth == WEB_CLIENT_REQUIRE
			       ? GNUTLS_E_CERTIFICATE_ERROR
			       : 0;
	if (verifies && check_chain(session))
		return GNUTLS_E_CERTIFICATE_ERROR;
	return check_san(c, &chain[0]);
}

/* ------------------------------------------------------------------ settings */

__attribute__((format(printf, 2, 3))) static int fail(char **error, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (vasprintf(error, fmt, args) < 0)
		*error = NULL;
	va_end(args);
	return -EINVAL;
}

static int load_files(struct web_tls *t, char **error)
{
	const struct web_tls_config *c = t->config;
	int rc = gnutls_certificate_set_x509_key_file2(t->credentials, c->cert_file, c->key_file,
						       GNUTLS_X509_FMT_PEM, NULL, 0);

	if (rc < 0)
		return fail(error, "cannot use cert_file %s with key_file %s: %s", c->cert_file,
			    c->key_file, gnutls_strerror(rc));
	if (!c->client_ca_file)
		return 0;
	rc = gnutls_certificate_set_x509_trust_file(t->credentials, c->client_ca_file,
						    GNUTLS_X509_FMT_PEM);
	return rc > 0 ? 0
		      : fail(error, "cannot use client_ca_file %s: %s", c->client_ca_file,
			     rc ? gnutls_strerror(rc) : "no certificate in it");
}

static int set_priority(struct web_tls *t, char **error)
{
	static const char *const names[] = {
		[WEB_TLS10] = "TLS1.0",
		[WEB_TLS11] = "TLS1.1",
		[WEB_TLS12] = "TLS1.2",
		[WEB_TLS13] = "TLS1.3",
	};
	const struct web_tls_config *c = t->config;
	struct buf text = BUF_INIT;
	int rc = -ENOMEM;

	buf_puts(&text, "NORMAL:-VERS-ALL");
	for (int v = c->max_version; v >= (int)c->min_version; v--)
		buf_printf(&text, ":+VERS-%s", names[v]);
	if (c->server_preference)
		buf_puts(&text, ":%SERVER_PRECEDENCE");
	if (c->curve_count)
		buf_puts(&text, ":-GROUP-ALL");
	for (size_t i = 0; i < c->curve_count; i++)
		buf_printf(&text, ":+GROUP-%s", web_curve_group(c->curves[i]));
	if (!text.err)
		rc = gnutls_priority_init(&t->priority, text.data, NULL);
	buf_free(&text);
	return rc < 0 && rc != -ENOMEM
		       ? fail(error,
			      "GnuTLS here does not have these versions or curves of TLS: %s",
			      gnutls_strerror(rc))
		       : rc;
}

struct web_tls *web_tls_new(const struct web_tls_config *config, char **error)
{
	struct web_tls *t = calloc(1, sizeof(*t));

	*error = NULL;
	if (!t || gnutls_certificate_allocate_credentials(&t->credentials)) {
		free(t);
		return NULL;
	}
	t->config = config;
	gnutls_certificate_set_verify_function(t->credentials, verify_client);
	if (!load_files(t, error) && !set_priority(t, error))
		return t;
	web_tls_free(t);
	return NULL;
}

void web_tls_free(struct web_tls *t)
{
	if (!t)
		return;
	gnutls_certificate_free_credentials(t->credentials);
	if (t->priority)
		gnutls_priority_deinit(t->priority);
	free(t);
}

int web_tls_apply(struct web_tls *t, gnutls_session_t session)
{
	static const gnutls_certificate_request_t requests[] = {
		[WEB_CLIENT_NONE] = GNUTLS_CERT_IGNORE,
		[WEB_CLIENT_REQUEST] = GNUTLS_CERT_REQUEST,
		[WEB_CLIENT_REQUIRE] = GNUTLS_CERT_REQUIRE,
		[WEB_CLIENT_VERIFY_IF_GIVEN] = GNUTLS_CERT_REQUEST,
		[WEB_CLIENT_VERIFY] = GNUTLS_CERT_REQUIRE,
	};

	gnutls_credentials_clear(session);
	gnutls_session_set_ptr(session, t);
	gnutls_certificate_server_set_request(session, requests[t->config->client_auth]);
	if (gnutls_priority_set(session, t->priority) ||
	    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, t->credentials))
		return -ENOMEM;
	return 0;
}
