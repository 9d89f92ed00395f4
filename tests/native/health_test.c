// SPDX-License-Identifier: Apache-2.0
/* The health of connections that data records carry (struct tks_tcp). */
#include <linux/filter.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "scene.h"
#include "stage.h"

static struct tcp_info info_of(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	must(!getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len));
	return info;
}

/* Until all that was written is acknowledged: the kernel's figures then stand still. */
static struct tcp_info settled(int fd)
{
	int left = 1;

	for (int tries = 0; tries < 10000 && left; tries++) {
		must(!ioctl(fd, SIOCOUTQ, &left));
		usleep(1000);
	}
	must(!left);
	return info_of(fd);
}

static void note(struct stage *s, const struct tcp_info *info)
{
	s->notes->tcp = (struct tks_tcp){ .retransmits = info->tcpi_total_retrans,
					  .rwnd_limited_ticks = info->tcpi_rwnd_limited };
}

/* A filter on the receiving socket drops what arrives until the sender has tried again. */
static void scene_retransmits(struct stage *s)
{
	struct sock_filter drop = { .code = BPF_RET | BPF_K, .k = 0 };
	struct sock_fprog all = { .len = 1, .filter = &drop };
	struct tcp_info info;
	int fd[2];

	connected_pair(AF_INET, fd);
	cue(s);
	must(!setsockopt(fd[1], SOL_SOCKET, SO_ATTACH_FILTER, &all, sizeof(all)));
	write_all(fd[0], 0, 100);
	for (int tries = 0; info_of(fd[0]).tcpi_total_retrans < 2; tries++) {
		must(tries < 10000);
		usleep(1000);
	}
	must(!setsockopt(fd[1], SOL_SOCKET, SO_DETACH_FILTER, &all, sizeof(all)));
	info = settled(fd[0]);
	note(s, &info);
	write_all(fd[0], 100, 10);
	read_all(fd[1], 110);
}

/* The peer reads nothing until its window has been closed for a while. */
static void scene_stall(struct stage *s)
{
	uint8_t *out = bytes(0, 1 << 16);
	struct tcp_info info;
	int fd[2], n, total = 0;

	connected_pair(AF_INET, fd);
	cue(s);
	while ((n = send(fd[0], out, 1 << 16, MSG_DONTWAIT)) > 0)
		total += n;
	while (!info_of(fd[0]).tcpi_rwnd_limited)
		usleep(1000);
	usleep(50000);
	while (total > 0 && (n = read(fd[1], out, 1 << 16)) > 0)
		total -= n;
	info = settled(fd[0]);
	note(s, &info);
	write_all(fd[0], 0, 10);
}

static const struct tks_data *last_data(const struct stage *s, enum tks_dir dir)
{
	const struct tks_data *last = NULL;

	for (size_t i = 0; i < s->n; i++) {
		const struct tks_data *d = (const struct tks_data *)s->records[i];

		if (d->h.kind == TKS_KIND_DATA && d->dir == dir)
			last = d;
	}
	assert_non_null(last);
	return last;
}

/* CLOCK_MONOTONIC_COARSE advances by jiffies. */
static uint32_t tick_us(void)
{
	struct timespec t;

	assert_int_equal(clock_getres(CLOCK_MONOTONIC_COARSE, &t), 0);
	return t.tv_nsec / 1000;
}

/* What the kernel says of the connection to its owner (tcp_info) is the oracle. */
static void test_health(void **state)
{
	struct stage *s = *state;
	const struct tks_tcp *told;

	stage_play(s, scene_retransmits);
	told = &last_data(s, TKS_SEND)->tcp;
	assert_true(told->retransmits >= 2);
	assert_int_equal(told->retransmits, s->notes->tcp.retransmits);
	assert_true(told->srtt_us > 0 &&
		    told->srtt_us < 10 * 1000000); /* each acknowledgement moves it */
	assert_int_equal(stage_first(s, TKS_SEND)->tcp.retransmits, 0);

	stage_play(s, scene_stall);
	told = &last_data(s, TKS_SEND)->tcp;
	assert_true(told->rwnd_limited_ticks > 0);
	assert_int_equal(told->rwnd_limited_ticks, s->notes->tcp.rwnd_limited_ticks / tick_us());
}

#define ACCEPT_WAIT_US 50000

static void scene_accept_wait(struct stage *s)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int l = listen_on(AF_INET, &s->notes->port), out = socket(AF_INET, SOCK_STREAM, 0), in;

	cue(s);
	a.sin_port = htons(s->notes->port);
	must(!connect(out, (struct sockaddr *)&a, sizeof(a)));
	usleep(ACCEPT_WAIT_US);
	in = accept(l, NULL, NULL);
	must(in >= 0);
	write_all(out, 0, 10);
	read_all(in, 10);
	write_all(in, 0, 10);
	write_all(in, 10, 10);
}

/* Told until the first send; only the kernel's functions see an accept. */
static void test_accept_wait(void **state)
{
	struct stage *s = *state;
	size_t told = 0;

	stage_play(s, scene_accept_wait);
	for (size_t i = 0; i < s->n; i++) {
		const struct tks_data *d = (const struct tks_data *)s->records[i];

		if (d->h.kind != TKS_KIND_DATA || d->tcp.accept_wait_us == TKS_ACCEPT_WAIT_UNKNOWN)
			continue;
		assert_int_equal(d->sk.lport, s->notes->port);
		assert_true(d->tcp.accept_wait_us >= ACCEPT_WAIT_US);
		assert_true(d->tcp.accept_wait_us < 60 * 1000000);
		told++;
	}
	assert_int_equal(told, stage_in_functions(s) ? 2 : 0);
}

static const struct test tests[] = {
	{ "retransmits, round-trip time, closed window", test_health },
	{ "accept wait", test_accept_wait },
};

int main(void)
{
	return stage_run_on_all(tests, sizeof(tests) / sizeof(tests[0]));
}
