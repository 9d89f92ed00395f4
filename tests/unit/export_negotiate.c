// SPDX-License-Identifier: Apache-2.0
/* Accept and Accept-Encoding headers that scrapers, browsers and curl send, and the corners of RFC 9110. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "export/accept.h"
#include "export/prometheus.h"

#define TEXT EXPOSITION_TEXT
#define OM   EXPOSITION_OPENMETRICS
#define PB   EXPOSITION_PROTOBUF
#define PROTO \
	"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"

static const struct {
	const char *accept;
	enum exposition want;
} formats[] = {
	{ NULL, TEXT },
	{ "", TEXT },
	{ ",", TEXT },
	{ "*/*", TEXT },
	{ "text/plain", TEXT },
	{ "text/*", TEXT },
	{ "application/*", OM },
	{ "application/openmetrics-text", OM },
	{ "application/openmetrics-text; version=1.0.0", OM },
	{ "APPLICATION/OpenMetrics-Text;Version=\"1.0.0\";Q=0.3", OM },
	{ "application/openmetrics-text;version=0.0.1", OM },
	{ "application/openmetrics-text;version=2.0.0", TEXT },
	{ "application/openmetrics-text;version=2.0.0,application/openmetrics-text;q=0.1", OM },
	{ "application/openmetrics-text;q=0", TEXT },
	{ "application/openmetrics-text;q=0,*/*;q=0.1", TEXT },
	{ "application/json", TEXT },
	{ "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", TEXT },
	{ "text/plain;q=0.5,application/openmetrics-text;q=0.6", OM },
	{ "application/openmetrics-text;q=0.50,text/plain;q=0.501", TEXT },
	{ "text/plain;q=0.5, */*;q=0.9", OM },	     /* the wildcard does not lift what is named */
	{ "*/*, application/openmetrics-text", OM }, /* named beats matched */
	{ "application/openmetrics-text, text/plain", TEXT }, /* a tie: the simpler form */
	{ "text/plain;version=0.0.4;q=x,application/openmetrics-text;q=0.1", OM },
	{ PROTO, PB },
	{ "application/vnd.google.protobuf", PB },
	{ "application/vnd.google.protobuf; encoding=delimited", PB },
	{ "application/vnd.google.protobuf; encoding=\"delimited\"; q=0.3, text/plain;q=0.2", PB },
	{ "application/vnd.google.protobuf; encoding=text", TEXT },
	{ "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=compact-text",
	  TEXT },
	{ "application/vnd.google.protobuf; proto=io.prometheus.write.v2.Request", TEXT },
	{ PROTO ";q=0.1;escaping=allow-utf-8, application/openmetrics-text;q=0.05", PB },
	{ PROTO ", application/openmetrics-text", OM }, /* a tie */
	{ PROTO ";q=0", TEXT },
	/* Prometheus 2.42, with and without native histograms. */
	{ "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
	  "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
	  OM },
	{ PROTO
	  ",application/openmetrics-text;version=1.0.0;q=0.8,"
	  "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
	  PB },
	/* Prometheus 3, with native histograms, and with an order of its configuration. */
	{ PROTO
	  ";q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
	  "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
	  "text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
	  PB },
	{ "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6," PROTO
	  ";q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
	  OM },
	{ "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6," PROTO
	  ";q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
	  PB }, /* text 1.0.0 is not spoken here */
	{ "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,*/*;q=0.1", TEXT },
};

static void test_format(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (exposition_negotiate(formats[i].accept) != formats[i].want)
			fail_msg("wrong format for Accept: %s", formats[i].accept);
}

static void test_content_type(void **state)
{
	(void)state;
	assert_string_equal(exposition_content_type(TEXT),
			    "text/plain; version=0.0.4; charset=utf-8");
	assert_string_equal(
		exposition_content_type(OM),
		"application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores");
	assert_string_equal(
		exposition_content_type(PB),
		"application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited");
}

static void test_gzip(void **state)
{
	static const struct {
		const char *header;
		bool want;
	} cases[] = {
		{ NULL, false },
		{ "", false },
		{ "gzip", true },
		{ "x-gzip", true },
		{ "deflate, GZIP;q=0.5", true },
		{ "gzip;q=0", false },
		{ "gzip;q=0.000", false },
		{ "gzip;q=0.001", true },
		{ "gzip;q=2", false },
		{ "gzip;q=1.5", false },
		{ "*", true },
		{ "*;q=0", false },
		{ "gzip;q=0, *", false },
		{ "identity", false },
		{ "gzipped", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (accept_gzip(cases[i].header) != cases[i].want)
			fail_msg("wrong for Accept-Encoding: %s", cases[i].header);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_content_type),
		cmocka_unit_test(test_gzip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
