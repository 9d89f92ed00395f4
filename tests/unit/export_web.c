// SPDX-License-Identifier: Apache-2.0
/* The listener behind a web configuration: users, headers, TLS, client certificates, files that change. libcurl asks. */
#include <curl/curl.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "export/httpd.h"
#include "export/web.h"
#include "web_certificates.h"

#define TLS \
	"tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n  min_version: TLS12\n"
#define CLIENTS                                            \
	"  client_auth_type: RequireAndVerifyClientCert\n" \
	"  client_ca_file: ca.crt\n"
#define USERS_OF(name, hash) "basic_auth_users:\n  " name ": " hash "\n"
/* "fakepassword" */
#define HASH  "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"
#define USERS USERS_OF("alice", HASH)

/* ------------------------------------------------------------------ a listener in a folder */

struct world {
	char folder[64];
	struct registry *registry;
	struct httpd *httpd;
};

static struct snapshot *on_snapshot(void *ctx)
{
	return registry_snapshot(((struct world *)ctx)->registry);
}

static int on_health(void *ctx, char *reason, unsigned long len)
{
	(void)ctx;
	(void)reason;
	(void)len;
	return 0;
}

static const struct httpd_ops ops = { .snapshot = on_snapshot, .health = on_health };

static const char *in_folder(const struct world *w, const char *name)
{
	static char paths[4][128];
	static int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", w->folder, name);
	return path;
}

/* As one should: written beside, then renamed. */
static void write_config(const struct world *w, const char *text)
{
	FILE *f = fopen(in_folder(w, "web.new"), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(rename(in_folder(w, "web.new"), in_folder(w, "web.yml")), 0);
}

static void start(struct world *w, const char *config)
{
	const struct httpd_config hc = { .listen = "127.0.0.1:0",
					 .web_config = in_folder(w, "web.yml") };

	write_config(w, config);
	w->httpd = httpd_new(&hc, &ops, w);
	assert_non_null(w->httpd);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	strcpy(w->folder, "/tmp/tokscope-web-XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	w->registry = registry_new(&(struct registry_config){ 0 });
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	char command[128];

	httpd_free(w->httpd);
	registry_free(w->registry);
	snprintf(command, sizeof(command), "rm -r %s", w->folder);
	free(w);
	return system(command);
}

/* ------------------------------------------------------------------ asking */

struct question {
	const char *path, *user; /* NULL: /metrics, no "name:password" */
	const char *ca;		 /* trusted; NULL: plain HTTP */
	const char *cert, *key;
	long max_version; /* CURL_SSLVERSION_MAX_...; 0: any */
};

static size_t take(char *data, size_t size, size_t n, void *out)
{
	buf_append(out, data, size * n);
	return size * n;
}

/* The status, 0 where there was no answer. head: what came before the body; NULL: not wanted. */
static long ask(const struct world *w, const struct question *q, struct buf *head)
{
	CURL *curl = curl_easy_init();
	struct buf none = BUF_INIT, body = BUF_INIT;
	long status = 0;
	char url[128];

	assert_non_null(curl);
	snprintf(url, sizeof(url), "http%s://127.0.0.1:%u%s", q->ca ? "s" : "",
		 httpd_port(w->httpd), q->path ?: "/metrics");
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, 20L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, head ?: &none);
	if (q->user)
		curl_easy_setopt(curl, CURLOPT_USERPWD, q->user);
	if (q->ca)
		curl_easy_setopt(curl, CURLOPT_CAINFO, in_folder(w, q->ca));
	if (q->cert) {
		curl_easy_setopt(curl, CURLOPT_SSLCERT, in_folder(w, q->cert));
		curl_easy_setopt(curl, CURLOPT_SSLKEY, in_folder(w, q->key));
	}
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, q->max_version);
	if (!curl_easy_perform(curl))
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(curl);
	buf_free(&none);
	buf_free(&body);
	return status;
}

#define ASK(w, ...) ask(w, &(struct question){ __VA_ARGS__ }, NULL)

/* ------------------------------------------------------------------ users and headers */

static void test_users(void **state)
{
	struct world *w = *state;
	struct buf head = BUF_INIT;

	start(w, USERS);
	assert_string_equal(httpd_scheme(w->httpd), "http");
	assert_int_equal(ask(w, &(struct question){ 0 }, &head), 401);
	assert_non_null(strstr(head.data, "WWW-Authenticate: Basic\r\n"));
	buf_free(&head);
	assert_int_equal(ASK(w, .user = "alice:fakepassword"), 200);
	assert_int_equal(ASK(w, .user = "alice:fakepassword"), 200);
	assert_int_equal(ASK(w, .user = "alice:wrong"), 401);
	assert_int_equal(ASK(w, .user = "bob:fakepassword"), 401);
	assert_int_equal(ASK(w, .path = "/"), 401);
	assert_int_equal(ASK(w, .path = "/servers"), 401);
	assert_int_equal(ASK(w, .path = "/nothing"), 401);
	assert_int_equal(ASK(w, .path = "/nothing", .user = "alice:fakepassword"), 404);
	assert_int_equal(ASK(w, .path = "/healthz"), 200);
}

static void test_headers(void **state)
{
	struct world *w = *state;
	struct buf head = BUF_INIT;

	start(w, "http_server_config:\n  http2: false\n  headers:\n"
		 "    X-Content-Type-Options: nosniff\n    Content-Security-Policy: default-src\n");
	assert_int_equal(ask(w, &(struct question){ .path = "/nothing" }, &head), 404);
	assert_non_null(strstr(head.data, "X-Content-Type-Options: nosniff\r\n"));
	assert_non_null(strstr(head.data, "Content-Security-Policy: default-src\r\n"));
	assert_null(strstr(head.data, "WWW-Authenticate"));
	buf_free(&head);
}

/* ------------------------------------------------------------------ TLS */

/* ca signs server and client; stranger is another CA with a client of its own. */
static void make_certificates(const struct world *w)
{
	struct identity *ca = identity_new("ca", NULL, NULL), *stranger;
	struct identity *server = identity_new("server", ca, "127.0.0.1");
	struct identity *client = identity_new("client", ca, "scraper.example"), *other;

	stranger = identity_new("stranger", NULL, NULL);
	other = identity_new("other", stranger, "scraper.example");
	identity_write(ca, w->folder, "ca");
	identity_write(server, w->folder, "server");
	identity_write(client, w->folder, "client");
	identity_write(stranger, w->folder, "stranger");
	identity_write(other, w->folder, "other");
	identity_free(other);
	identity_free(stranger);
	identity_free(client);
	identity_free(server);
	identity_free(ca);
}

static void test_tls(void **state)
{
	struct world *w = *state;

	make_certificates(w);
	start(w, TLS USERS);
	assert_string_equal(httpd_scheme(w->httpd), "https");
	assert_int_equal(ASK(w, .ca = "ca.crt", .user = "alice:fakepassword"), 200);
	assert_int_equal(ASK(w, .ca = "ca.crt"), 401);
	assert_int_equal(ASK(w, .ca = "ca.crt", .path = "/healthz"), 200);
	assert_int_equal(ASK(w, .ca = "ca.crt", .path = "/healthz",
			     .max_version = CURL_SSLVERSION_MAX_TLSv1_2),
			 200);
	assert_int_equal(ASK(w, .ca = "stranger.crt", .path = "/healthz"), 0);
	assert_int_equal(ASK(w, .path = "/healthz"), 0);
}

static void test_tls_version(void **state)
{
	struct world *w = *state;

	make_certificates(w);
	start(w, "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"
		 "  min_version: TLS13\n  curve_preferences: [CurveP384]\n");
	assert_int_equal(ASK(w, .ca = "ca.crt"), 200);
	assert_int_equal(ASK(w, .ca = "ca.crt", .max_version = CURL_SSLVERSION_MAX_TLSv1_2), 0);
}

static void test_client_certificates(void **state)
{
	struct world *w = *state;

	make_certificates(w);
	start(w, TLS CLIENTS);
	assert_int_equal(ASK(w, .ca = "ca.crt"), 0);
	assert_int_equal(ASK(w, .ca = "ca.crt", .path = "/healthz"), 0);
	assert_int_equal(ASK(w, .ca = "ca.crt", .cert = "client.crt", .key = "client.key"), 200);
	assert_int_equal(ASK(w, .ca = "ca.crt", .cert = "client.crt", .key = "client.key",
			     .max_version = CURL_SSLVERSION_MAX_TLSv1_2),
			 200);
	assert_int_equal(ASK(w, .ca = "ca.crt", .cert = "other.crt", .key = "other.key"), 0);
}

static void test_any_client_certificate(void **state)
{
	struct world *w = *state;

	make_certificates(w);
	start(w, TLS "  client_auth_type: RequireAnyClientCert\n");
	assert_int_equal(ASK(w, .ca = "ca.crt"), 0);
	assert_int_equal(ASK(w, .ca = "ca.crt", .cert = "other.crt", .key = "other.key"), 200);
}

static void test_client_certificate_if_given(void **state)
{
	struct world *w = *state;

	make_certificates(w);
	start(w, TLS "  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.crt\n");
	assert_int_equal(ASK(w, .ca = "ca.crt"), 200);
	assert_int_equal(ASK(w, .ca = "ca.crt", .cert = "client.crt", .key = "client.key"), 200);
	assert_int_equal(ASK(w, .ca = "ca.crt", .cert = "other.crt", .key = "other.key"), 0);
}

static void test_client_names(void **state)
{
	struct world *w = *state;

	make_certificates(w);
	start(w, TLS CLIENTS "  client_allowed_sans: [a.example, scraper.example]\n");
	assert_int_equal(ASK(w, .ca = "ca.crt", .cert = "client.crt", .key = "client.key"), 200);
	/* Signed by the CA, but of another name: the address of the server. */
	assert_int_equal(ASK(w, .ca = "ca.crt", .cert = "server.crt", .key = "server.key"), 0);
}

static void test_client_address(void **state)
{
	struct world *w = *state;

	make_certificates(w);
	start(w, TLS CLIENTS "  client_allowed_sans: 127.0.0.1\n");
	assert_int_equal(ASK(w, .ca = "ca.crt", .cert = "client.crt", .key = "client.key"), 0);
	assert_int_equal(ASK(w, .ca = "ca.crt", .cert = "server.crt", .key = "server.key"), 200);
}

/* The listener looks once a second; a new connection then has the new certificate. */
static void test_new_certificate(void **state)
{
	struct world *w = *state;
	long status = 0;

	make_certificates(w);
	start(w, TLS);
	assert_int_equal(ASK(w, .ca = "ca.crt"), 200);
	assert_int_equal(rename(in_folder(w, "ca.crt"), in_folder(w, "old-ca.crt")), 0);
	make_certificates(w);
	for (int i = 0; i < 200 && status != 200; i++) {
		usleep(50000);
		status = ASK(w, .ca = "ca.crt");
	}
	assert_int_equal(status, 200);
	assert_int_equal(ASK(w, .ca = "old-ca.crt"), 0);
}

/* ------------------------------------------------------------------ changes, by a clock of the test's */

static FILE *log_file;
static int saved_stderr;

static void catch_log(void)
{
	log_file = tmpfile();
	saved_stderr = dup(STDERR_FILENO);
	dup2(fileno(log_file), STDERR_FILENO);
}

static struct buf caught_log(void)
{
	struct buf out = BUF_INIT;
	char line[512];

	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	rewind(log_file);
	while (fgets(line, sizeof(line), log_file))
		buf_puts(&out, line);
	buf_append(&out, "", 0);
	fclose(log_file);
	return out;
}

static int lines_with(const struct buf *log, const char *word)
{
	int n = 0;

	for (const char *at = log->data; at && (at = strstr(at, word)); at++)
		n++;
	return n;
}

static bool is_user(struct web *w, const char *name)
{
	return web_auth_check(web_auth(w), &web_settings(w)->config.users, name, "fakepassword");
}

static void test_refresh(void **state)
{
	struct world *w = *state;
	struct web *web;
	struct buf log;

	write_config(w, USERS);
	web = web_open(in_folder(w, "web.yml"));
	assert_non_null(web);
	catch_log();
	web_refresh(web, NSEC_PER_SEC);
	write_config(w, USERS_OF("bob", HASH));
	web_refresh(web, 2 * NSEC_PER_SEC - 1);
	assert_true(is_user(web, "alice")); /* too early to look */
	web_refresh(web, 2 * NSEC_PER_SEC);
	assert_false(is_user(web, "alice"));
	assert_true(is_user(web, "bob"));
	write_config(w, "basic_auth_users:\n  carol: nonsense\n");
	for (int i = 3; i < 6; i++)
		web_refresh(web, i * NSEC_PER_SEC);
	assert_true(is_user(web, "bob"));
	write_config(w, USERS);
	web_refresh(web, 6 * NSEC_PER_SEC);
	assert_true(is_user(web, "alice"));
	log = caught_log();
	assert_int_equal(lines_with(&log, "carol"), 1);
	assert_int_equal(lines_with(&log, "stays in force"), 1);
	assert_int_equal(lines_with(&log, "again"), 2);
	assert_null(strstr(log.data, "nonsense"));
	buf_free(&log);
	web_free(web);
}

static void test_file_goes(void **state)
{
	struct world *w = *state;
	struct web *web;
	struct buf log;

	write_config(w, USERS);
	web = web_open(in_folder(w, "web.yml"));
	catch_log();
	unlink(in_folder(w, "web.yml"));
	for (int i = 1; i < 4; i++)
		web_refresh(web, i * NSEC_PER_SEC);
	assert_true(is_user(web, "alice"));
	log = caught_log();
	assert_int_equal(lines_with(&log, "No such file"), 1);
	buf_free(&log);
	web_free(web);
}

/* Whether there is TLS is settled at start; who asks for it later is told, and nothing becomes open by it. */
static void test_tls_stays(void **state)
{
	struct world *w = *state;
	struct web_settings *held;
	struct web *web;
	struct buf log;

	make_certificates(w);
	write_config(w, TLS USERS);
	web = web_open(in_folder(w, "web.yml"));
	held = web_settings_get(web);
	catch_log();
	write_config(w, "basic_auth_users: {}\n");
	web_refresh(web, NSEC_PER_SEC);
	assert_ptr_equal(web_settings(web), held);
	assert_true(is_user(web, "alice"));
	write_config(w, TLS);
	web_refresh(web, 2 * NSEC_PER_SEC);
	assert_ptr_not_equal(web_settings(web), held);
	assert_int_equal(held->refs, 1);
	log = caught_log();
	assert_int_equal(lines_with(&log, "tls_server_config was taken out"), 1);
	web_settings_put(held);
	buf_free(&log);
	web_free(web);
}

static void test_bad_at_start(void **state)
{
	struct world *w = *state;
	const struct httpd_config hc = { .listen = "127.0.0.1:0",
					 .web_config = in_folder(w, "web.yml") };
	struct buf log;

	make_certificates(w);
	write_config(w, "tls_server_config:\n  cert_file: server.crt\n  key_file: client.key\n");
	catch_log();
	assert_null(httpd_new(&hc, &ops, w));
	assert_int_equal(errno, EINVAL);
	log = caught_log();
	assert_non_null(strstr(log.data, "server.crt with key_file"));
	assert_non_null(strstr(log.data, "--web.config.file"));
	buf_free(&log);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(test_users),
		IN_FOLDER(test_headers),
		IN_FOLDER(test_tls),
		IN_FOLDER(test_tls_version),
		IN_FOLDER(test_client_certificates),
		IN_FOLDER(test_any_client_certificate),
		IN_FOLDER(test_client_certificate_if_given),
		IN_FOLDER(test_client_names),
		IN_FOLDER(test_client_address),
		IN_FOLDER(test_new_certificate),
		IN_FOLDER(test_refresh),
		IN_FOLDER(test_file_goes),
		IN_FOLDER(test_tls_stays),
		IN_FOLDER(test_bad_at_start),
	};
	int failed;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	curl_global_cleanup();
	return failed;
}
