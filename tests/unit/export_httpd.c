// SPDX-License-Identifier: Apache-2.0
/* The listener over real sockets on a port of the kernel's choice; the client is a plain socket. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "export/gzip.h"
#include "export/httpd.h"

#define VALUES(...) ((const char *const[METRIC_LABELS_MAX]){ __VA_ARGS__ })
#define GET(path)   "GET " path " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

/* ------------------------------------------------------------------ an agent of three functions */

struct agent {
	struct registry *registry;
	struct httpd *httpd;
	const char *sick; /* reason; NULL: healthy */
	bool ready;	  /* /servers has something to say */
};

static struct snapshot *on_snapshot(void *ctx)
{
	return registry_snapshot(((struct agent *)ctx)->registry);
}

static int on_health(void *ctx, char *reason, unsigned long len)
{
	const struct agent *a = ctx;

	if (!a->sick)
		return 0;
	snprintf(reason, len, "%s", a->sick);
	return -EIO;
}

static int on_servers(void *ctx, struct buf *out)
{
	buf_puts(out, "[{\"pid\":1}]\n");
	return ((struct agent *)ctx)->ready ? 0 : -EAGAIN;
}

static int start(struct agent *a, const char *listen, const struct httpd_ops *ops)
{
	*a = (struct agent){ .registry = registry_new(&(struct registry_config){ 0 }) };
	registry_add(a->registry, M_EVENTS_LOST, 0, VALUES("ring_full"), 3);
	a->httpd = httpd_new(&(struct httpd_config){ .listen = listen }, ops, a);
	return a->httpd ? 0 : -errno;
}

static void stop(struct agent *a)
{
	httpd_free(a->httpd);
	registry_free(a->registry);
}

static const struct httpd_ops all_ops = { on_snapshot, on_health, on_servers };

static int setup(void **state)
{
	struct agent *a = calloc(1, sizeof(*a));

	*state = a;
	return a ? start(a, "127.0.0.1:0", &all_ops) : -ENOMEM;
}

static int teardown(void **state)
{
	stop(*state);
	free(*state);
	return 0;
}

/* ------------------------------------------------------------------ client */

static int dial(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { .tv_sec = 10 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* All bytes until the server closes. */
static struct buf drain(int fd)
{
	struct buf out = BUF_INIT;
	char piece[4096];
	ssize_t n;

	while ((n = recv(fd, piece, sizeof(piece), 0)) > 0)
		buf_append(&out, piece, n);
	buf_append(&out, "", 0);
	return out;
}

static struct buf ask(const struct agent *a, const char *request)
{
	_cleanup_close_ int fd = dial(httpd_port(a->httpd));

	say(fd, request);
	return drain(fd);
}

static const char *body_of(const struct buf *answer)
{
	const char *end = strstr(answer->data, "\r\n\r\n");

	assert_non_null(end);
	return end + 4;
}

static void expect(const struct agent *a, const char *request, const char *status,
		   const char *header, const char *body)
{
	struct buf got = ask(a, request);

	if (strncmp(got.data, status, strlen(status)))
		fail_msg("%s -> %.40s", request, got.data);
	if (header && !strstr(got.data, header))
		fail_msg("%s -> no '%s' in %s", request, header, got.data);
	if (body)
		assert_string_equal(body_of(&got), body);
	buf_free(&got);
}

#define SAMPLE "tokscope_events_lost_total{stage=\"ring_full\"} 3\n"

/* ------------------------------------------------------------------ tests */

static void test_text(void **state)
{
	struct buf got = ask(*state, GET("/metrics"));

	assert_non_null(strstr(got.data, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(
		strstr(got.data, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
	assert_non_null(strstr(got.data, "Vary: Accept, Accept-Encoding\r\n"));
	assert_null(strstr(got.data, "Content-Encoding"));
	assert_non_null(strstr(body_of(&got), "\n" SAMPLE));
	assert_null(strstr(got.data, "# EOF"));
	buf_free(&got);
}

static void test_openmetrics(void **state)
{
	struct buf got = ask(*state, "GET /metrics?x=1 HTTP/1.0\r\n"
				     "Accept: application/openmetrics-text;version=1.0.0\r\n\r\n");

	assert_non_null(strstr(got.data,
			       "Content-Type: application/openmetrics-text; version=1.0.0; "
			       "charset=utf-8; escaping=underscores\r\n"));
	assert_non_null(strstr(body_of(&got), "\n" SAMPLE));
	assert_string_equal(got.data + got.len - 6, "# EOF\n");
	buf_free(&got);
}

static void test_gzip(void **state)
{
	struct buf plain = ask(*state, GET("/metrics"));
	struct buf got = ask(*state, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
				     "Accept-Encoding: deflate, gzip;q=0.5\r\n\r\n");
	const char *body = body_of(&got);
	char text[8192];
	z_stream z = { .next_in = (unsigned char *)body,
		       .avail_in = got.data + got.len - body,
		       .next_out = (unsigned char *)text,
		       .avail_out = sizeof(text) - 1 };

	assert_non_null(strstr(got.data, "Content-Encoding: gzip\r\n"));
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	text[z.total_out] = '\0';
	inflateEnd(&z);
	assert_string_equal(text, body_of(&plain));
	buf_free(&plain);
	buf_free(&got);
}

static void test_gzip_of_nothing(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(gzip_buf(&b), 0);
	assert_int_equal(b.len, 20); /* header, one empty block, checksum and length */
	buf_free(&b);
}

static void test_head(void **state)
{
	struct buf got =
		ask(*state, "HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	struct buf full = ask(*state, GET("/metrics"));
	char length[64];

	snprintf(length, sizeof(length), "Content-Length: %zu\r\n", strlen(body_of(&full)));
	assert_non_null(strstr(got.data, length));
	assert_string_equal(body_of(&got), "");
	buf_free(&got);
	buf_free(&full);
}

static void test_pages(void **state)
{
	struct agent *a = *state;

	expect(a, GET("/healthz"), "HTTP/1.1 200 ", "Content-Type: text/plain", "ok\n");
	a->sick = "ring buffer gone";
	expect(a, GET("/healthz"), "HTTP/1.1 503 ", NULL, "ring buffer gone\n");
	expect(a, GET("/servers"), "HTTP/1.1 503 ", NULL, "not ready\n");
	a->ready = true;
	expect(a, GET("/servers"), "HTTP/1.1 200 ", "Content-Type: application/json",
	       "[{\"pid\":1}]\n");
	expect(a, GET("/"), "HTTP/1.1 200 ", "<a href=\"/metrics\">", NULL);
	expect(a, GET("/metrics/"), "HTTP/1.1 404 ", NULL, "not found\n");
	expect(a, GET("//metrics"), "HTTP/1.1 404 ", NULL, "not found\n");
	expect(a, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcd",
	       "HTTP/1.1 405 ", "Allow: GET, HEAD\r\n", "method not allowed\n");
	expect(a, "DELETE /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
	       "HTTP/1.1 405 ", "Allow: GET, HEAD\r\n", "method not allowed\n");
}

static void test_without_servers(void **state)
{
	const struct httpd_ops ops = { on_snapshot, on_health, NULL };
	struct agent a;

	(void)state;
	assert_int_equal(start(&a, "127.0.0.1:0", &ops), 0);
	expect(&a, GET("/servers"), "HTTP/1.1 404 ", NULL, "not found\n");
	stop(&a);
}

static struct snapshot *no_snapshot(void *ctx)
{
	(void)ctx;
	return NULL;
}

static void test_out_of_memory(void **state)
{
	const struct httpd_ops ops = { no_snapshot, on_health, NULL };
	struct agent a;

	(void)state;
	assert_int_equal(start(&a, "127.0.0.1:0", &ops), 0);
	expect(&a, GET("/metrics"), "HTTP/1.1 503 ", "Content-Type: text/plain; charset=utf-8\r\n",
	       "out of memory\n");
	stop(&a);
}

/* A scraper keeps its connection; reads exactly one answer by its Content-Length. */
static void read_one(int fd)
{
	struct buf got = BUF_INIT;
	const char *length, *end;
	char c;

	while (recv(fd, &c, 1, 0) == 1) {
		buf_append(&got, &c, 1);
		end = strstr(got.data, "\r\n\r\n");
		length = strstr(got.data, "Content-Length: ");
		if (end && length && strlen(end + 4) == strtoul(length + 16, NULL, 10))
			break;
	}
	assert_non_null(got.data);
	assert_int_equal(strncmp(got.data, "HTTP/1.1 200 ", 13), 0);
	buf_free(&got);
}

static void test_keep_alive(void **state)
{
	struct agent *a = *state;
	_cleanup_close_ int fd = dial(httpd_port(a->httpd));

	for (int i = 0; i < 3; i++) {
		say(fd, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
		read_one(fd);
	}
}

static void test_too_large(void **state)
{
	struct buf request = BUF_INIT;

	buf_puts(&request, "GET /metrics HTTP/1.1\r\nHost: x\r\nX: ");
	for (int i = 0; i < 20000; i++)
		buf_puts(&request, "a");
	buf_puts(&request, "\r\n\r\n");
	expect(*state, request.data, "HTTP/1.1 431 ", NULL, NULL);
	buf_free(&request);
}

/* A body on a GET is cut off without an answer; the listener goes on. */
static void test_body_is_not_read(void **state)
{
	struct buf got =
		ask(*state, "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde");

	assert_int_equal(got.len, 0);
	buf_free(&got);
	expect(*state, GET("/healthz"), "HTTP/1.1 200 ", NULL, "ok\n");
}

/* The 33rd connection waits, unread, until another one leaves. */
static void test_connection_limit(void **state)
{
	struct agent *a = *state;
	struct pollfd waiting;
	int fds[32];

	for (int i = 0; i < 32; i++) {
		fds[i] = dial(httpd_port(a->httpd));
		say(fds[i], "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
		read_one(fds[i]);
	}
	waiting = (struct pollfd){ .fd = dial(httpd_port(a->httpd)), .events = POLLIN };
	say(waiting.fd, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(poll(&waiting, 1, 100), 0);
	close(fds[0]);
	read_one(waiting.fd);
	close(waiting.fd);
	for (int i = 1; i < 32; i++)
		close(fds[i]);
}

static void test_stop_with_idle_connection(void **state)
{
	struct agent a;
	char c;
	int fd;

	(void)state;
	assert_int_equal(start(&a, "127.0.0.1:0", &all_ops), 0);
	fd = dial(httpd_port(a.httpd));
	say(fd, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
	read_one(fd);
	stop(&a);
	assert_int_equal(recv(fd, &c, 1, 0), 0);
	close(fd);
}

static void *update(void *arg)
{
	const struct agent *a = arg;

	for (int i = 0; i < 20000; i++)
		registry_add(a->registry, M_EVENTS_LOST, 0, VALUES(i % 2 ? "a" : "b"), 1);
	return NULL;
}

static void test_scrape_while_updating(void **state)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, update, *state), 0);
	for (int i = 0; i < 20; i++)
		expect(*state, GET("/metrics"), "HTTP/1.1 200 ", SAMPLE, NULL);
	pthread_join(thread, NULL);
	expect(*state, GET("/metrics"), "HTTP/1.1 200 ", "{stage=\"a\"} 10000\n", NULL);
}

/* ------------------------------------------------------------------ addresses */

/* What httpd_new() logs when it fails on this address; its errno must be `want`. */
static struct buf refusal(const char *listen, int want)
{
	_cleanup_fclose_ FILE *log = tmpfile();
	int saved = dup(STDERR_FILENO), err;
	struct buf out = BUF_INIT;
	struct agent a;
	char line[512];

	assert_non_null(log);
	dup2(fileno(log), STDERR_FILENO);
	err = start(&a, listen, &all_ops);
	dup2(saved, STDERR_FILENO);
	close(saved);
	stop(&a);
	rewind(log);
	while (fgets(line, sizeof(line), log))
		buf_puts(&out, line);
	assert_int_equal(err, -want);
	return out;
}

static void test_address_in_use(void **state)
{
	struct agent *a = *state;
	char address[32];
	struct buf log;

	snprintf(address, sizeof(address), "127.0.0.1:%u", httpd_port(a->httpd));
	log = refusal(address, EADDRINUSE);
	assert_non_null(strstr(log.data, address));
	assert_non_null(strstr(log.data, "Address already in use"));
	assert_non_null(strstr(log.data, "--web.listen-address"));
	buf_free(&log);
}

static void test_bad_addresses(void **state)
{
	static const char *const bad[] = { "",
					   "127.0.0.1",
					   "9464",
					   "127.0.0.1:",
					   "127.0.0.1:65536",
					   "127.0.0.1:-1",
					   "127.0.0.1:0x1",
					   "127.0.0.1: 1",
					   "localhost:0",
					   "::1:0",
					   "[::1]",
					   "[::1:0",
					   "[127.0.0.1]:0",
					   "[]:0",
					   "[:0",
					   "127.0.0.1:000000" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct buf log = refusal(bad[i], EINVAL);

		assert_non_null(strstr(log.data, "--web.listen-address"));
		buf_free(&log);
	}
}

static void test_all_addresses(void **state)
{
	struct agent a;

	(void)state;
	assert_int_equal(start(&a, ":0", &all_ops), 0);
	expect(&a, GET("/healthz"), "HTTP/1.1 200 ", NULL, "ok\n"); /* by IPv4 */
	stop(&a);
}

static void test_ipv6(void **state)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	_cleanup_close_ int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct agent a;
	struct buf got;

	(void)state;
	if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof(to))) {
		print_message("skipped: no IPv6 on the loopback interface\n");
		skip();
	}
	assert_int_equal(start(&a, "[::1]:0", &all_ops), 0);
	assert_true(httpd_port(a.httpd) > 0);
	to.sin6_port = htons(httpd_port(a.httpd));
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	say(fd, GET("/healthz"));
	got = drain(fd);
	assert_string_equal(body_of(&got), "ok\n");
	buf_free(&got);
	stop(&a);
}

#define WITH_AGENT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_AGENT(test_text),
		WITH_AGENT(test_openmetrics),
		WITH_AGENT(test_gzip),
		cmocka_unit_test(test_gzip_of_nothing),
		WITH_AGENT(test_head),
		WITH_AGENT(test_pages),
		cmocka_unit_test(test_without_servers),
		cmocka_unit_test(test_out_of_memory),
		WITH_AGENT(test_keep_alive),
		WITH_AGENT(test_too_large),
		WITH_AGENT(test_body_is_not_read),
		WITH_AGENT(test_connection_limit),
		cmocka_unit_test(test_stop_with_idle_connection),
		WITH_AGENT(test_scrape_while_updating),
		WITH_AGENT(test_address_in_use),
		cmocka_unit_test(test_bad_addresses),
		cmocka_unit_test(test_all_addresses),
		cmocka_unit_test(test_ipv6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
