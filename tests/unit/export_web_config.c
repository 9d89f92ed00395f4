// SPDX-License-Identifier: Apache-2.0
/* The exporter toolkit's web configuration file: what is read, and what is refused with which words. */
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

#include "base/cleanup.h"
#include "export/web_config.h"

#define HASH "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"
#define TLS  "tls_server_config:\n  cert_file: a.crt\n  key_file: /k/a.key\n"

static char path[64];

static int setup(void **state)
{
	int fd;

	(void)state;
	strcpy(path, "/tmp/tokscope-web-XXXXXX");
	fd = mkstemp(path);
	return fd < 0 ? -errno : close(fd);
}

static int teardown(void **state)
{
	(void)state;
	return unlink(path);
}

static int read_text(struct web_config *c, const char *text, char **error)
{
	_cleanup_fclose_ FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fflush(f);
	return web_config_read(c, path, error);
}

static void test_everything(void **state)
{
	struct web_config c;
	char *error;

	(void)state;
	assert_int_equal(read_text(&c,
				   TLS "  client_auth_type: RequireAndVerifyClientCert\n"
				       "  client_ca_file: sub/ca.crt\n"
				       "  client_allowed_sans: [scraper.example, 10.0.0.1]\n"
				       "  min_version: TLS11\n"
				       "  max_version: TLS12\n"
				       "  prefer_server_cipher_suites: false\n"
				       "  curve_preferences: [CurveP384, X25519]\n"
				       "http_server_config:\n"
				       "  http2: true\n"
				       "  headers:\n"
				       "    X-Frame-Options: deny\n"
				       "    Content-Security-Policy: default-src 'self'\n"
				       "basic_auth_users:\n"
				       "  alice: " HASH "\n"
				       "  bob: " HASH "\n",
				   &error),
			 0);
	assert_true(c.has_tls);
	assert_string_equal(c.tls.cert_file, "/tmp/a.crt");
	assert_string_equal(c.tls.key_file, "/k/a.key");
	assert_string_equal(c.tls.client_ca_file, "/tmp/sub/ca.crt");
	assert_int_equal(c.tls.client_auth, WEB_CLIENT_VERIFY);
	assert_int_equal(c.tls.client_san_count, 2);
	assert_string_equal(c.tls.client_sans[1], "10.0.0.1");
	assert_int_equal(c.tls.min_version, WEB_TLS11);
	assert_int_equal(c.tls.max_version, WEB_TLS12);
	assert_false(c.tls.server_preference);
	assert_int_equal(c.tls.curve_count, 2);
	assert_string_equal(web_curve_group(c.tls.curves[0]), "SECP384R1");
	assert_int_equal(c.headers.count, 2);
	assert_string_equal(c.headers.items[1].name, "Content-Security-Policy");
	assert_string_equal(c.headers.items[1].value, "default-src 'self'");
	assert_int_equal(c.users.count, 2);
	assert_string_equal(c.users.items[1].name, "bob");
	assert_string_equal(c.users.items[1].value, HASH);
	web_config_free(&c);
}

static void test_defaults(void **state)
{
	struct web_config c;
	char *error;

	(void)state;
	assert_int_equal(read_text(&c, TLS "  client_auth_type: RequireClientCert\n", &error), 0);
	assert_int_equal(c.tls.client_auth, WEB_CLIENT_REQUIRE);
	assert_int_equal(c.tls.min_version, WEB_TLS12);
	assert_int_equal(c.tls.max_version, WEB_TLS13);
	assert_true(c.tls.server_preference);
	assert_int_equal(c.users.count, 0);
	web_config_free(&c);
	assert_int_equal(read_text(&c, "basic_auth_users: { }\n", &error), 0);
	assert_false(c.has_tls);
	web_config_free(&c);
}

#define SECRET "c0rrect-horse"

/* After "PATH:". A hash, or what somebody wrote in its place, is never told. */
static const struct {
	const char *text, *error;
} bad[] = {
	{ "", "1: the file is empty" },
	{ "basic_auth_user:\n",
	  "1: unknown key of the web configuration 'basic_auth_user'; did you mean 'basic_auth_users'?" },
	{ "tls_server_config:\n  cert_file: a\n", "2: tls_server_config lacks 'key_file'" },
	{ TLS "  cert_fil: b\n",
	  "4: unknown key of tls_server_config 'cert_fil'; did you mean 'cert_file'?" },
	{ TLS "  key: " SECRET "\n", "4: 'key' is not supported: name a file with key_file" },
	{ TLS "  cipher_suites: [TLS_AES_128_GCM_SHA256]\n",
	  "4: 'cipher_suites' is not supported: " },
	{ TLS "  min_version: TLS14\n",
	  "4: unknown min_version 'TLS14'; did you mean 'TLS10'? known: TLS10, TLS11, TLS12, TLS13" },
	{ TLS "  min_version: TLS13\n  max_version: TLS12\n",
	  "2: min_version TLS13 is above max_version TLS12" },
	{ TLS "  client_auth_type: RequireAndVerify\n",
	  "4: unknown client_auth_type 'RequireAndVerify'" },
	{ TLS "  client_auth_type: RequireAndVerifyClientCert\n",
	  "2: client_auth_type RequireAndVerifyClientCert needs client_ca_file" },
	{ TLS "  client_ca_file: ca\n",
	  "2: client_ca_file has no use with client_auth_type NoClientCert" },
	{ TLS "  client_allowed_sans: [a]\n", "2: client_allowed_sans needs client_auth_type " },
	{ TLS "  curve_preferences: [P256]\n", "4: unknown curve_preferences 'P256'" },
	{ "rate_limit:\n  interval: 1s\n", "2: 'rate_limit' is not supported: " },
	{ "http_server_config:\n  http3: true\n", "2: unknown key of http_server_config 'http3'" },
	{ "http_server_config:\n  http2: maybe\n", "2: 'http2' is true or false, not 'maybe'" },
	{ "http_server_config:\n  headers:\n    X-Frame-Option: deny\n",
	  "3: unknown header 'X-Frame-Option'; did you mean 'X-Frame-Options'?" },
	{ "http_server_config:\n  headers:\n    X-Frame-Options: allow\n",
	  "3: X-Frame-Options is deny or sameorigin, not 'allow'" },
	{ "http_server_config:\n  headers:\n    X-Content-Type-Options: sniff\n",
	  "3: X-Content-Type-Options is nosniff, not 'sniff'" },
	{ "basic_auth_users:\n  alice: " SECRET "\n",
	  "2: the password of 'alice' is no bcrypt hash ($2y$10$...): make one with 'htpasswd" },
	{ "basic_auth_users:\n  alice: $6$" SECRET "\n",
	  "2: the password of 'alice' is no bcrypt hash" },
	{ "basic_auth_users:\n  alice: " HASH "x\n",
	  "2: the password of 'alice' is no bcrypt hash" },
	{ "basic_auth_users:\n  alice: $2y$03$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi\n",
	  "2: the password of 'alice' is no bcrypt hash" },
	{ "basic_auth_users:\n  alice: $2y$31$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi\n",
	  "2: the bcrypt hash of 'alice' has cost 31: above 14 " },
	{ "basic_auth_users:\n  alice: " HASH "\n  alice: " HASH "\n",
	  "3: user 'alice' is given twice" },
	{ "basic_auth_users:\n  \"a:b\": " HASH "\n", "2: a user's name has no ':' in it" },
	{ "basic_auth_users:\n  alice: [" SECRET "]\n", "2: one value is expected here" },
	{ "basic_auth_users:\n  alice: \"" SECRET "\n", "3: not YAML: " },
};

static void test_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		_cleanup_free_ char *error = NULL;
		struct web_config c;
		size_t len = strlen(path);

		assert_int_equal(read_text(&c, bad[i].text, &error), -EINVAL);
		web_config_free(&c);
		assert_non_null(error);
		if (strncmp(error, path, len) || error[len] != ':' ||
		    strncmp(error + len + 1, bad[i].error, strlen(bad[i].error)))
			fail_msg("%s\nwant: %s\n got: %s", bad[i].text, bad[i].error, error);
		if (strstr(error, SECRET) || strstr(error, "QOauhQNbBCuQDKes"))
			fail_msg("a secret is told: %s", error);
	}
}

static void test_no_file(void **state)
{
	_cleanup_free_ char *error = NULL;
	struct web_config c;

	(void)state;
	assert_int_equal(web_config_read(&c, "/nonexistent/web.yml", &error), -ENOENT);
	assert_string_equal(error,
			    "/nonexistent/web.yml: cannot be read: No such file or directory");
	web_config_free(&c);
}

static void test_not_a_file(void **state)
{
	_cleanup_free_ char *error = NULL;
	struct web_config c;

	(void)state;
	assert_int_equal(web_config_read(&c, "/tmp", &error), -EIO);
	web_config_free(&c);
}

#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FILE(test_everything),
		WITH_FILE(test_defaults),
		WITH_FILE(test_errors),
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_not_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
