// SPDX-License-Identifier: Apache-2.0
/* Which bytes of which calls become records: every way to move bytes over a socket, under each backend. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "../servers/stream_server.h"
#include "scene.h"
#include "stage.h"

static const int families[] = { AF_INET, AF_UNIX, AF_INET6 };

#define EACH_FAMILY(s) \
	for (size_t family_ = 0; family_ < 3 && ((s)->notes->family = families[family_]); family_++)

static void assert_both(const struct stage *s, const char *sent, const char *received)
{
	assert_string_equal(stage_only(s, TKS_SEND), sent);
	assert_string_equal(stage_only(s, TKS_RECV), received);
}

/* ------------------------------------------------------------------ one buffer */

static void scene_buffers(struct stage *s)
{
	int fd[2];

	connected_pair(s->notes->family, fd);
	cue(s);
	write_all(fd[0], 0, 1000);
	read_all(fd[1], 600);
	must(read(fd[1], bytes(0, 1), 0) == 0);
	must(recv(fd[1], bytes(0, 400), 400, 0) == 400);
	must(send(fd[0], bytes(1000, 1), 1, 0) == 1);
	must(recv(fd[1], bytes(0, 9), 9, 0) == 1);
	must(sendto(fd[0], bytes(1001, 77), 77, MSG_NOSIGNAL, NULL, 0) == 77);
	must(recvfrom(fd[1], bytes(0, 77), 77, MSG_WAITALL, NULL, NULL) == 77);
}

static void test_buffers(void **state)
{
	struct stage *s = *state;

	EACH_FAMILY(s)
	{
		const struct tks_data *out, *in;

		stage_play(s, scene_buffers);
		assert_both(s, "1000 1 77", "600 400 1 77");
		out = stage_first(s, TKS_SEND);
		in = stage_first(s, TKS_RECV);
		assert_int_equal(out->h.tgid, s->child);
		assert_int_equal(out->h.tid, s->child);
		assert_int_equal(out->h.flags, s->notes->family == AF_UNIX ? TKS_DATA_UNIX : 0);
		assert_int_equal(out->ret, 1000);
		assert_int_equal(out->sk.family, s->notes->family);
		assert_int_equal(out->sk.netns, in->sk.netns);
		assert_true(out->sk.ino && in->sk.ino && out->sk.ino != in->sk.ino);
		assert_int_equal(out->sk.lport, in->sk.rport);
		assert_int_equal(out->sk.rport, in->sk.lport);
		assert_memory_equal(out->sk.laddr, loopback_address(s->notes->family), 16);
		assert_memory_equal(out->sk.raddr, loopback_address(s->notes->family), 16);
		assert_int_equal(!out->sk.lport, s->notes->family == AF_UNIX);
		assert_true(in->h.time_ns > out->h.time_ns);
	}
}

/* ------------------------------------------------------------------ many buffers */

static void scene_vectors(struct stage *s)
{
	uint8_t *out = bytes(0, 30000), *in = bytes(0, 30000);
	struct iovec from[] = { { out, 0 },  { out, 1 },	 { out + 1, 5000 },
				{ NULL, 0 }, { out + 5001, 37 }, { out + 5038, 20000 } };
	struct iovec more[] = { { out + 25038, 900 }, { out + 25938, 4062 } };
	struct iovec to[] = { { in, 7 }, { NULL, 0 }, { in + 7, 9000 }, { in + 9007, 20993 } };
	int fd[2];

	connected_pair(s->notes->family, fd);
	cue(s);
	must(writev(fd[0], from, 6) == 25038);
	arrived(fd[1], 25038);
	must(readv(fd[1], to, 4) == 25038);
	must(pwritev2(fd[0], more, 2, -1, 0) == 4962);
	arrived(fd[1], 4962);
	must(preadv2(fd[1], to, 4, -1, 0) == 4962);
}

static void scene_messages(struct stage *s)
{
	uint8_t *out = bytes(0, 25038), *in = bytes(0, 25038);
	struct iovec from[] = { { out, 5001 }, { NULL, 0 }, { out + 5001, 20037 } };
	struct iovec to[] = { { in, 20000 }, { in + 20000, 5038 } };
	struct msghdr m = { .msg_iov = from, .msg_iovlen = 3 };
	int fd[2];

	connected_pair(s->notes->family, fd);
	cue(s);
	must(sendmsg(fd[0], &m, MSG_NOSIGNAL) == 25038);
	m = (struct msghdr){ .msg_iov = to, .msg_iovlen = 2 };
	arrived(fd[1], 25038);
	must(recvmsg(fd[1], &m, 0) == 25038);
}

/* What a server receives is kept by its first 16 KiB and its tail. */
static void test_vectors(void **state)
{
	struct stage *s = *state;

	EACH_FAMILY(s)
	{
		stage_play(s, scene_vectors);
		assert_both(s, "16384 8654 4962", "16384+8142 512 4962");
		stage_play(s, scene_messages);
		assert_both(s, "16384 8654", "16384+8142 512");
		assert_int_equal(stage_lost(s, "user_read"), 0);
	}
}

static void scene_segments(struct stage *s)
{
	struct iovec v[100];
	uint8_t *out = bytes(0, 100000);
	int fd[2];

	connected_pair(AF_INET, fd);
	spawn_sink(fd);
	cue(s);
	for (int i = 0; i < 100; i++)
		v[i] = (struct iovec){ out + i * 100, 100 };
	must(writev(fd[0], v, 64) == 6400);
	must(writev(fd[0], v + 64, 36) == 3600);
	for (int i = 0; i < 64; i++)
		v[i] = (struct iovec){ out + 10000 + i * 1001, 1001 };
	must(writev(fd[0], v, 64) == 64064);
	for (int i = 0; i < 100; i++)
		v[i] = (struct iovec){ out + 74064 + i * 100, 100 };
	must(writev(fd[0], v, 100) == 10000);
}

static void test_segments(void **state)
{
	struct stage *s = *state;

	stage_play(s, scene_segments);
	assert_both(s, "6400 3600 16384 16384 16384 14912 6400+3600", "");
	assert_int_equal(stage_lost(s, "segments"), 1);
	assert_int_equal(stage_lost(s, "user_read"), 0);
}

static void scene_message_arrays(struct stage *s)
{
	uint8_t *out = bytes(0, 100), *in = bytes(0, 100);
	struct iovec from[] = { { out, 10 }, { out + 10, 20 }, { out + 30, 30 } };
	struct iovec to[] = { { in, 25 }, { in, 35 } };
	struct mmsghdr m[3] = { 0 };
	int fd[2];

	connected_pair(s->notes->family, fd);
	cue(s);
	for (int i = 0; i < 3; i++)
		m[i].msg_hdr = (struct msghdr){ .msg_iov = &from[i], .msg_iovlen = 1 };
	must(sendmmsg(fd[0], m, 3, 0) == 3);
	arrived(fd[1], 60);
	for (int i = 0; i < 2; i++)
		m[i].msg_hdr = (struct msghdr){ .msg_iov = &to[i], .msg_iovlen = 1 };
	must(recvmmsg(fd[1], m, 2, 0, NULL) == 2);
	write_all(fd[0], 60, 40);
	read_all(fd[1], 40);
}

static void test_message_arrays(void **state)
{
	struct stage *s = *state;

	s->notes->family = AF_INET;
	stage_play(s, scene_message_arrays);
	if (stage_in_functions(s)) {
		assert_both(s, "10 20 30 40", "25 35 40");
		assert_int_equal(stage_lost(s, "no_buffer"), 0);
	} else if (stage_is(s, SOCKET_BACKEND_SOCK)) {
		assert_both(s, "L10 L20 L30 40", "L25 L35 40");
		assert_int_equal(stage_lost(s, "no_buffer"), 5);
	} else {
		assert_both(s, "L60 40", "L60 40");
		assert_int_equal(stage_lost(s, "no_buffer"), 2);
	}
}

/* ------------------------------------------------------------------ no buffer */

static void scene_sendfile(struct stage *s)
{
	int fd[2], file = memfd_create("file", 0);

	connected_pair(s->notes->family, fd);
	write_all(file, 100, 5000);
	must(lseek(file, 0, SEEK_SET) == 0);
	cue(s);
	write_all(fd[0], 0, 100);
	must(sendfile(fd[0], file, NULL, 5000) == 5000);
	write_all(fd[0], 5100, 100);
	read_all(fd[1], 5200);
}

/* Before 6.5 the kernel's functions are called for each page. */
static void test_sendfile(void **state)
{
	struct stage *s = *state;

	EACH_FAMILY(s)
	{
		bool by_page;

		stage_play(s, scene_sendfile);
		by_page = stage_in_functions(s) && stage_lost(s, "no_buffer") == 2;
		assert_both(s, by_page ? "100 L4096 L904 100" : "100 L5000 100", "5200");
		assert_int_equal(stage_lost(s, "no_buffer"), by_page ? 2 : 1);
	}
}

static void scene_splice(struct stage *s)
{
	int fd[2], pipes[2];

	connected_pair(AF_INET, fd);
	must(!pipe(pipes));
	write_all(pipes[1], 100, 3000);
	cue(s);
	write_all(fd[0], 0, 100);
	must(splice(pipes[0], NULL, fd[0], NULL, 3000, 0) == 3000);
	write_all(fd[0], 3100, 100);
	read_all(fd[1], 100);
	arrived(fd[1], 3100);
	must(splice(fd[1], NULL, pipes[1], NULL, 3000, 0) == 3000);
	read_all(fd[1], 100);
}

/* A splice out of a socket passes no tracepoint of the sock backend: the position tells. */
static void test_splice(void **state)
{
	struct stage *s = *state;

	stage_play(s, scene_splice);
	assert_both(s, "100 L3000 100",
		    stage_is(s, SOCKET_BACKEND_SOCK) ? "100 ~3000 100" : "100 L3000 100");
}

static void scene_uring(struct stage *s)
{
	struct uring *u = uring_new();
	int fd[2];

	if (!u)
		scene_skip("no io_uring");
	connected_pair(AF_INET, fd);
	cue(s);
	write_all(fd[0], 0, 100);
	must(uring_send(u, fd[0], bytes(100, 500), 500) == 500);
	write_all(fd[0], 600, 100);
	read_all(fd[1], 700);
}

static void test_uring(void **state)
{
	struct stage *s = *state;

	stage_play(s, scene_uring);
	assert_both(s,
		    stage_in_functions(s)	       ? "100 500 100"
		    : stage_is(s, SOCKET_BACKEND_SOCK) ? "100 L500 100"
						       : "100 ~500 100",
		    "700");
}

/* ------------------------------------------------------------------ flags */

static void scene_peek(struct stage *s)
{
	uint8_t *in = bytes(0, 100);
	int fd[2];

	connected_pair(s->notes->family, fd);
	cue(s);
	write_all(fd[0], 0, 100);
	arrived(fd[1], 100);
	must(recv(fd[1], in, 100, MSG_PEEK) == 100);
	must(recv(fd[1], in, 50, MSG_PEEK | MSG_DONTWAIT) == 50);
	read_all(fd[1], 100);
	must(recv(fd[1], in, 100, MSG_PEEK | MSG_DONTWAIT) == -1 && errno == EAGAIN);
	must(!shutdown(fd[0], SHUT_WR));
	ended(fd[1]);
	must(recv(fd[1], in, 100, MSG_PEEK) == 0);
	must(recv(fd[1], in, 100, 0) == 0);
	must(read(fd[1], in, 100) == 0);
	write_all(fd[1], 0, 30);
}

/* The peer's FIN takes a sequence number, which must not shift what comes after. */
static void test_peek(void **state)
{
	struct stage *s = *state;

	EACH_FAMILY(s)
	{
		uint64_t begin, end = 0;

		stage_play(s, scene_peek);
		assert_int_equal(stage_sockets(s, TKS_SEND), 2);
		assert_string_equal(stage_stream(s, TKS_SEND, 0), "100");
		assert_string_equal(stage_stream(s, TKS_SEND, 1), "30");
		assert_string_equal(stage_only(s, TKS_RECV), "100 peek0 end end");
		begin = stage_first(s, TKS_RECV)->pos;
		for (size_t i = 0; i < s->n; i++) {
			const struct tks_data *d = (const struct tks_data *)s->records[i];

			if (d->h.kind == TKS_KIND_DATA && d->dir == TKS_RECV && !d->ret) {
				assert_int_equal((uint32_t)(d->pos - begin), 100);
				end++;
			}
		}
		assert_int_equal(end, 3);
	}
}

static void scene_trunc(struct stage *s)
{
	int fd[2];

	connected_pair(AF_INET, fd);
	cue(s);
	write_all(fd[0], 0, 300);
	arrived(fd[1], 300);
	must(recv(fd[1], NULL, 200, MSG_TRUNC) == 200);
	read_all(fd[1], 100);
}

/* tcp(7): MSG_TRUNC drops the bytes. */
static void test_trunc(void **state)
{
	struct stage *s = *state;

	stage_play(s, scene_trunc);
	assert_both(s, "300", "L200 100");
	assert_int_equal(stage_lost(s, "no_buffer"), 1);
	assert_int_equal(stage_lost(s, "user_read"), 0);
}

/* ------------------------------------------------------------------ errors */

static void scene_errors(struct stage *s)
{
	uint8_t in[10];
	int fd[2];

	connected_pair(s->notes->family, fd);
	cue(s);
	write_all(fd[0], 0, 100);
	must(recv(fd[0], in, 10, MSG_DONTWAIT) == -1 && errno == EAGAIN);
	arrived(fd[1], 100);
	close(fd[1]); /* with bytes unread: a reset */
	ended(fd[0]);
	must(recv(fd[0], in, 10, s->notes->count ? MSG_PEEK : 0) == -1 && errno == ECONNRESET);
	must(write(fd[0], in, 10) == -1 && errno == EPIPE);
}

/* Reporting the error takes it away from the socket: one seen by MSG_PEEK is not told again. */
static void test_errors(void **state)
{
	struct stage *s = *state;

	EACH_FAMILY(s)
	{
		for (s->notes->count = 0; s->notes->count < 2; s->notes->count++) {
			stage_play(s, scene_errors);
			assert_both(s, "100 err32", "err104");
			assert_int_equal(stage_first(s, TKS_SEND)->sk.id,
					 stage_first(s, TKS_RECV)->sk.id);
			assert_int_equal(stage_first(s, TKS_SEND)->sk.ino,
					 stage_first(s, TKS_RECV)->sk.ino);
		}
	}
}

static const struct test tests[] = {
	{ "one buffer", test_buffers },
	{ "many buffers", test_vectors },
	{ "segments up to the limit and beyond", test_segments },
	{ "sendmmsg and recvmmsg", test_message_arrays },
	{ "sendfile", test_sendfile },
	{ "splice", test_splice },
	{ "io_uring", test_uring },
	{ "MSG_PEEK", test_peek },
	{ "MSG_TRUNC", test_trunc },
	{ "errors", test_errors },
};

int main(void)
{
	return stage_run_on_all(tests, sizeof(tests) / sizeof(tests[0]));
}
