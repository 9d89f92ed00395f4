// SPDX-License-Identifier: Apache-2.0
#include "export/web_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/doc.h"
#include "export/web_auth.h"

#define FILE_MAX 65536 /* one with a hundred users has 10 KB */
#define BCRYPT_COST_MAX \
	14 /* 2^14 rounds take about a second, in which the listener answers nobody */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ------------------------------------------------------------------ words */

static const char *const versions[] = {
	[WEB_TLS10] = "TLS10",
	[WEB_TLS11] = "TLS11",
	[WEB_TLS12] = "TLS12",
	[WEB_TLS13] = "TLS13",
};

static const char *const client_auths[] = {
	[WEB_CLIENT_NONE] = "NoClientCert",
	[WEB_CLIENT_REQUEST] = "RequestClientCert",
	[WEB_CLIENT_REQUIRE] = "RequireAnyClientCert",
	[WEB_CLIENT_VERIFY_IF_GIVEN] = "VerifyClientCertIfGiven",
	[WEB_CLIENT_VERIFY] = "RequireAndVerifyClientCert",
};

static const char *const curves[] = { "X25519", "CurveP256", "CurveP384", "CurveP521" };
static const char *const groups[] = { "X25519", "SECP256R1", "SECP384R1", "SECP521R1" };

/* The toolkit's (web/handler.go, extraHTTPHeaders): the values that each may have, any if none stands here. */
static const struct {
	const char *name, *values[2];
} headers[] = {
	{ "Strict-Transport-Security", { NULL } },
	{ "X-Content-Type-Options", { "nosniff" } },
	{ "X-Frame-Options", { "deny", "sameorigin" } },
	{ "X-XSS-Protection", { NULL } },
	{ "Content-Security-Policy", { NULL } },
};

const char *web_curve_group(const char *name)
{
	for (size_t i = 0; i < COUNT(curves); i++)
		if (!strcmp(name, curves[i]))
			return groups[i];
	return NULL;
}

/* The index of a word; negative errno with d->error set. */
static int read_word(struct doc *d, const yaml_node_t *n, const char *what,
		     const char *const *known, size_t count)
{
	const char *word = doc_scalar(d, n);

	for (size_t i = 0; word && i < count; i++)
		if (!strcmp(word, known[i]))
			return (int)i;
	return word ? doc_unknown(d, n, what, word, known, count) : -EINVAL;
}

/* Readers for tables: what the toolkit knows and tokscope cannot honour. */
static int refuse(struct doc *d, const struct doc_field *f, const yaml_node_t *n, void *object)
{
	static const struct {
		const char *key, *instead;
	} reasons[] = {
		{ "cert", "name a file with cert_file" },
		{ "key", "name a file with key_file" },
		{ "client_ca", "name a file with client_ca_file" },
		{ "cipher_suites",
		  "GnuTLS does not choose them one by one; min_version: TLS13 leaves the modern ones" },
		{ "rate_limit", "limit requests in front of the agent" },
	};

	(void)object;
	for (size_t i = 0; i < COUNT(reasons); i++)
		if (!strcmp(f->key, reasons[i].key))
			doc_fail(d, n, "'%s' is not supported: %s", f->key, reasons[i].instead);
	return -EINVAL;
}

/* ------------------------------------------------------------------ tls_server_config */

static int read_version(struct doc *d, const struct doc_field *f, const yaml_node_t *n,
			void *object)
{
	int version = read_word(d, n, f->key, versions, COUNT(versions));

	if (version < 0)
		return version;
	*(enum web_tls_version *)((char *)object + f->offset) = version;
	return 0;
}

static int read_client_auth(struct doc *d, const struct doc_field *f, const yaml_node_t *n,
			    void *object)
{
	struct web_tls_config *t = object;
	const char *word = doc_scalar(d, n);
	int auth;

	if (!word)
		return -EINVAL;
	/* The toolkit's older name. */
	auth = !strcmp(word, "RequireClientCert")
		       ? WEB_CLIENT_REQUIRE
		       : read_word(d, n, f->key, client_auths, COUNT(client_auths));
	if (auth < 0)
		return auth;
	t->client_auth = auth;
	return 0;
}

static int read_sans(struct doc *d, const struct doc_field *f, const yaml_node_t *n, void *object)
{
	struct web_tls_config *t = object;

	(void)f;
	return doc_texts(d, n, &t->client_sans, &t->client_san_count);
}

static int read_curves(struct doc *d, const struct doc_field *f, const yaml_node_t *n, void *object)
{
	struct web_tls_config *t = object;
	int err = doc_texts(d, n, &t->curves, &t->curve_count);

	for (size_t i = 0; !err && i < t->curve_count; i++)
		if (!web_curve_group(t->curves[i]))
			err = doc_unknown(d, n, f->key, t->curves[i], curves, COUNT(curves));
	return err;
}

static int check_tls(struct doc *d, const yaml_node_t *n, const struct web_tls_config *t)
{
	bool verifies =
		t->client_auth == WEB_CLIENT_VERIFY || t->client_auth == WEB_CLIENT_VERIFY_IF_GIVEN;

	if (t->min_version > t->max_version)
		return doc_fail(d, n, "min_version %s is above max_version %s",
				versions[t->min_version], versions[t->max_version]);
	if (verifies && !t->client_ca_file)
		return doc_fail(d, n, "client_auth_type %s needs client_ca_file",
				client_auths[t->client_auth]);
	if (!verifies && t->client_ca_file)
		return doc_fail(d, n, "client_ca_file has no use with client_auth_type %s: use %s",
				client_auths[t->client_auth], client_auths[WEB_CLIENT_VERIFY]);
	if (t->client_san_count && t->client_auth != WEB_CLIENT_REQUIRE &&
	    t->client_auth != WEB_CLIENT_VERIFY)
		return doc_fail(d, n, "client_allowed_sans needs client_auth_type %s or %s",
				client_auths[WEB_CLIENT_VERIFY], client_auths[WEB_CLIENT_REQUIRE]);
	return 0;
}

#define TLS(member) offsetof(struct web_tls_config, member)

static const struct doc_field tls_fields[] = {
	{ "cert_file", doc_read_text, TLS(cert_file), true },
	{ "key_file", doc_read_text, TLS(key_file), true },
	{ "client_auth_type", read_client_auth, 0, false },
	{ "client_ca_file", doc_read_text, TLS(client_ca_file), false },
	{ "client_allowed_sans", read_sans, 0, false },
	{ "min_version", read_version, TLS(min_version), false },
	{ "max_version", read_version, TLS(max_version), false },
	{ "prefer_server_cipher_suites", doc_read_flag, TLS(server_preference), false },
	{ "curve_preferences", read_curves, 0, false },
	{ "cert", refuse, 0, false },
	{ "key", refuse, 0, false },
	{ "client_ca", refuse, 0, false },
	{ "cipher_suites", refuse, 0, false },
};

static int read_tls(struct doc *d, const struct doc_field *f, const yaml_node_t *n, void *object)
{
	struct web_config *c = object;
	int err = doc_mapping(d, n, f->key, tls_fields, COUNT(tls_fields), &c->tls);

	c->has_tls = true;
	return err ? err : check_tls(d, n, &c->tls);
}

/* ------------------------------------------------------------------ pairs */

static int add_pair(struct web_pairs *p, const char *name, const char *value)
{
	struct web_pair *grown = realloc(p->items, (p->count + 1) * sizeof(*grown));
	struct web_pair pair = { strdup(name), strdup(value) };

	if (grown)
		p->items = grown;
	if (!grown || !pair.name || !pair.value) {
		free(pair.name);
		free(pair.value);
		return -ENOMEM;
	}
	grown[p->count++] = pair;
	return 0;
}

static bool has_pair(const struct web_pairs *p, const char *name)
{
	for (size_t i = 0; i < p->count; i++)
		if (!strcmp(p->items[i].name, name))
			return true;
	return false;
}

static void free_pairs(struct web_pairs *p)
{
	for (size_t i = 0; i < p->count; i++) {
		free(p->items[i].name);
		free(p->items[i].value);
	}
	free(p->items);
}

static int check_header(struct doc *d, const yaml_node_t *key, const char *name,
			const yaml_node_t *value, const char *text)
{
	const char *known[COUNT(headers)];

	for (size_t i = 0; i < COUNT(headers); i++) {
		const char *const *may = headers[i].values;

		known[i] = headers[i].name;
		if (strcmp(name, headers[i].name))
			continue;
		if (!may[0] || !strcmp(text, may[0]) || (may[1] && !strcmp(text, may[1])))
			return 0;
		return doc_fail(d, value, "%s is %s%s%s, not '%.64s'", name, may[0],
				may[1] ? " or " : "", may[1] ?: "", text);
	}
	return doc_unknown(d, key, "header", name, known, COUNT(headers));
}

static int read_header(struct doc *d, const yaml_node_t *key, const char *name,
		       const yaml_node_t *value, void *object)
{
	struct web_pairs *p = object;
	const char *text = doc_scalar(d, value);
	int err = text ? check_header(d, key, name, value, text) : -EINVAL;

	if (err)
		return err;
	if (has_pair(p, name))
		return doc_fail(d, key, "header %s is given twice", name);
	return add_pair(p, name, text);
}

static int read_headers(struct doc *d, const struct doc_field *f, const yaml_node_t *n,
			void *object)
{
	return doc_pairs(d, n, f->key, read_header, &((struct web_config *)object)->headers);
}

/* HTTP/2 is not spoken, so that false is true of it, and true (the toolkit's default) a permission that is not used. */
static int read_http2(struct doc *d, const struct doc_field *f, const yaml_node_t *n, void *object)
{
	bool http2;

	(void)object;
	return doc_read_flag(d, &(struct doc_field){ .key = f->key }, n, &http2);
}

static const struct doc_field http_fields[] = {
	{ "http2", read_http2, 0, false },
	{ "headers", read_headers, 0, false },
};

static int read_http(struct doc *d, const struct doc_field *f, const yaml_node_t *n, void *object)
{
	return doc_mapping(d, n, f->key, http_fields, COUNT(http_fields), object);
}

static int read_user(struct doc *d, const yaml_node_t *key, const char *name,
		     const yaml_node_t *value, void *object)
{
	struct web_pairs *p = object;
	const char *hash = doc_scalar(d, value);
	int cost;

	if (!hash)
		return -EINVAL;
	cost = web_auth_cost(hash);
	if (strchr(name, ':'))
		return doc_fail(d, key, "a user's name has no ':' in it");
	if (has_pair(p, name))
		return doc_fail(d, key, "user '%.64s' is given twice", name);
	if (cost < 0)
		return doc_fail(
			d, value,
			"the password of '%.64s' is no bcrypt hash ($2y$10$...): make one with "
			"'htpasswd -nBC 10 NAME'",
			name);
	if (cost > BCRYPT_COST_MAX)
		return doc_fail(
			d, value,
			"the bcrypt hash of '%.64s' has cost %d: above %d the agent would stand "
			"still for seconds",
			name, cost, BCRYPT_COST_MAX);
	return add_pair(p, name, hash);
}

static int read_users(struct doc *d, const struct doc_field *f, const yaml_node_t *n, void *object)
{
	return doc_pairs(d, n, f->key, read_user, &((struct web_config *)object)->users);
}

/* ------------------------------------------------------------------ the file */

static const struct doc_field fields[] = {
	{ "tls_server_config", read_tls, 0, false },
	{ "http_server_config", read_http, 0, false },
	{ "basic_auth_users", read_users, 0, false },
	{ "rate_limit", refuse, 0, false },
};

/* A relative path is counted from the folder of the configuration. */
static int resolve(char **file, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *joined;

	if (!*file || **file == '/' || !slash)
		return 0;
	if (asprintf(&joined, "%.*s/%s", (int)(slash - path), path, *file) < 0)
		return -ENOMEM;
	free(*file);
	*file = joined;
	return 0;
}

static int parse(struct web_config *c, const char *path, const char *text, size_t len, char **error)
{
	const yaml_node_t *root;
	struct doc d;
	int err = doc_open(&d, path, text, len);

	if (!err) {
		root = doc_root(&d);
		err = root ? doc_mapping(&d, root, "the web configuration", fields, COUNT(fields),
					 c)
			   : -EINVAL;
	}
	*error = d.error;
	d.error = NULL;
	doc_close(&d);
	return err;
}

int web_config_read(struct web_config *c, const char *path, char **error)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	_cleanup_free_ char *text = malloc(FILE_MAX);
	size_t len = f && text ? fread(text, 1, FILE_MAX, f) : 0;
	char **files[] = { &c->tls.cert_file, &c->tls.key_file, &c->tls.client_ca_file };
	int err = f ? 0 : -errno;

	*c = (struct web_config){ .tls = { .min_version = WEB_TLS12,
					   .max_version = WEB_TLS13,
					   .server_preference = true } };
	*error = NULL;
	if (!text)
		return -ENOMEM;
	if (f && ferror(f))
		err = -EIO;
	if (len == FILE_MAX)
		err = -EFBIG;
	if (err) {
		if (asprintf(error, "%s: cannot be read: %s", path, strerror(-err)) < 0)
			*error = NULL;
		return err;
	}
	err = parse(c, path, text, len, error);
	explicit_bzero(text, len);
	for (size_t i = 0; i < COUNT(files) && !err; i++)
		err = resolve(files[i], path);
	return err;
}

void web_config_free(struct web_config *c)
{
	free(c->tls.cert_file);
	free(c->tls.key_file);
	free(c->tls.client_ca_file);
	texts_free(c->tls.client_sans, c->tls.client_san_count);
	texts_free(c->tls.curves, c->tls.curve_count);
	free_pairs(&c->headers);
	free_pairs(&c->users);
}
