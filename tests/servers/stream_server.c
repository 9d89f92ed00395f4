// SPDX-License-Identifier: Apache-2.0
/* Command line, listening socket, one thread (or with --fork one process) a connection, and the relay of --proxy. */
#include "stream_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---------------------------------------------------------------- options */
enum kind {
	FLAG,
	COUNT,
	TEXT,
};

static const struct spec {
	const char *name;
	enum kind kind;
	size_t offset;
	const char *metavar;
	const char *help;
} specs[] = {
#define SPEC(name, kind, field, metavar, help)                            \
	{                                                                 \
		name, kind, offsetof(struct config, field), metavar, help \
	}
	SPEC("host", TEXT, host, "ADDR", "listen address, IPv4 or IPv6 (default: 127.0.0.1)"),
	SPEC("port", COUNT, port, "PORT", "listen port"),
	SPEC("unix", TEXT, unix_path, "PATH", "listen on a unix socket instead"),
	SPEC("tokens", COUNT, tokens, "N",
	     "tokens where the request names no max_tokens (default: 32)"),
	SPEC("interval-us", COUNT, interval_us, "U", "time between tokens (default: 0)"),
	SPEC("delay-first-us", COUNT, delay_first_us, "U",
	     "time before the first token (default: 0)"),
	SPEC("io", TEXT, io, "MODE",
	     "send, write, writev, sendmsg, send1 (byte by byte), iouring, sendfile (default: send)"),
	SPEC("batch", COUNT, batch, "N", "content events in one write (default: 1)"),
	SPEC("text", TEXT, text, "TEXT", "what each token says"),
	SPEC("pad", COUNT, pad, "N", "length of the default text (default: 5)"),
	SPEC("send-buffer", COUNT, send_buffer, "BYTES",
	     "SO_SNDBUF of each connection (default: the kernel's choice)"),
	SPEC("close-delimited", FLAG, close_delimited, NULL,
	     "no chunks: the close ends the stream"),
	SPEC("usage", FLAG, usage, NULL,
	     "send token counts in every stream, not only where asked for"),
	SPEC("error-after", COUNT, error_after, "N", "send an error event after N tokens"),
	SPEC("die-after", COUNT, die_after, "N", "close the connection after N tokens"),
	SPEC("fork", FLAG, fork, NULL, "a child process for each connection"),
	SPEC("proxy", COUNT, proxy, "PORT", "relay every connection to this port of 127.0.0.1"),
	SPEC("help", FLAG, help, NULL, "show this help"),
#undef SPEC
};
#define SPECS (sizeof(specs) / sizeof(*specs))

static _Noreturn void fail(const char *what, const char *why)
{
	fprintf(stderr, "stream_server: %s: %s\n", what, why);
	exit(2);
}

static void help(void)
{
	puts("usage: stream_server --port PORT [option...]\n\n"
	     "An OpenAI-shaped chat server without a model, for tests. Its own exact counts: GET /metrics.\n");
	for (size_t i = 0; i < SPECS; i++) {
		char left[40];

		snprintf(left, sizeof(left), "--%s %s", specs[i].name, specs[i].metavar ?: "");
		printf("  %-22s %s\n", left, specs[i].help);
	}
}

static void set(struct config *o, const struct spec *s, const char *value)
{
	char *field = (char *)o + s->offset, *end = NULL;

	if (s->kind == FLAG)
		*(bool *)field = true;
	else if (s->kind == TEXT)
		*(const char **)field = value;
	else
		*(uint64_t *)field = strtoull(value, &end, 10);
	if (s->kind == COUNT && (!*value || *value == '-' || *end))
		fail(s->name, "not a number");
}

/* The text as it stands between the quotes of a JSON string. Lives as long as the program. */
static const char *escaped_text(const struct config *o)
{
	char *plain = o->text ? strdup(o->text) : malloc(o->pad + 1), *quoted;
	json_t *string;

	if (!plain)
		fail("text", "out of memory");
	if (!o->text)
		snprintf(plain, o->pad + 1, "%*s", (int)o->pad, "word");
	string = json_string(plain);
	quoted = json_dumps(string, JSON_ENCODE_ANY);
	json_decref(string);
	free(plain);
	if (!quoted)
		fail("--text", "is not UTF-8");
	quoted[strlen(quoted) - 1] = '\0';
	return quoted + 1;
}

static void parse_options(struct config *o, int argc, char **argv)
{
	struct option longs[SPECS + 1] = { 0 };
	int index, c;

	*o = (struct config){
		.host = "127.0.0.1", .io = "send", .tokens = 32, .batch = 1, .pad = 5
	};
	for (size_t i = 0; i < SPECS; i++)
		longs[i] = (struct option){ specs[i].name,
					    specs[i].kind == FLAG ? no_argument : required_argument,
					    NULL, 0 };
	while ((c = getopt_long(argc, argv, "", longs, &index)) != -1) {
		if (c != 0)
			exit(2);
		set(o, &specs[index], optarg);
	}
	if (o->help) {
		help();
		exit(0);
	}
	if (optind < argc)
		fail(argv[optind], "unexpected argument");
	if (!o->port && !o->unix_path)
		fail("where to listen", "give --port or --unix");
	if (!o->batch)
		fail("--batch", "must be 1 or more");
	o->text = escaped_text(o);
}

/* ---------------------------------------------------------------- sockets */
static socklen_t address_of(const char *host, uint64_t port, struct sockaddr_storage *storage)
{
	struct sockaddr_in *in = (struct sockaddr_in *)storage;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)storage;

	memset(storage, 0, sizeof(*storage));
	if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		return sizeof(*in);
	}
	if (inet_pton(AF_INET6, host, &in6->sin6_addr) != 1)
		fail(host, "not an IP address");
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons((uint16_t)port);
	return sizeof(*in6);
}

static int listen_socket(const struct config *o)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct sockaddr_storage storage;
	struct sockaddr *address =
		(struct sockaddr *)(o->unix_path ? (void *)&un : (void *)&storage);
	socklen_t len = o->unix_path ? sizeof(un) : address_of(o->host, o->port, &storage);
	int fd, one = 1;

	if (o->unix_path) {
		snprintf(un.sun_path, sizeof(un.sun_path), "%s", o->unix_path);
		unlink(o->unix_path);
	}
	fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fail("socket", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, address, len) || listen(fd, 1024))
		fail("listen", strerror(errno));
	return fd;
}

/* ---------------------------------------------------------------- the relay */
static int connect_engine(uint64_t port)
{
	struct sockaddr_storage storage;
	socklen_t len = address_of("127.0.0.1", port, &storage);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&storage, len) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Moves what is there from one socket to the other. Returns false at the end of either. */
static bool move(int from, int to)
{
	char buffer[65536];
	ssize_t n = recv(from, buffer, sizeof(buffer), 0);

	for (ssize_t sent = 0, k; sent < n; sent += k) {
		k = send(to, buffer + sent, (size_t)(n - sent), MSG_NOSIGNAL);
		if (k < 0)
			return false;
	}
	return n > 0;
}

static void relay(const struct config *o, int client)
{
	int engine = connect_engine(o->proxy);
	struct pollfd fds[2] = { { client, POLLIN, 0 }, { engine, POLLIN, 0 } };
	bool open = engine >= 0;

	while (open && poll(fds, 2, -1) > 0) {
		if (fds[0].revents)
			open = move(client, engine);
		if (open && fds[1].revents)
			open = move(engine, client);
	}
	if (engine >= 0)
		close(engine);
}

/* ---------------------------------------------------------------- connections */
static void handle(struct connection *c)
{
	int one = 1, bytes = (int)c->config->send_buffer;

	setsockopt(c->writer.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bytes)
		setsockopt(c->writer.fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	if (c->config->proxy)
		relay(c->config, c->writer.fd);
	else
		serve(c);
	writer_close(&c->writer);
}

static void *connection_thread(void *arg)
{
	struct connection *c = arg;

	handle(c);
	free(c);
	return NULL;
}

static void start_child(const struct connection *c)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct connection mine = *c;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		handle(&mine);
		_exit(0);
	}
	if (pid < 0)
		perror("stream_server: fork");
	close(c->writer.fd);
}

static void start_thread(const struct connection *c)
{
	struct connection *mine = malloc(sizeof(*mine));
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (mine) {
		*mine = *c;
		if (!pthread_create(&thread, &attr, connection_thread, mine))
			mine = NULL; /* the thread's now */
	}
	if (mine) {
		fputs("stream_server: cannot start a thread\n", stderr);
		close(c->writer.fd);
		free(mine);
	}
	pthread_attr_destroy(&attr);
}

static const struct io_mode *check_mode(const struct config *o)
{
	const char *names;
	const struct io_mode *mode = io_mode_find(o->io, &names);

	if (!mode)
		fail("--io is one of", names);
	if (!strcmp(o->io, "iouring")) {
		struct uring *u = uring_new();

		if (!u)
			fail("io_uring", strerror(errno));
		uring_free(u);
	}
	return mode;
}

int main(int argc, char **argv)
{
	struct config o;
	struct connection c = { .config = &o, .writer = { .memfd = -1 } };
	int fd;

	parse_options(&o, argc, argv);
	c.writer.mode = check_mode(&o);
	c.counters = mmap(NULL, sizeof(*c.counters), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (c.counters == MAP_FAILED)
		fail("mmap", strerror(errno));
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	fd = listen_socket(&o);
	for (;;) {
		c.writer.fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		if (c.writer.fd < 0 && errno != EINTR && errno != ECONNABORTED)
			fail("accept", strerror(errno));
		if (c.writer.fd < 0)
			continue;
		if (o.fork)
			start_child(&c);
		else
			start_thread(&c);
	}
}
