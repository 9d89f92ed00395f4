// SPDX-License-Identifier: Apache-2.0
/*
 * What one system call costs: prints a JSON object, ns per call by kind, each the minimum of several rounds (the least
 * disturbed one).
 *
 * usage: syscall_cost [ROUNDS]: listens, prints its pid, and waits for a line on stdin before it measures, so that the bench can
 * start the agent on it (traced) or on something else (untraced). What it sends is a stream of events as llama-server
 * writes one, so that a traced process costs what a real one costs.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS	   15 /* unless told otherwise */
#define BATCHES	   100
#define BATCH	   100 /* calls between two looks at the clock; what they send fits the socket buffer */
#define EVENT_LEN  250 /* one event of llama-server, chunk frame included */
#define CHUNK_HEAD "f4\r\ndata: "

_Static_assert(0xf4 + sizeof("f4\r\n\r\n") - 1 == EVENT_LEN,
	       "the chunk size and EVENT_LEN say the same");

struct fds {
	int client, server, null;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static void must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static void send_event(const struct fds *f)
{
	static char event[EVENT_LEN];

	if (!event[0]) {
		memset(event, 'x', sizeof(event));
		memcpy(event, CHUNK_HEAD, strlen(CHUNK_HEAD));
		memcpy(event + EVENT_LEN - 4, "\n\n\r\n", 4);
	}
	must(write(f->server, event, EVENT_LEN) == EVENT_LEN, "write to the socket");
}

static void receive_event(const struct fds *f)
{
	char event[EVENT_LEN];

	must(recv(f->client, event, EVENT_LEN, MSG_WAITALL) == EVENT_LEN, "recv");
}

static void send_batch(const struct fds *f)
{
	for (int i = 0; i < BATCH; i++)
		send_event(f);
}

static void receive_batch(const struct fds *f)
{
	for (int i = 0; i < BATCH; i++)
		receive_event(f);
}

static void get_ppid(const struct fds *f)
{
	(void)f;
	syscall(SYS_getppid);
}

static void write_null(const struct fds *f)
{
	must(write(f->null, "", 1) == 1, "write to /dev/null");
}

/* `call` is measured; `before` and `after` a batch of them are not. */
static const struct kind {
	const char *name;
	void (*before)(const struct fds *f);
	void (*call)(const struct fds *f);
	void (*after)(const struct fds *f);
} kinds[] = {
	{ "getppid", NULL, get_ppid, NULL },
	{ "write to /dev/null", NULL, write_null, NULL },
	{ "write of an SSE event", NULL, send_event, receive_batch },
	{ "recv of an SSE event", send_batch, receive_event, NULL },
};

static uint64_t batch_ns(const struct kind *k, const struct fds *f)
{
	uint64_t start, took;

	if (k->before)
		k->before(f);
	start = now_ns();
	for (int i = 0; i < BATCH; i++)
		k->call(f);
	took = now_ns() - start;
	if (k->after)
		k->after(f);
	return took;
}

/* ns per call */
static double cost(const struct kind *k, const struct fds *f, int rounds)
{
	uint64_t best = UINT64_MAX;

	for (int round = 0; round < rounds; round++) {
		uint64_t sum = 0;

		for (int i = 0; i < BATCHES; i++)
			sum += batch_ns(k, f);
		best = sum < best ? sum : best;
	}
	return (double)best / (BATCHES * BATCH);
}

static int listen_socket(struct sockaddr_in *a)
{
	socklen_t len = sizeof(*a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*a = (struct sockaddr_in){ .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	must(!bind(fd, (void *)a, len) && !listen(fd, 1) && !getsockname(fd, (void *)a, &len),
	     "listen");
	return fd;
}

/* A connection with a request and the head of its answer behind it: events may follow. */
static struct fds open_stream(int listener, const struct sockaddr_in *a)
{
	static const char request[] = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
				      "Content-Length: 15\r\n\r\n{\"stream\":true}";
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
				   "Transfer-Encoding: chunked\r\n\r\n";
	char buffer[sizeof(request) + sizeof(head)];
	struct fds f = { .client = socket(AF_INET, SOCK_STREAM, 0),
			 .null = open("/dev/null", O_WRONLY) };

	must(!connect(f.client, (const void *)a, sizeof(*a)), "connect");
	f.server = accept(listener, NULL, NULL);
	must(f.server >= 0, "accept");
	must(write(f.client, request, sizeof(request) - 1) > 0, "write of the request");
	must(recv(f.server, buffer, sizeof(request) - 1, MSG_WAITALL) > 0, "recv of the request");
	must(write(f.server, head, sizeof(head) - 1) > 0, "write of the head");
	must(recv(f.client, buffer, sizeof(head) - 1, MSG_WAITALL) > 0, "recv of the head");
	return f;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS;
	struct sockaddr_in address;
	int listener = listen_socket(&address);
	struct fds f;
	char line[16];

	printf("%d\n", getpid());
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 1;
	f = open_stream(listener, &address);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		printf("%s\"%s\":%.1f", i ? "," : "{", kinds[i].name, cost(&kinds[i], &f, rounds));
	puts("}");
	return 0;
}
