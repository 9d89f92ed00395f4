// SPDX-License-Identifier: Apache-2.0
/*
 * The event loop: one thread and epoll, so that the client's own share of the CPU stays small. Of all sockets that are
 * ready, each is first read and stamped, and only then is anything parsed: parsing one answer never delays the stamp of
 * another.
 */
#include "loadgen.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH	    64
#define READ_BYTES  65536
#define PROGRESS_NS (NS_PER_S / 2)

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

void vec_append(struct vec *v, const void *items, size_t count, size_t size)
{
	if (count == 0)
		return;
	if (v->count + count > v->capacity) {
		v->capacity = (v->count + count) * 2;
		v->items = realloc(v->items, v->capacity * size);
		if (!v->items) {
			fputs("loadgen: out of memory\n", stderr);
			exit(1);
		}
	}
	memcpy((char *)v->items + v->count * size, items, count * size);
	v->count += count;
}

/* One socket that was ready. */
struct ready {
	struct client *client;
	uint32_t events;
	long len; /* bytes read, 0 at the end, negative errno; -EAGAIN: nothing to read */
	uint64_t time_ns;
};

static void read_all(struct ready *ready, int count, char (*buffers)[READ_BYTES])
{
	for (int i = 0; i < count; i++) {
		struct ready *r = &ready[i];

		r->len = -EAGAIN;
		if (r->client->state == CLIENT_CONNECTING)
			continue;
		r->len = recv(r->client->fd, buffers[i], READ_BYTES, MSG_DONTWAIT);
		r->time_ns = now_ns();
		if (r->len < 0)
			r->len = -errno;
	}
}

static void finish_connect(struct run *r, struct client *c)
{
	socklen_t len = sizeof(int);
	int err = 0;

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (err)
		client_finish(r, c, OUTCOME_ERROR, strerror(err));
	else
		client_writable(r, c);
}

static void handle(struct run *r, struct ready *ready, const char *data)
{
	struct client *c = ready->client;
	int64_t events = c->answer.events, content = c->answer.content_events;

	if (c->state == CLIENT_CONNECTING) {
		finish_connect(r, c);
		return;
	}
	if (ready->len != -EAGAIN) {
		client_received(r, c, data, ready->len, ready->time_ns);
		r->events += (uint64_t)(c->answer.events > events ? c->answer.events - events : 0);
		r->content_events += (uint64_t)(c->answer.content_events > content
							? c->answer.content_events - content
							: 0);
	}
	if (c->state == CLIENT_SENDING && ready->events & EPOLLOUT)
		client_writable(r, c);
}

/* ---------------------------------------------------------------- the loop */
static bool may_start(const struct run *r, uint64_t now)
{
	const struct options *o = &r->options;

	if (o->requests && r->started >= o->requests)
		return false;
	return o->duration_s <= 0 || seconds(now - r->start_ns) < o->duration_s;
}

/* When the next request is due, as --rate and --ramp-up have it. */
static uint64_t due_ns(const struct run *r)
{
	const struct options *o = &r->options;
	double due_s = 0;

	if (o->rate > 0)
		due_s = (double)r->started / o->rate;
	else if (r->started < o->clients)
		due_s = (double)r->started / (double)o->clients * o->ramp_up_s;
	return r->start_ns + (uint64_t)(due_s * 1e9);
}

static void start_due(struct run *r)
{
	for (uint64_t i = 0; i < r->options.clients; i++) {
		uint64_t now = now_ns();

		if (!may_start(r, now) || now < due_ns(r))
			return;
		if (r->clients[i].state == CLIENT_IDLE)
			client_start(r, &r->clients[i]);
	}
}

static void expire(struct run *r)
{
	uint64_t now = now_ns();

	for (uint64_t i = 0; i < r->options.clients; i++) {
		struct client *c = &r->clients[i];

		if (c->state != CLIENT_IDLE && seconds(now - c->started_ns) > r->options.timeout_s)
			client_finish(r, c, OUTCOME_ERROR, "no end within --timeout");
	}
}

static void abort_all(struct run *r)
{
	for (uint64_t i = 0; i < r->options.clients; i++)
		if (r->clients[i].state != CLIENT_IDLE)
			client_finish(r, &r->clients[i], OUTCOME_ABORTED, NULL);
}

static int wait_ready(struct run *r, uint64_t until_ns, struct ready *ready, bool *interrupted)
{
	struct epoll_event events[BATCH];
	uint64_t now = now_ns();
	uint64_t left = until_ns > now ? until_ns - now : 0;
	struct timespec timeout = { (time_t)(left / NS_PER_S), (long)(left % NS_PER_S) };
	int count = epoll_pwait2(r->epoll_fd, events, BATCH, &timeout, NULL), kept = 0;

	for (int i = 0; i < count; i++) {
		if (events[i].data.ptr)
			ready[kept++] = (struct ready){ .client = events[i].data.ptr,
							.events = events[i].events };
		else
			*interrupted = true;
	}
	return kept;
}

/* Returns true when it was interrupted. */
static bool run(struct run *r, char (*buffers)[READ_BYTES])
{
	struct ready ready[BATCH];
	uint64_t progress_ns = r->start_ns + PROGRESS_NS, tick = 0;
	bool interrupted = false;

	for (;;) {
		uint64_t until = progress_ns;
		int count;

		start_due(r);
		if (!r->open && !may_start(r, now_ns()))
			return false;
		if (r->open < r->options.clients && may_start(r, now_ns()) && due_ns(r) < until)
			until = due_ns(r);
		count = wait_ready(r, until, ready, &interrupted);
		if (interrupted) {
			abort_all(r);
			return true;
		}
		read_all(ready, count, buffers);
		for (int i = 0; i < count; i++)
			handle(r, &ready[i], buffers[i]);
		if (now_ns() >= progress_ns) {
			progress_ns = now_ns() + PROGRESS_NS;
			expire(r);
			report_progress(r, ++tick, false);
		}
	}
}

/* ---------------------------------------------------------------- set up, clean up */
/* Ctrl-C and SIGTERM arrive as an epoll event without a client. */
static int watch_signals(int epoll_fd)
{
	struct epoll_event event = { .events = EPOLLIN };
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
	return fd;
}

static FILE *open_json(const char *path)
{
	FILE *f;

	if (!path)
		return NULL;
	if (!strcmp(path, "-"))
		return stdout;
	f = fopen(path, "w");
	if (!f) {
		fprintf(stderr, "loadgen: cannot write %s: %s\n", path, strerror(errno));
		exit(2);
	}
	return f;
}

static void cleanup(struct run *r)
{
	for (uint64_t i = 0; i < r->options.clients; i++)
		client_free(&r->clients[i]);
	free(r->clients);
	free(r->ttft.items);
	free(r->itl.items);
	free(r->tpot.items);
	free(r->duration.items);
	close(r->epoll_fd);
	if (r->json && r->json != stdout)
		fclose(r->json);
}

int main(int argc, char **argv)
{
	struct run r = { 0 };
	char(*buffers)[READ_BYTES];
	bool interrupted;
	int signal_fd;

	options_parse(&r.options, argc, argv);
	r.json = open_json(r.options.json);
	r.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	signal_fd = watch_signals(r.epoll_fd);
	buffers = malloc(sizeof(*buffers) * BATCH);
	r.clients = calloc(r.options.clients, sizeof(*r.clients));
	if (!buffers || !r.clients) {
		fputs("loadgen: out of memory\n", stderr);
		return 1;
	}
	for (uint64_t i = 0; i < r.options.clients; i++)
		r.clients[i].fd = -1;
	r.start_ns = now_ns();
	interrupted = run(&r, buffers);
	r.end_ns = now_ns();
	report_progress(&r, 0, true);
	if (r.json != stdout)
		report_summary(&r, stdout);
	cleanup(&r);
	free(buffers);
	close(signal_fd);
	if (interrupted)
		return 130;
	return r.finished[OUTCOME_ERROR] ? 1 : 0;
}
