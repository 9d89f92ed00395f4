// SPDX-License-Identifier: Apache-2.0
/* Connections: where they are, how they begin and end. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scene.h"
#include "stage.h"

static void scene_listen(struct stage *s)
{
	must(listen_on(s->notes->family, &s->notes->port) >= 0);
	s->notes->worker = getpid();
}

/* A server is found when it starts to listen: it cannot be selected yet. */
static void test_listen(void **state)
{
	struct stage *s = *state;

	for (int i = 0; i < 2; i++) {
		const struct tks_proc *p;

		s->notes->family = i ? AF_INET6 : AF_INET;
		stage_play(s, scene_listen);
		p = stage_proc(s, TKS_PROC_LISTEN, s->notes->worker);
		assert_non_null(p);
		assert_int_equal(p->sk.family, s->notes->family);
		assert_int_equal(p->sk.lport, s->notes->port);
		assert_int_equal(p->sk.rport, 0);
		assert_memory_equal(p->sk.laddr, loopback_address(s->notes->family), 16);
		assert_true(p->sk.ino && p->sk.netns);
	}
}

static void scene_peer_ends(struct stage *s)
{
	int fd[2];

	connected_pair(AF_INET, fd);
	cue(s);
	write_all(fd[0], 0, 100);
	arrived(fd[1], 100);
	if (!s->notes->count)
		must(read(fd[1], bytes(0, 100), 100) == 100);
	close(fd[1]);
	ended(fd[0]);
}

/* syn: 1 where the end that wrote has connected (first_byte() of bpf/lifecycle.bpf.c), 0 where it has accepted. */
static void assert_state(const struct stage *s, uint8_t state, uint8_t old, int err, int syn)
{
	const struct tks_data *d = stage_first(s, TKS_SEND);

	for (size_t i = 0; i < s->n; i++) {
		const struct tks_sock_state *r = (const struct tks_sock_state *)s->records[i];

		if (r->h.kind != TKS_KIND_SOCK_STATE || r->sk.ino != d->sk.ino ||
		    r->new_state != state)
			continue;
		assert_memory_equal(&r->sk, &d->sk, sizeof(d->sk));
		assert_int_equal(r->h.tgid, s->child);
		assert_int_equal(r->old_state, old);
		assert_int_equal(r->err, err);
		assert_int_equal((uint32_t)(r->sent - d->pos), 100);
		assert_int_equal((uint32_t)(d->pos - r->first), syn);
		return;
	}
	fail_msg("no change to state %d", state);
}

static void test_peer_ends(void **state)
{
	struct stage *s = *state;

	stage_play(s, scene_peer_ends);
	assert_state(s, TCP_CLOSE_WAIT, TCP_ESTABLISHED, 0, 1);
	assert_state(s, TCP_LAST_ACK, TCP_CLOSE_WAIT, 0, 1);
	s->notes->count = 1;
	stage_play(s, scene_peer_ends);
	assert_state(s, TCP_CLOSE, TCP_ESTABLISHED, ECONNRESET, 1);
}

static void scene_peer_of_accepted_ends(struct stage *s)
{
	int fd[2];

	connected_pair(AF_INET, fd);
	cue(s);
	write_all(fd[1], 0, 100);
	read_all(fd[0], 100);
	close(fd[0]);
	ended(fd[1]);
}

static void test_peer_of_accepted_ends(void **state)
{
	struct stage *s = *state;

	stage_play(s, scene_peer_of_accepted_ends);
	assert_state(s, TCP_CLOSE_WAIT, TCP_ESTABLISHED, 0, 0);
}

static void scene_own_end(struct stage *s)
{
	int fd[2];

	connected_pair(AF_INET, fd);
	cue(s);
	write_all(fd[0], 0, 100);
	read_all(fd[1], 100);
	must(!shutdown(fd[0], SHUT_WR));
	ended(fd[1]);
	must(write(fd[0], "", 1) == -1 && errno == EPIPE);
	close(fd[1]);
	ended(fd[0]);
}

/* The FIN takes a sequence number after the last byte; it is no byte. */
static void test_own_end(void **state)
{
	struct stage *s = *state;

	stage_play(s, scene_own_end);
	assert_string_equal(stage_only(s, TKS_SEND), "100 err32");
	assert_state(s, TCP_FIN_WAIT1, TCP_ESTABLISHED, 0, 1);
	assert_state(s, TCP_CLOSE, 5 /* FIN_WAIT2 */, 0, 1);
}

/* ------------------------------------------------------------------ other kinds */

static void scene_namespace(struct stage *s)
{
	int fd[2];

	must(!unshare(CLONE_NEWNET));
	connected_pair(AF_UNIX, fd);
	cue(s);
	write_all(fd[0], 0, 100);
	read_all(fd[1], 100);
}

/* nsfs inode numbers, as in /proc/PID/ns/net. */
static uint32_t own_namespace(void)
{
	struct stat st;

	assert_int_equal(stat("/proc/self/ns/net", &st), 0);
	return st.st_ino;
}

static void test_namespace(void **state)
{
	struct stage *s = *state;
	uint32_t netns;

	stage_play(s, scene_namespace);
	netns = stage_first(s, TKS_SEND)->sk.netns;
	assert_true(netns && netns != own_namespace());
	assert_int_equal(stage_first(s, TKS_RECV)->sk.netns, netns);
}

static void scene_mptcp(struct stage *s)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP), out, in;

	if (l < 0)
		scene_skip("no MPTCP");
	must(!bind(l, (struct sockaddr *)&a, len) && !listen(l, 1));
	must(!getsockname(l, (struct sockaddr *)&a, &len));
	out = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
	must(!connect(out, (struct sockaddr *)&a, len));
	in = accept(l, NULL, NULL);
	cue(s);
	write_all(out, 0, 100);
	must(recv(in, bytes(0, 100), 100, MSG_WAITALL) == 100);
	write_all(out, 100, 50);
	must(recv(in, NULL, 20, MSG_TRUNC) == 20);
	must(recv(in, bytes(0, 30), 30, MSG_WAITALL) == 30);
}

/* Counted from the first byte seen, like a unix socket, but with addresses. */
static void test_mptcp(void **state)
{
	struct stage *s = *state;
	const struct tks_data *d;

	stage_play(s, scene_mptcp);
	assert_string_equal(stage_only(s, TKS_SEND), "100 50");
	assert_string_equal(stage_only(s, TKS_RECV), "100 L20 30");
	d = stage_first(s, TKS_SEND);
	assert_int_equal(d->h.flags, TKS_DATA_UNIX);
	assert_int_equal(d->pos, 0);
	assert_memory_equal(d->sk.laddr, loopback_address(AF_INET), 16);
	assert_int_equal(d->sk.netns, own_namespace());
	assert_true(d->sk.rport && d->sk.lport && d->sk.lport != d->sk.rport);
}

static void scene_unix_close(struct stage *s)
{
	int fd[2];

	connected_pair(AF_UNIX, fd);
	cue(s);
	write_all(fd[0], 0, 100);
	close(fd[0]);
}

/* Only the kernel's functions see it. */
static void test_unix_close(void **state)
{
	struct stage *s = *state;
	const struct tks_sock_state *r;

	stage_play(s, scene_unix_close);
	r = stage_state(s, TCP_CLOSE);
	assert_int_equal(r != NULL, stage_in_functions(s));
	if (r) {
		assert_memory_equal(&r->sk, &stage_first(s, TKS_SEND)->sk, sizeof(r->sk));
		assert_int_equal(r->h.tgid, s->child);
		assert_int_equal(r->err, 0);
	}
}

static const struct test tests[] = {
	{ "listen", test_listen },
	{ "the peer ends", test_peer_ends },
	{ "the peer of an accepted connection ends", test_peer_of_accepted_ends },
	{ "this end ends", test_own_end },
	{ "a network namespace of its own", test_namespace },
	{ "MPTCP", test_mptcp },
	{ "a unix socket is closed", test_unix_close },
};

int main(void)
{
	return stage_run_on_all(tests, sizeof(tests) / sizeof(tests[0]));
}
