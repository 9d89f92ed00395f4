// SPDX-License-Identifier: Apache-2.0
/* Configuration files that are wrong, and hostile ones: each mistake with its line, and nothing crashes. */
#include "config_world.h"

#include "cli/config_source.h"

/* message NULL: the file is fine. */
static void check_bytes(const char *text, size_t len, const char *message)
{
	struct config c;
	char want[1024], *error;
	int err;

	assert_int_equal(config_init(&c), 0);
	c.config_file = "f.yaml";
	err = config_read_text(&c, text, len, &error);
	if (message) {
		assert_int_equal(err, -EBADMSG);
		snprintf(want, sizeof(want), "f.yaml:%s", message);
		assert_string_equal(error, want);
	} else {
		assert_null(error);
		assert_int_equal(err, 0);
	}
	free(error);
	config_free(&c);
}

static void check(const char *text, const char *message)
{
	check_bytes(text, strlen(text), message);
}

#define TOP_KEYS \
	"log_level, records, select, capture, gpu, probes, web, metrics, traces, otlp, kubernetes"

static void test_keys(void **state)
{
	(void)state;
	check("trace:\n  ratio: 1\n",
	      "1: unknown key of the file 'trace'; did you mean 'traces'? known: " TOP_KEYS);
	check("otlp.endpoint: http://a\n",
	      "1: unknown key of the file 'otlp.endpoint'; known: " TOP_KEYS);
	check("traces:\n  ratio: 1\n  slow_tftt: 1\n",
	      "3: unknown key of traces 'slow_tftt'; did you mean 'slow_ttft'? "
	      "known: ratio, rate, slow_ttft, slow_itl");
	check("otlp:\n  traces:\n    temporality: delta\n",
	      "3: unknown key of otlp.traces 'temporality'; known: endpoint, protocol, headers, timeout, "
	      "compression, certificate, client_key, client_certificate, insecure, exporter, "
	      "schedule_delay, export_timeout, max_queue_size, max_batch_size");
	check("traces:\n  ratio: 1\n  ratio: 1\n",
	      "3: traces.ratio is given twice, first on line 2");
	check("traces:\n  ratio: 1\nweb:\ntraces:\n", "4: the section traces is there twice");
	check("traces: 1\n", "1: traces is a mapping: lines of 'key: value'");
	check("- traces\n", "1: the configuration is a mapping: lines of 'key: value'");
	check("[a]: b\n", "1: one value is expected here, not a list or mapping");
}

static void test_values(void **state)
{
	(void)state;
	check("otlp:\n  protocol: grcp\n",
	      "2: unknown value of otlp.protocol 'grcp'; did you mean 'grpc'? known: http/protobuf, grpc");
	check("traces: {ratio: 2}\n", "1: traces.ratio is a number from 0 to 1, not '2'");
	check("traces:\n  ratio: [1]\n", "2: one value is expected here, not a list or mapping");
	check("traces:\n  ratio:\n", "2: the value is empty");
	check("select:\n  ports:\n  - 1\n  - x\n",
	      "4: select.ports is a TCP port, 1 to 65535, not 'x'");
	check("select:\n  ports: {a: 1}\n", "2: one value is expected here, not a list or mapping");
	check("otlp: {metrics: {interval: 5x}}\n",
	      "1: otlp.metrics.interval is a time above 0 such as 500ms, 5s or 2m, not '5x'");
	check("records: \"a\\0b\"\n", "1: the value has a control character in it");
}

/* A message holds no header, and no URL. */
static void test_secrets(void **state)
{
	(void)state;
	check("otlp:\n  headers: a=secret\n",
	      "2: otlp.headers is a mapping: lines of 'key: value'");
	check("otlp:\n  headers: {'a b': secret}\n",
	      "2: a name has no comma, equals sign or blank in it");
	check("otlp:\n  headers: {a: [secret]}\n",
	      "2: one value is expected here, not a list or mapping");
	check("otlp:\n  endpoint: http://u:secret@ h\n",
	      "2: otlp.endpoint is a URL, which this is not");
}

static void test_what_is_fine(void **state)
{
	(void)state;
	check("", NULL);
	check("# nothing\n", NULL);
	check("otlp:\n  # all commented out\nweb:\n", NULL);
	check("select: {ports: [], comms: [a, b]}\notlp: {headers: {}}\n", NULL);
	check("{\"log_level\": \"warn\"}\n", NULL);
}

static void test_pairs_are_encoded(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w,
		    "otlp:\n  headers:\n    authorization: Bearer a,b=c%\n    x: \"\xc3\xa9\"\n");
	assert_int_equal(world_load(&w), 0);
	assert_string_equal(w.config.otlp.base.headers,
			    "authorization=Bearer%20a%2Cb%3Dc%25,x=%C3%A9");
	assert_setting(&w, "otlp.headers",
		       "{\"authorization\": \"Bearer a,b=c%\", \"x\": \"\xc3\xa9\"} FILE:3");
	world_end(&w);
}

/* ------------------------------------------------------------------ hostile */

static void test_not_yaml(void **state)
{
	(void)state;
	check("traces:\n\tratio: 1\n", "2: a tab: YAML is indented with spaces");
	check("log_level: info\n\xff\n", "2: not UTF-8 text: invalid leading UTF-8 octet");
	check_bytes("log_level: in\0fo\n", 17,
		    "1: not UTF-8 text: control characters are not allowed");
	check("log_level: info\n---\nlog_level: info\n", "2: a second document: a file holds one");
	check("traces: {ratio: 1\n",
	      "2: not YAML: while parsing a flow mapping, did not find expected ',' or '}'");
}

static void test_aliases(void **state)
{
	(void)state;
	check("traces: &a\n  ratio: 1\nweb: *a\n",
	      "3: aliases (*name) are not supported: write it out");
	check("traces: &a {ratio: *a}\n", "1: aliases (*name) are not supported: write it out");
	/* Would be 10^9 words if aliases were followed. */
	check("a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n",
	      "1: unknown key of the file 'a'; known: " TOP_KEYS);
}

static void test_deep(void **state)
{
	enum {
		DEPTH = 2000
	};
	char text[DEPTH + 16];
	struct config c;
	char *error;

	(void)state;
	strcpy(text, "records: ");
	memset(text + 9, '[', DEPTH);
	assert_int_equal(config_init(&c), 0);
	c.config_file = "f.yaml";
	assert_int_equal(config_read_text(&c, text, 9 + DEPTH, &error), -EBADMSG);
	assert_non_null(error);
	free(error);
	config_free(&c);
}

static void test_many_keys(void **state)
{
	enum {
		KEYS = 20000
	};
	char *text = malloc(KEYS * 16 + 32), *end = text;

	(void)state;
	assert_non_null(text);
	end += sprintf(end, "web:\n");
	for (int i = 0; i < KEYS; i++)
		end += sprintf(end, "otlp: {}\n");
	check_bytes(text, end - text, "3: the section otlp is there twice");
	free(text);
}

static void test_a_file_of_a_megabyte_and_more(void **state)
{
	enum {
		SIZE = (1 << 20) + 1
	};
	char *text = malloc(SIZE + 1);
	struct world w;

	(void)state;
	assert_non_null(text);
	memset(text, '#', SIZE);
	text[SIZE] = '\0';
	world_begin(&w, text);
	assert_int_equal(world_load(&w), -EBADMSG);
	config_free(&w.config);
	text[SIZE - 1] = '\0';
	world_write(&w, text);
	assert_int_equal(world_load(&w), 0);
	world_end(&w);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_what_is_fine),
		cmocka_unit_test(test_pairs_are_encoded),
		cmocka_unit_test(test_not_yaml),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_many_keys),
		cmocka_unit_test(test_a_file_of_a_megabyte_and_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
