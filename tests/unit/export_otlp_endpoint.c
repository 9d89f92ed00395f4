// SPDX-License-Identifier: Apache-2.0
/* Settings of OTLP -> where each signal goes, its headers and its files. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "export/otlp_endpoint.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ------------------------------------------------------------------ words */

static void test_words(void **state)
{
	(void)state;
	assert_string_equal(otlp_signal_name(OTLP_METRICS), "metrics");
	assert_string_equal(otlp_signal_name(OTLP_TRACES), "traces");
	assert_string_equal(otlp_signal_name(OTLP_LOGS), "logs");
	assert_int_equal(otlp_protocol_parse("grpc"), OTLP_GRPC);
	assert_int_equal(otlp_protocol_parse("HTTP/protobuf"), OTLP_HTTP_PROTOBUF);
	assert_int_equal(otlp_protocol_parse("http/json"), -EINVAL);
	assert_int_equal(otlp_protocol_parse(""), -EINVAL);
	assert_int_equal(otlp_compression_parse("gzip"), OTLP_COMPRESSION_GZIP);
	assert_int_equal(otlp_compression_parse("none"), OTLP_COMPRESSION_NONE);
	assert_int_equal(otlp_compression_parse("gzi"), -EINVAL);
	assert_int_equal(otlp_temporality_parse("cumulative"), OTLP_CUMULATIVE);
	assert_int_equal(otlp_temporality_parse("Delta"), OTLP_DELTA);
	assert_int_equal(otlp_temporality_parse("LowMemory"), OTLP_LOWMEMORY);
	assert_int_equal(otlp_histogram_parse("explicit_bucket_histogram"),
			 OTLP_HISTOGRAM_EXPLICIT);
	assert_int_equal(otlp_histogram_parse("base2_exponential_bucket_histogram"),
			 OTLP_HISTOGRAM_EXPONENTIAL);
	assert_int_equal(otlp_histogram_parse("exponential"), -EINVAL);
}

static void test_exporter_lists(void **state)
{
	static const struct {
		const char *text;
		int value;
	} lists[] = {
		{ "otlp", OTLP_EXPORTER_OTLP },
		{ "none", OTLP_EXPORTER_NONE },
		{ "prometheus, otlp", OTLP_EXPORTER_OTLP },
		{ "otlp,console", OTLP_EXPORTER_OTLP },
		{ " prometheus ,console ", OTLP_EXPORTER_NONE },
		{ "zipkin", -EINVAL },
		{ "otlp,zipkin", -EINVAL },
		{ "otlp none", -EINVAL },
		{ "", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(lists); i++)
		assert_int_equal(otlp_exporter_parse(lists[i].text), lists[i].value);
}

/* ------------------------------------------------------------------ addresses */

struct address {
	const char *base, *own;
	int protocol, insecure;
	const char *url; /* NULL: refused; "": not pushed */
};

static void check_address(const struct address *a)
{
	struct otlp_settings s = {
		.base = { .endpoint = a->base, .protocol = a->protocol, .insecure = a->insecure },
		.signal[OTLP_TRACES].endpoint = a->own,
	};
	struct otlp_endpoint e;
	int rc = otlp_endpoint_resolve(&s, OTLP_TRACES, &e);

	if (!a->url) {
		assert_int_equal(rc, -EINVAL);
		return;
	}
	assert_int_equal(rc, *a->url ? 1 : 0);
	if (rc != 1)
		return;
	assert_string_equal(e.url, a->url);
	assert_int_equal(e.grpc, a->protocol == OTLP_GRPC);
	assert_int_equal(e.tls, !strncmp(a->url, "https", 5));
	otlp_endpoint_free(&e);
}

#define METHOD "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

static void test_addresses(void **state)
{
	static const struct address addresses[] = {
		{ NULL, NULL, 0, 0, "" },
		{ "", "", 0, 0, "" },
		/* the general one is the parent of the signal's */
		{ "http://h:4318", NULL, 0, 0, "http://h:4318/v1/traces" },
		{ "http://h:4318/", NULL, 0, 0, "http://h:4318/v1/traces" },
		{ "https://h/otlp", NULL, 0, 0, "https://h/otlp/v1/traces" },
		{ "https://h/otlp/", "", 0, 0, "https://h/otlp/v1/traces" },
		{ "https://h/a?tenant=b", NULL, 0, 0, "https://h/a/v1/traces?tenant=b" },
		{ "http://[::1]:4318", NULL, 0, 0, "http://[::1]:4318/v1/traces" },
		/* the signal's own is taken as it is */
		{ NULL, "http://h:4318", 0, 0, "http://h:4318/" },
		{ "http://other:1", "https://h/x", OTLP_HTTP_PROTOBUF, 0, "https://h/x" },
		/* gRPC: host:port too, and the path is the method's */
		{ "h:4317", NULL, OTLP_GRPC, 0, "https://h:4317" METHOD },
		{ "h:4317", NULL, OTLP_GRPC, NO, "https://h:4317" METHOD },
		{ "h:4317", NULL, OTLP_GRPC, YES, "http://h:4317" METHOD },
		{ "h", NULL, OTLP_GRPC, YES, "http://h:4317" METHOD },
		{ "http://h:4317", NULL, OTLP_GRPC, NO, "http://h:4317" METHOD },
		{ "https://h:4317/x", NULL, OTLP_GRPC, YES, "https://h:4317" METHOD },
		{ NULL, "http://h:4317", OTLP_GRPC, 0, "http://h:4317" METHOD },
		/* refused */
		{ "h:4318", NULL, 0, 0, NULL },
		{ "localhost", NULL, 0, YES, NULL },
		{ "ftp://h", NULL, 0, 0, NULL },
		{ "unix:///run/otlp", NULL, OTLP_GRPC, 0, NULL },
		{ "http://", NULL, 0, 0, NULL },
		{ "http://h:99999", NULL, 0, 0, NULL },
		{ "http://a b", NULL, 0, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++)
		check_address(&addresses[i]);
}

static void test_shown_without_secrets(void **state)
{
	struct otlp_settings s = { .base.endpoint = "https://user:pa55@h:4318/x?token=t0ken" };
	struct otlp_endpoint e;

	(void)state;
	assert_int_equal(otlp_endpoint_resolve(&s, OTLP_LOGS, &e), 1);
	assert_string_equal(e.url, "https://user:pa55@h:4318/x/v1/logs?token=t0ken");
	assert_string_equal(e.shown, "https://h:4318/x/v1/logs");
	assert_string_equal(e.setting, "OTEL_EXPORTER_OTLP_ENDPOINT (otlp.endpoint)");
	otlp_endpoint_free(&e);
}

static void test_switched_off(void **state)
{
	struct otlp_settings s = { .base.endpoint = "http://h" };
	struct otlp_endpoint e;

	(void)state;
	s.exporter[OTLP_METRICS] = OTLP_EXPORTER_NONE;
	assert_int_equal(otlp_endpoint_resolve(&s, OTLP_METRICS, &e), 0);
	assert_int_equal(otlp_endpoint_resolve(&s, OTLP_TRACES, &e), 1);
	otlp_endpoint_free(&e);
	s.disabled = true;
	assert_int_equal(otlp_endpoint_resolve(&s, OTLP_TRACES, &e), 0);
	s = (struct otlp_settings){ .exporter[OTLP_TRACES] = OTLP_EXPORTER_OTLP };
	assert_int_equal(otlp_endpoint_resolve(&s, OTLP_TRACES, &e), 0);
}

/* Each setting of the signal wins over the general one. */
static void test_own_settings_win(void **state)
{
	struct otlp_settings s = {
		.base = { "http://h", OTLP_GRPC, "a=1,b=2", 2000, OTLP_COMPRESSION_GZIP },
		.signal[OTLP_LOGS] = { "http://own", OTLP_HTTP_PROTOBUF, "c=3", 7,
				       OTLP_COMPRESSION_NONE },
	};
	struct otlp_endpoint e;

	(void)state;
	assert_int_equal(otlp_endpoint_resolve(&s, OTLP_LOGS, &e), 1);
	assert_string_equal(e.url, "http://own/");
	assert_string_equal(e.setting, "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT (otlp.logs.endpoint)");
	assert_false(e.grpc);
	assert_false(e.gzip);
	assert_int_equal(e.timeout_ms, 7);
	assert_int_equal(e.headers.count, 1);
	assert_string_equal(e.headers.items[0].name, "c");
	otlp_endpoint_free(&e);

	assert_int_equal(otlp_endpoint_resolve(&s, OTLP_METRICS, &e), 1);
	assert_true(e.grpc);
	assert_true(e.gzip);
	assert_int_equal(e.timeout_ms, 2000);
	assert_int_equal(e.headers.count, 2);
	otlp_endpoint_free(&e);

	s = (struct otlp_settings){ .base.endpoint = "http://h" };
	assert_int_equal(otlp_endpoint_resolve(&s, OTLP_LOGS, &e), 1);
	assert_false(e.grpc);
	assert_false(e.gzip);
	assert_int_equal(e.timeout_ms, 10000);
	otlp_endpoint_free(&e);
}

/* ------------------------------------------------------------------ headers */

static void test_header_lists(void **state)
{
	static const struct {
		const char *list;
		const char *name, *value; /* of the last header; NULL: refused */
		size_t count;
	} lists[] = {
		{ "api-key=secret", "api-key", "secret", 1 },
		{ " a = 1 ,, b=2 , ", "b", "2", 2 },
		{ "Authorization=Bearer%20abc%3D%3D", "Authorization", "Bearer abc==", 1 },
		{ "a=x=y", "a", "x=y", 1 },
		{ "a=1,A=2", "a", "2", 1 },
		{ "a", NULL, NULL, 0 },
		{ "a=", NULL, NULL, 0 },
		{ "=b", NULL, NULL, 0 },
		{ "a b=c", NULL, NULL, 0 },
		{ "a=b%0d%0aevil:%201", NULL, NULL, 0 },
		{ "a=b\nc", NULL, NULL, 0 },
		{ "a=%zz", NULL, NULL, 0 },
		{ "a=%4", NULL, NULL, 0 },
		{ "a=%00b", NULL, NULL, 0 },
		{ "Content-Type=text/plain", NULL, NULL, 0 },
		{ "grpc-timeout=1S", NULL, NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(lists); i++) {
		struct otlp_headers h = { 0 };
		int err = otlp_headers_add_list(&h, lists[i].list, "test");

		assert_int_equal(err, lists[i].name ? 0 : -EINVAL);
		if (lists[i].name) {
			assert_int_equal(h.count, lists[i].count);
			assert_string_equal(h.items[h.count - 1].name, lists[i].name);
			assert_string_equal(h.items[h.count - 1].value, lists[i].value);
		}
		otlp_headers_free(&h);
	}
}

static void write_file(char path[32], const char *text)
{
	int fd;

	strcpy(path, "/tmp/tokscope-test-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void test_header_file(void **state)
{
	struct otlp_settings s = { .base = { .endpoint = "http://h", .headers = "a=1,b=2" } };
	struct otlp_endpoint e;
	char path[32];

	(void)state;
	write_file(path, "# keys\n\nB: from: file \r\nc:3");
	s.headers_file = path;
	assert_int_equal(otlp_endpoint_resolve(&s, OTLP_TRACES, &e), 1);
	assert_int_equal(e.headers.count, 3);
	assert_string_equal(e.headers.items[0].value, "1");
	assert_string_equal(e.headers.items[1].value, "from: file");
	assert_string_equal(e.headers.items[2].name, "c");
	assert_string_equal(e.headers.items[2].value, "3");
	otlp_endpoint_free(&e);
	unlink(path);
	assert_int_equal(otlp_endpoint_resolve(&s, OTLP_TRACES, &e), -ENOENT);

	write_file(path, "no colon here\n");
	s.headers_file = path;
	assert_int_equal(otlp_endpoint_resolve(&s, OTLP_TRACES, &e), -EINVAL);
	unlink(path);
}

static void test_headers_shown(void **state)
{
	struct otlp_headers h = { 0 };

	(void)state;
	assert_int_equal(otlp_headers_add_list(&h, "auth=Bearer%20abcdefghijkl,k=xyz1", "test"), 0);
	assert_true(otlp_headers_shown_in(&h, "bad token abcdefghijkl"));
	assert_true(otlp_headers_shown_in(&h, "bad token (cut) abcdefgh"));
	assert_true(otlp_headers_shown_in(&h, "key=xyz1"));
	assert_false(otlp_headers_shown_in(&h, "Bearer tokens are needed: abcdefg, xyz"));
	otlp_headers_free(&h);
}

/* ------------------------------------------------------------------ certificates */

static void test_files(void **state)
{
	struct otlp_settings s = { .base.endpoint = "https://h" };
	struct otlp_endpoint e;
	char path[32];

	(void)state;
	write_file(path, "PEM");
	s.base.certificate = path;
	s.base.client_key = path;
	assert_int_equal(otlp_endpoint_resolve(&s, OTLP_TRACES, &e), -EINVAL);
	s.signal[OTLP_TRACES].client_certificate = path;
	assert_int_equal(otlp_endpoint_resolve(&s, OTLP_TRACES, &e), 1);
	assert_string_equal(e.certificate, path);
	assert_string_equal(e.client_key, path);
	assert_string_equal(e.client_certificate, path);
	otlp_endpoint_free(&e);
	unlink(path);
	assert_int_equal(otlp_endpoint_resolve(&s, OTLP_TRACES, &e), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),	      cmocka_unit_test(test_exporter_lists),
		cmocka_unit_test(test_addresses),     cmocka_unit_test(test_shown_without_secrets),
		cmocka_unit_test(test_switched_off),  cmocka_unit_test(test_own_settings_win),
		cmocka_unit_test(test_header_lists),  cmocka_unit_test(test_header_file),
		cmocka_unit_test(test_headers_shown), cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
