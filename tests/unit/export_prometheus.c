// SPDX-License-Identifier: Apache-2.0
/*
 * Both text expositions of one registry with fixed values against tests/golden/metrics; UPDATE_GOLDEN=1 rewrites the files.
 * promtool and Python's OpenMetrics parser judge them too, where they are installed. export_protobuf.c has the third form.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "export/number.h"
#include "export/prometheus.h"
#include "metric/bounds.h"

#define VALUES(...) ((const char *const[METRIC_LABELS_MAX]){ __VA_ARGS__ })
#define SERVER	    "llama.cpp", "node:42:1000", "llama.cpp", "127.0.0.1", "8080", NULL, NULL
#define REQUEST	    SERVER, "chat", "llama.cpp", "m", "m"

/* 2026-11-23T11:52:46.123Z: the creation time of every series here. */
#define START_NS 1795434766123456789ULL

static void fill_requests(struct registry *r)
{
	static const double itl[] = { 0.0004, 0.0005, 0.003, 0.011, 4 };

	registry_add(r, M_REQUESTS, 1, VALUES(REQUEST, "ok", "200"), 3);
	registry_add(r, M_REQUESTS, 1,
		     VALUES(SERVER, "chat", "llama.cpp", NULL, NULL, "error", "400", "400"), 1);
	registry_observe(r, M_REQUEST_DURATION, 1, VALUES(REQUEST, "ok"), 0.5);
	registry_observe(r, M_REQUEST_DURATION, 1, VALUES(REQUEST, "ok"), 0.01);
	registry_observe(r, M_REQUEST_DURATION, 1, VALUES(REQUEST, "ok"), 100);
	for (size_t i = 0; i < sizeof(itl) / sizeof(itl[0]); i++)
		registry_observe(r, M_INTER_TOKEN_LATENCY, 1, VALUES(REQUEST), itl[i]);
	registry_observe(r, M_REQUEST_TOKENS, 1, VALUES(REQUEST, "input"), 1048576);
	registry_observe(r, M_REQUEST_TOKENS, 1, VALUES(REQUEST, "output"), 16);
	registry_set(r, M_IN_FLIGHT, 1, VALUES(SERVER), 2);
}

static void mark(struct registry *r, const char *trace_id, const char *span_id, double value)
{
	struct exemplar e = { .value = value, .time_ns = START_NS + 2000000000 };

	strcpy(e.trace_id, trace_id);
	strcpy(e.span_id, span_id);
	registry_exemplar(r, M_REQUEST_DURATION, VALUES(REQUEST, "ok"), &e);
}

/* The first is replaced by the second, of the same bucket; the last is in the bucket without an end. */
static void fill_exemplars(struct registry *r)
{
	mark(r, "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", 0.45);
	mark(r, "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", 0.5);
	mark(r, "0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b8", 100);
}

static void fill_agent(struct registry *r)
{
	/* The cap is 4: two kinds of this server stay, the rest overflows. */
	static const char *const kinds[] = { "content", "other", "a\\b\"c\nd", "late", "later" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		registry_add(r, M_STREAM_EVENTS, 1, VALUES(SERVER, kinds[i]), i + 1);
	registry_add(r, M_STREAM_GAP_BYTES, 0, VALUES(NULL), 12345678901.0);
	registry_set(r, M_EVENTS_LOST, 0, VALUES("ring_full"), 0);
	registry_set(r, M_BPF_RUN, 0, VALUES("tcp_sendmsg"), 0.123456789);
	registry_set(r, M_BUILD_INFO, 0, VALUES("1.2.3", "sock"), 1);
	registry_set(r, M_PROCESS_START_TIME, 0, VALUES(NULL), 1795434766.12);
	registry_set(r, M_PROCESS_RSS, 0, VALUES(NULL), 33554432);
}

static struct snapshot *fixed_snapshot(void)
{
	struct registry *r = registry_new(&(struct registry_config){ .max_series = 4 });
	struct snapshot *s;

	assert_non_null(r);
	fill_requests(r);
	fill_exemplars(r);
	fill_agent(r);
	s = registry_snapshot(r);
	assert_non_null(s);
	for (int id = 0; id < M_MAX; id++)
		for (size_t i = 0; i < s->families[id].count; i++)
			s->families[id].series[i].start_ns = START_NS;
	registry_free(r);
	return s;
}

static struct buf render(enum exposition e)
{
	struct snapshot *s = fixed_snapshot();
	struct buf out = BUF_INIT;

	exposition_write(&out, e, s);
	snapshot_free(s);
	assert_int_equal(out.err, 0);
	return out;
}

/* The golden files hold @VERSION@ where the program's version stands. */
static struct buf without_version(const struct buf *text)
{
	const char *label = "service_version=\"" TOKSCOPE_VERSION "\"";
	const char *at = strstr(text->data, label);
	struct buf out = BUF_INIT;

	assert_non_null(at);
	buf_append(&out, text->data, at - text->data);
	buf_puts(&out, "service_version=\"@VERSION@\"");
	buf_puts(&out, at + strlen(label));
	return out;
}

static struct buf read_file(const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "r");
	struct buf out = BUF_INIT;
	char piece[4096];
	size_t n;

	if (!f)
		fail_msg("%s: %s (run from the top of the tree)", path, strerror(errno));
	while ((n = fread(piece, 1, sizeof(piece), f)))
		buf_append(&out, piece, n);
	return out;
}

static void write_file(const char *path, const struct buf *text)
{
	_cleanup_fclose_ FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text->data, 1, text->len, f), text->len);
}

static void check_golden(enum exposition e, const char *path)
{
	struct buf raw = render(e), got = without_version(&raw), want;

	if (getenv("UPDATE_GOLDEN"))
		write_file(path, &got);
	want = read_file(path);
	assert_string_equal(got.data, want.data);
	buf_free(&raw);
	buf_free(&got);
	buf_free(&want);
}

static void test_golden_text(void **state)
{
	(void)state;
	check_golden(EXPOSITION_TEXT, "tests/golden/metrics/exposition.txt");
}

static void test_golden_openmetrics(void **state)
{
	(void)state;
	check_golden(EXPOSITION_OPENMETRICS, "tests/golden/metrics/exposition.openmetrics");
}

static void test_empty(void **state)
{
	struct registry *r = registry_new(&(struct registry_config){ 0 });
	struct snapshot *s = registry_snapshot(r);
	struct buf out = BUF_INIT;

	(void)state;
	exposition_write(&out, EXPOSITION_OPENMETRICS, s);
	assert_string_equal(
		out.data,
		"# HELP target The agent that exposes these metrics.\n"
		"# TYPE target info\n"
		"target_info{service_name=\"tokscope\",service_version=\"" TOKSCOPE_VERSION
		"\"} 1\n"
		"# EOF\n");
	buf_free(&out);
	snapshot_free(s);
	registry_free(r);
}

static char *target_line(const struct attribute *attributes, size_t count)
{
	struct registry *r = registry_new(&(struct registry_config){ 0 });
	struct resource *resource = resource_new(attributes, count);
	struct buf out = BUF_INIT;
	struct snapshot *s;
	char *line;

	registry_describe(r, 0, resource);
	s = registry_snapshot(r);
	exposition_write(&out, EXPOSITION_TEXT, s);
	assert_int_equal(out.err, 0);
	line = strdup(strstr(out.data, "\ntarget_info{") + 1);
	*strchr(line, '\n') = '\0';
	buf_free(&out);
	snapshot_free(s);
	resource_put(resource);
	registry_free(r);
	return line;
}

static void test_target_info(void **state)
{
	static const struct attribute attributes[] = {
		{ "service.name", "tokscope-a", 0 },
		{ "host.name", "node \"1\"", 0 },
		{ "process.pid", NULL, 42 },
		{ "host_name", "twice", 0 },
		{ "1st", "x", 0 },
		{ "rack-number", NULL, -7 },
	};
	_cleanup_free_ char *line =
		target_line(attributes, sizeof(attributes) / sizeof(attributes[0]));

	(void)state;
	assert_string_equal(
		line,
		"target_info{service_name=\"tokscope-a\",host_name=\"node \\\"1\\\"\",process_pid=\"42\","
		"key_1st=\"x\",rack_number=\"-7\"} 1");
}

static void test_target_info_is_bounded(void **state)
{
	struct attribute attributes[20];
	char keys[20][16];

	(void)state;
	for (int i = 0; i < 20; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%d", i);
		attributes[i] = (struct attribute){ keys[i], NULL, i };
	}
	_cleanup_free_ char *line = target_line(attributes, 20);

	assert_non_null(strstr(line, "k15=\"15\"} 1"));
}

/* Feeds the exposition to a command; its exit status. What it prints comes out, so a failure can be read. */
static int judge(enum exposition e, const char *command)
{
	struct buf text = render(e);
	FILE *p = popen(command, "w");

	assert_non_null(p);
	assert_int_equal(fwrite(text.data, 1, text.len, p), text.len);
	buf_free(&text);
	return pclose(p);
}

static void skip_unless(const char *probe, const char *what)
{
	if (!system(probe))
		return;
	print_message("skipped: %s is not installed\n", what);
	skip();
}

#define PROMTOOL_PATH "PATH=$PATH:build/promtool/usr/bin; "

/* Quiet: promtool exits 3 on a lint, and prints it. */
static void test_promtool(void **state)
{
	(void)state;
	skip_unless(PROMTOOL_PATH "command -v promtool >/dev/null",
		    "promtool (package prometheus)");
	assert_int_equal(judge(EXPOSITION_TEXT, PROMTOOL_PATH "promtool check metrics 1>&2"), 0);
}

static void test_openmetrics_parser(void **state)
{
	(void)state;
	skip_unless("/usr/bin/python3 -c 'import prometheus_client' 2>/dev/null",
		    "python3-prometheus-client");
	assert_int_equal(
		judge(EXPOSITION_OPENMETRICS, "/usr/bin/python3 tests/e2e/check_openmetrics.py"),
		0);
}

static void check_number(double v, const char *value, const char *le)
{
	struct buf a = BUF_INIT, b = BUF_INIT;

	number_write(&a, v);
	number_write_le(&b, v);
	assert_string_equal(a.data, value);
	assert_string_equal(b.data, le);
	buf_free(&a);
	buf_free(&b);
}

static void test_numbers(void **state)
{
	(void)state;
	check_number(0, "0", "0.0");
	check_number(1, "1", "1.0");
	check_number(-7, "-7", "-7.0");
	check_number(0.25, "0.25", "0.25");
	check_number(0.1, "0.1", "0.1");
	check_number(0.1 + 0.2, "0.30000000000000004", "0.30000000000000004");
	check_number(1e-4, "0.0001", "0.0001");
	check_number(1e-5, "1e-05", "1e-05");
	check_number(262144, "262144", "262144.0");
	check_number(100000, "100000", "100000.0");
	check_number(1e6, "1000000", "1e+06");
	check_number(1048576, "1048576", "1.048576e+06");
	check_number(67108864, "67108864", "6.7108864e+07");
	check_number(9007199254740991.0, "9007199254740991", "9.007199254740991e+15");
	check_number(1e22, "1e+22", "1e+22");
	check_number(INFINITY, "+Inf", "+Inf");
	check_number(-INFINITY, "-Inf", "-Inf");
	check_number(NAN, "NaN", "NaN");
}

static void test_integers(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	number_write_u64(&b, 0);
	buf_puts(&b, " ");
	number_write_u64(&b, UINT64_MAX);
	assert_string_equal(b.data, "0 18446744073709551615");
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_text),
		cmocka_unit_test(test_golden_openmetrics),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_target_info),
		cmocka_unit_test(test_target_info_is_bounded),
		cmocka_unit_test(test_promtool),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_openmetrics_parser),
		cmocka_unit_test(test_integers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
