/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The web configuration file of Prometheus' exporter toolkit (github.com/prometheus/exporter-toolkit,
 * docs/web-configuration.md): TLS, headers of answers, users with bcrypt hashes of their passwords.
 */
#ifndef EXPORT_WEB_CONFIG_H
#define EXPORT_WEB_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

/* What is asked of the client's certificate: Go's tls.ClientAuthType, by its names. */
enum web_client_auth {
	WEB_CLIENT_NONE,	    /* NoClientCert */
	WEB_CLIENT_REQUEST,	    /* RequestClientCert */
	WEB_CLIENT_REQUIRE,	    /* RequireAnyClientCert */
	WEB_CLIENT_VERIFY_IF_GIVEN, /* VerifyClientCertIfGiven */
	WEB_CLIENT_VERIFY,	    /* RequireAndVerifyClientCert */
};

enum web_tls_version {
	WEB_TLS10,
	WEB_TLS11,
	WEB_TLS12,
	WEB_TLS13,
};

struct web_tls_config {
	char *cert_file, *key_file, *client_ca_file; /* beside the configuration, or absolute */
	enum web_client_auth client_auth;
	char **client_sans; /* the client's certificate has one of these names; none: any will do */
	size_t client_san_count;
	enum web_tls_version min_version, max_version;
	bool server_preference; /* among cipher suites the server's order decides */
	char **curves;		/* Go's names, in order of preference; none: GnuTLS' defaults */
	size_t curve_count;
};

struct web_pair {
	char *name, *value;
};

struct web_pairs {
	struct web_pair *items;
	size_t count;
};

struct web_config {
	bool has_tls;
	struct web_tls_config tls;
	struct web_pairs headers;
	struct web_pairs users; /* name and bcrypt hash; none: nobody is asked */
};

/*
 * 0, or a negative errno with *error set (to be freed; NULL: out of memory): "PATH:LINE: what". Neither hashes nor anything else of
 * the file stands in it. c needs web_config_free() in any case.
 */
int web_config_read(struct web_config *c, const char *path, char **error);
void web_config_free(struct web_config *c);

/* Go's name of a curve -> GnuTLS' group; NULL: it is none. */
const char *web_curve_group(const char *name);

#endif
