// SPDX-License-Identifier: Apache-2.0
/* Who is traced, and which stream a byte belongs to: processes, descriptors, threads. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"
#include "stage.h"

static const int families[] = { AF_INET, AF_UNIX };

/* ------------------------------------------------------------------ descriptors */

static void scene_reuse(struct stage *s)
{
	int fd[2], again[2];

	connected_pair(s->notes->family, fd);
	cue(s);
	write_all(fd[0], 0, 10);
	close(fd[0]);
	close(fd[1]);
	connected_pair(s->notes->family, again);
	if (s->notes->family == AF_UNIX)
		must(again[0] == fd[0]);
	write_all(again[0], 0, 20);
	write_all(again[0], 20, 5);
}

static void test_reuse(void **state)
{
	struct stage *s = *state;

	for (int i = 0; i < 2; i++) {
		s->notes->family = families[i];
		stage_play(s, scene_reuse);
		assert_int_equal(stage_sockets(s, TKS_SEND), 2);
		assert_string_equal(stage_stream(s, TKS_SEND, 0), "10");
		assert_string_equal(stage_stream(s, TKS_SEND, 1), "20 5");
	}
}

static void scene_dup(struct stage *s)
{
	int fd[2], copy;

	connected_pair(AF_INET, fd);
	cue(s);
	write_all(fd[0], 0, 10);
	copy = dup(fd[0]);
	close(fd[0]);
	write_all(copy, 10, 20);
}

static void test_dup(void **state)
{
	struct stage *s = *state;

	stage_play(s, scene_dup);
	assert_string_equal(stage_only(s, TKS_SEND), "10 20");
}

static void pass_fd(int channel, int fd)
{
	char c = 0, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec v = { &c, 1 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	*h = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	must(sendmsg(channel, &m, 0) == 1);
}

static int take_fd(int channel)
{
	char c, control[CMSG_SPACE(sizeof(int))];
	struct iovec v = { &c, 1 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	int fd;

	must(recvmsg(channel, &m, 0) == 1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

static void scene_passed(struct stage *s)
{
	int channel[2], fd[2];
	pid_t worker;

	must(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, channel));
	cue(s);
	worker = fork();
	s->notes->worker = worker ?: getpid();
	if (!worker) {
		write_all(take_fd(channel[1]), 10, 20);
		_exit(0);
	}
	connected_pair(AF_INET, fd);
	write_all(fd[0], 0, 10);
	pass_fd(channel[0], fd[0]);
	must(wait(NULL) == worker);
	write_all(fd[0], 30, 5);
}

/* The channel is of packets, not a stream: no records of its own. */
static void test_passed(void **state)
{
	struct stage *s = *state;

	stage_play(s, scene_passed);
	assert_string_equal(stage_only(s, TKS_SEND), "10 20 5");
	assert_string_equal(stage_only(s, TKS_RECV), "");
}

/* ------------------------------------------------------------------ processes */

static void scene_fork(struct stage *s)
{
	pid_t worker;
	int fd[2];

	connected_pair(s->notes->family, fd);
	spawn_sink(fd);
	cue(s);
	write_all(fd[0], 0, 10);
	worker = fork();
	s->notes->worker = worker ?: getpid();
	if (!worker) {
		write_all(fd[0], 10, 20);
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	must(wait(NULL) == worker);
	write_all(fd[0], 30, 5);
}

static uint32_t tgid_of_sender(const struct stage *s, int k)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct tks_data *d = (const struct tks_data *)s->records[i];

		if (d->h.kind == TKS_KIND_DATA && d->dir == TKS_SEND && !k--)
			return d->h.tgid;
	}
	return 0;
}

static void test_fork(void **state)
{
	struct stage *s = *state;

	for (int i = 0; i < 2; i++) {
		uint32_t worker;

		s->notes->family = families[i];
		stage_play(s, scene_fork);
		worker = s->notes->worker;
		assert_string_equal(stage_only(s, TKS_SEND), "10 20 5");
		assert_int_equal(tgid_of_sender(s, 0), s->child);
		assert_int_equal(tgid_of_sender(s, 1), worker);
		assert_int_equal(tgid_of_sender(s, 2), s->child);
		assert_int_equal(stage_proc(s, TKS_PROC_FORK, s->child)->child, worker);
		assert_non_null(stage_proc(s, TKS_PROC_EXEC, worker));
		assert_non_null(stage_proc(s, TKS_PROC_EXIT, worker));
		assert_null(stage_proc(s, TKS_PROC_EXEC, s->child));
		assert_non_null(stage_proc(s, TKS_PROC_EXIT, s->child));
	}
}

static void scene_stranger(struct stage *s)
{
	int fd[2], mine[2];

	connected_pair(AF_INET, fd);
	connected_pair(AF_INET, mine);
	spawn_source(fd, 100);
	cue(s);
	read_all(fd[0], 100);
	cue(s);
	write_all(mine[0], 0, 10);
}

static void unselect(struct stage *s)
{
	loader_unselect(s->loader, s->child);
}

/* The peer is a process that was not selected; then nobody is. */
static void test_stranger(void **state)
{
	struct stage *s = *state;

	s->on_cue = unselect;
	stage_play(s, scene_stranger);
	assert_string_equal(stage_only(s, TKS_RECV), "100");
	assert_string_equal(stage_only(s, TKS_SEND), "");
	assert_null(stage_proc(s, TKS_PROC_EXIT, s->child));
}

static void scene_nothing(struct stage *s)
{
	(void)s;
}

static void test_agent_itself(void **state)
{
	struct stage *s = *state;
	uint16_t port;
	int fd[2], l;

	stage_play(s, scene_nothing);
	assert_int_equal(loader_select(s->loader, getpid()), 0);
	connected_pair(AF_INET, fd);
	write_all(fd[0], 0, 100);
	read_all(fd[1], 100);
	l = listen_on(AF_INET, &port);
	close(l);
	close(fd[0]);
	close(fd[1]);
	stage_read(s);
	loader_unselect(s->loader, getpid());
	assert_int_equal(stage_sockets(s, TKS_SEND), 0);
	assert_int_equal(stage_sockets(s, TKS_RECV), 0);
	assert_null(stage_proc(s, TKS_PROC_LISTEN, getpid()));
}

/* ------------------------------------------------------------------ threads */

struct job {
	int fd, at;
};

static void *write_from_cpu(void *arg)
{
	const struct job *j = arg;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(j->at / 50 % 2 ? sysconf(_SC_NPROCESSORS_ONLN) - 1 : 0, &set);
	sched_setaffinity(0, sizeof(set), &set);
	write_all(j->fd, j->at, 50);
	return NULL;
}

static void scene_threads(struct stage *s)
{
	int fd[2];

	connected_pair(s->notes->family, fd);
	spawn_sink(fd);
	cue(s);
	for (int i = 0; i < 8; i++) {
		struct job j = { fd[0], i * 50 };
		pthread_t t;

		must(!pthread_create(&t, NULL, write_from_cpu, &j));
		must(!pthread_join(t, NULL));
	}
}

static void test_threads(void **state)
{
	struct stage *s = *state;

	for (int i = 0; i < 2; i++) {
		s->notes->family = families[i];
		stage_play(s, scene_threads);
		assert_string_equal(stage_only(s, TKS_SEND), "50 50 50 50 50 50 50 50");
		assert_int_equal(stage_first(s, TKS_SEND)->h.tgid, s->child);
		assert_int_not_equal(stage_first(s, TKS_SEND)->h.tid, s->child);
		assert_null(stage_proc(s, TKS_PROC_FORK, s->child));
	}
}

static const struct test tests[] = {
	{ "a descriptor used again", test_reuse },
	{ "dup", test_dup },
	{ "SCM_RIGHTS", test_passed },
	{ "fork, exec, exit", test_fork },
	{ "a process not selected", test_stranger },
	{ "the agent itself", test_agent_itself },
	{ "threads on all CPUs", test_threads },
};

int main(void)
{
	return stage_run_on_all(tests, sizeof(tests) / sizeof(tests[0]));
}
