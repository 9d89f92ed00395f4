// SPDX-License-Identifier: Apache-2.0
#include "kube/api.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "discover/identity.h"

#define ACCOUNT		   "/var/run/secrets/kubernetes.io/serviceaccount/"

#define ANSWER_MAX	   (32UL << 20) /* one page; a pod takes 10 to 20 kB, etcd holds 1.5 MB at most */
#define PAGES_MAX	   20		/* of 500 pods each */
#define TOKEN_MAX	   (16 * 1024)
#define CONNECT_TIMEOUT_MS 5000L
#define TIMEOUT_MS	   20000L

struct kube_api {
	CURL *curl;
	char *url; /* without the token of a page */
	char *token_file;
	bool send_token;
	int cancelled; /* atomic */
	char error[512];
};

static int fail(struct kube_api *a, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int fail(struct kube_api *a, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(a->error, sizeof(a->error), fmt, args);
	va_end(args);
	return err;
}

const char *kube_api_error(const struct kube_api *a)
{
	return a->error;
}

void kube_api_cancel(struct kube_api *a)
{
	__atomic_store_n(&a->cancelled, 1, __ATOMIC_RELAXED);
}

/* ------------------------------------------------------------------ open and close */

/* The server's URL without a slash at its end: the config's, else what the kubelet tells every pod. */
static int server_url(char *url, size_t len, const char *api)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT");
	size_t n;

	if (api)
		snprintf(url, len, "%s", api);
	else if (host && *host)
		snprintf(url, len, strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host,
			 port && *port ? port : "443");
	else
		return -ENOENT;
	for (n = strlen(url); n && url[n - 1] == '/'; n--)
		url[n - 1] = '\0';
	return 0;
}

static int make_url(struct kube_api *a, const struct kube_config *config)
{
	char server[512], name[K8S_NAME_MAX + 1];
	char *node;
	int err = server_url(server, sizeof(server), config->api);

	if (err)
		return err;
	identity_host_name(name, sizeof(name), config->node_name);
	node = curl_easy_escape(a->curl, name, 0);
	if (!node || asprintf(&a->url, "%s/api/v1/pods?fieldSelector=spec.nodeName%%3D%s&limit=500",
			      server, node) < 0)
		a->url = NULL;
	curl_free(node);
	return a->url ? 0 : -ENOMEM;
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct kube_api *api = ctx;

	(void)a, (void)b, (void)c, (void)d;
	return __atomic_load_n(&api->cancelled, __ATOMIC_RELAXED);
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
	struct buf *body = ctx;

	if (body->len + size * count > ANSWER_MAX)
		return 0;
	buf_append(body, data, size * count);
	return body->err ? 0 : size * count;
}

/* No redirect is followed and no proxy asked: the token is for this server only, which is never far away. */
static void set_options(struct kube_api *a, const char *ca_file)
{
	curl_easy_setopt(a->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(a->curl, CURLOPT_PROXY, "");
	curl_easy_setopt(a->curl, CURLOPT_CAINFO, ca_file);
	curl_easy_setopt(a->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	curl_easy_setopt(a->curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
	curl_easy_setopt(a->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(a->curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(a->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(a->curl, CURLOPT_XFERINFODATA, a);
	curl_easy_setopt(a->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(a->curl, CURLOPT_USERAGENT, "tokscope/" TOKSCOPE_VERSION);
	curl_easy_setopt(a->curl, CURLOPT_ACCEPT_ENCODING, "");
}

struct kube_api *kube_api_new(const struct kube_config *config)
{
	struct kube_api *a = calloc(1, sizeof(*a));
	int err = -ENOMEM;

	if (!a)
		return NULL;
	a->curl = curl_easy_init();
	if (a->curl)
		err = make_url(a, config);
	if (!err) {
		a->token_file = strdup(config->token_file ?: ACCOUNT "token");
		/* Where a proxy (`kubectl proxy`) asks for us, the secret of a pod does not go over a line in clear. */
		a->send_token = config->token_file || !strncmp(a->url, "https:", 6);
		set_options(a, config->ca_file ?: ACCOUNT "ca.crt");
		err = a->token_file ? 0 : -ENOMEM;
	}
	if (!err)
		return a;
	kube_api_free(a);
	errno = -err;
	return NULL;
}

void kube_api_free(struct kube_api *a)
{
	if (!a)
		return;
	curl_easy_cleanup(a->curl);
	free(a->url);
	free(a->token_file);
	free(a);
}

/* ------------------------------------------------------------------ one page */

/* Read for each request: the kubelet replaces the token every hour or so. */
static int set_token(struct kube_api *a)
{
	_cleanup_fclose_ FILE *f = NULL;
	char token[TOKEN_MAX];
	size_t len;

	if (!a->send_token)
		return 0;
	f = fopen(a->token_file, "re");
	if (!f)
		return fail(a, -errno,
			    "cannot read the token %s: %s; give the pod a service account",
			    a->token_file, strerror(errno));
	len = fread(token, 1, sizeof(token) - 1, f);
	token[len] = '\0';
	token[strcspn(token, "\r\n")] = '\0';
	curl_easy_setopt(a->curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
	curl_easy_setopt(a->curl, CURLOPT_XOAUTH2_BEARER, token);
	explicit_bzero(token, sizeof(token));
	return 0;
}

static int check_status(struct kube_api *a, long status)
{
	switch (status) {
	case 200:
		return 0;
	case 401:
		return fail(a, -EACCES, "the API server refuses the token %s (401)", a->token_file);
	case 403:
		return fail(a, -EACCES,
			    "the service account may not list pods (403); bind it to a ClusterRole "
			    "with the rule apiGroups: [\"\"], resources: [pods], verbs: [list]");
	default:
		return fail(a, -EPROTO, "the API server answers with status %ld", status);
	}
}

static int get(struct kube_api *a, const char *url, struct buf *body)
{
	int err = set_token(a);
	long status = 0;
	CURLcode code;

	if (err)
		return err;
	curl_easy_setopt(a->curl, CURLOPT_URL, url);
	curl_easy_setopt(a->curl, CURLOPT_WRITEDATA, body);
	code = curl_easy_perform(a->curl);
	if (code == CURLE_WRITE_ERROR)
		return fail(a, -EFBIG, "the API server's answer is larger than %lu MiB",
			    ANSWER_MAX >> 20);
	if (code != CURLE_OK)
		return fail(a, -EIO, "cannot ask the API server at %.*s: %s",
			    (int)strcspn(a->url, "?"), a->url, curl_easy_strerror(code));
	curl_easy_getinfo(a->curl, CURLINFO_RESPONSE_CODE, &status);
	return check_status(a, status);
}

/*
 * The first page may come from the API server's cache (resourceVersion=0): without that each list of each node would read the
 * pods of the whole cluster out of etcd. Later ones must not name a version.
 */
static char *page_url(const struct kube_api *a, const char *next)
{
	char *token = *next ? curl_easy_escape(a->curl, next, 0) : NULL;
	char *url = NULL;
	int n;

	if (*next)
		n = token ? asprintf(&url, "%s&continue=%s", a->url, token) : -1;
	else
		n = asprintf(&url, "%s&resourceVersion=0", a->url);
	curl_free(token);
	return n < 0 ? NULL : url;
}

static int list_page(struct kube_api *a, struct pods *pods, char next[POD_CONTINUE_MAX])
{
	_cleanup_free_ char *url = page_url(a, next);
	struct buf body = BUF_INIT;
	int err;

	if (!url)
		return fail(a, -ENOMEM, "out of memory");
	err = get(a, url, &body);
	if (!err) {
		err = pods_read(pods, body.data ?: "", body.len, next);
		if (err)
			fail(a, err, "the API server's answer is no list of pods");
	}
	buf_free(&body);
	return err;
}

int kube_api_list(struct kube_api *a, struct pods *pods, uint64_t *requests)
{
	char next[POD_CONTINUE_MAX] = "";
	int err;

	for (*requests = 0; *requests < PAGES_MAX;) {
		++*requests;
		err = list_page(a, pods, next);
		if (err || !*next)
			return err;
	}
	return fail(a, -EFBIG, "the API server lists more than %d pages of pods of one node",
		    PAGES_MAX);
}
