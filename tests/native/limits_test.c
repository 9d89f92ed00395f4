// SPDX-License-Identifier: Apache-2.0
/* Large calls, memory that cannot be read, a ring that is full: what is not captured is told by size, and counted. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "scene.h"
#include "stage.h"

#define PAGE 4096

/* ------------------------------------------------------------------ large calls */

static void scene_large_sends(struct stage *s)
{
	int fd[2];

	connected_pair(s->notes->family, fd);
	spawn_sink(fd);
	cue(s);
	write_all(fd[0], 0, 48 << 10);
	write_all(fd[0], 48 << 10, TKS_CALL_MAX);
	write_all(fd[0], 112 << 10, 200 << 10);
	write_all(fd[0], 312 << 10, TKS_CALL_MAX + 1);
}

static void test_large_sends(void **state)
{
	static const int families[] = { AF_INET, AF_UNIX };
	struct stage *s = *state;

	for (int i = 0; i < 2; i++) {
		s->notes->family = families[i];
		stage_play(s, scene_large_sends);
		assert_string_equal(stage_only(s, TKS_SEND), "16384 16384 16384 "
							     "16384 16384 16384 16384 "
							     "16384 16384 16384 15872+139264 512 "
							     "16384 16384 16384 15872+1 512");
		assert_string_equal(stage_only(s, TKS_RECV), "");
	}
}

static void scene_large_request(struct stage *s)
{
	int fd[2];

	connected_pair(AF_INET, fd);
	spawn_source(fd, 100000);
	cue(s);
	must(recv(fd[0], bytes(0, 100000), 100000, MSG_WAITALL) == 100000);
}

static void scene_large_answer(struct stage *s)
{
	int fd[2];

	connected_pair(AF_INET, fd);
	spawn_source(fd, 100000);
	cue(s);
	write_all(fd[0], 0, 10);
	must(recv(fd[0], bytes(0, TKS_CALL_MAX), TKS_CALL_MAX, MSG_WAITALL) == TKS_CALL_MAX);
}

static void scene_answer_and_reset(struct stage *s)
{
	int fd[2];

	connected_pair(AF_INET, fd);
	cue(s);
	write_all(fd[0], 0, 10);
	write_all(fd[1], 0, 30000);
	arrived(fd[0], 30000);
	close(fd[1]); /* with 10 bytes unread: a reset */
	ended(fd[0]);
	read_all(fd[0], 30000);
}

/* Bytes that a reset left are still the same socket's, and an answer's. */
static void test_reset(void **state)
{
	struct stage *s = *state;
	const struct tks_data *in;

	stage_play(s, scene_answer_and_reset);
	assert_string_equal(stage_only(s, TKS_RECV), "16384 13616");
	in = stage_first(s, TKS_RECV);
	assert_memory_equal(&stage_first(s, TKS_SEND)->sk, &in->sk, sizeof(in->sk));
	assert_int_not_equal(in->sk.lport, 0);
}

static void test_large_receives(void **state)
{
	struct stage *s = *state;

	stage_play(s, scene_large_request);
	assert_string_equal(stage_only(s, TKS_RECV), "16384+83104 512");
	stage_play(s, scene_large_answer);
	assert_string_equal(stage_only(s, TKS_SEND), "10");
	assert_string_equal(stage_only(s, TKS_RECV), "16384 16384 16384 16384");
}

static void scene_head_and_tail(struct stage *s)
{
	int fd[2];

	connected_pair(AF_INET, fd);
	spawn_sink(fd);
	cue(s);
	write_all(fd[0], 0, 3000);
	cue(s);
	write_all(fd[0], 3000, 10000);
	write_all(fd[0], 13000, TKS_HEAD_MAX + TKS_TAIL_MAX);
	write_all(fd[0], 13000 + TKS_HEAD_MAX + TKS_TAIL_MAX, TKS_HEAD_MAX + TKS_TAIL_MAX + 1);
	cue(s);
	write_all(fd[0], 13000 + 2 * (TKS_HEAD_MAX + TKS_TAIL_MAX) + 1, 10000);
}

static void switch_mode(struct stage *s)
{
	stage_read(s);
	s->notes->count ^= TKS_SOCK_HEAD_TAIL;
	loader_sock_mode(s->loader, stage_first(s, TKS_SEND)->sk.id, s->notes->count);
}

static void test_head_and_tail(void **state)
{
	struct stage *s = *state;

	s->on_cue = switch_mode;
	stage_play(s, scene_head_and_tail);
	assert_string_equal(stage_only(s, TKS_SEND), "3000 2048+7440 512 2560 2048+1 512 10000");
	assert_int_equal(s->notes->count, 0);
}

/* ------------------------------------------------------------------ memory */

static void scene_untouched(struct stage *s)
{
	uint8_t *fresh =
		mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd[2];

	connected_pair(AF_INET, fd);
	spawn_sink(fd);
	must(!mprotect(fresh + 2 * PAGE, PAGE, PROT_NONE));
	cue(s);
	must(write(fd[0], fresh, 2 * PAGE) == 2 * PAGE);
	must(write(fd[0], fresh + 2 * PAGE, PAGE) == -1 && errno == EFAULT);
}

/* Pages never touched before are there once the kernel has copied them; a call that failed moved nothing. */
static void test_untouched(void **state)
{
	struct stage *s = *state;

	s->zeroes = true;
	stage_play(s, scene_untouched);
	assert_string_equal(stage_only(s, TKS_SEND), "8192");
	assert_int_equal(stage_lost(s, "user_read"), 0);
}

static void scene_overwritten(struct stage *s)
{
	struct iovec v[2];
	int fd[2];

	connected_pair(AF_INET, fd);
	spawn_source(fd, 100);
	cue(s);
	arrived(fd[0], 100);
	v[0] = (struct iovec){ v, sizeof(v) };
	v[1] = (struct iovec){ bytes(0, 100), 100 };
	must(readv(fd[0], v, 2) == 100);
}

/* The received bytes overwrite the vector that says where they went; the kernel has a copy. */
static void test_overwritten(void **state)
{
	struct stage *s = *state;

	stage_play(s, scene_overwritten);
	if (stage_in_functions(s)) {
		assert_string_equal(stage_only(s, TKS_RECV), "100");
		return;
	}
	assert_string_equal(stage_only(s, TKS_RECV), "L100");
	assert_int_equal(stage_lost(s, "user_read"), 1);
}

static void *drop_pages(void *page)
{
	for (;;)
		madvise(page, PAGE, MADV_DONTNEED);
	return NULL;
}

static void scene_dropped(struct stage *s)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t dropper;
	int fd[2];

	connected_pair(AF_INET, fd);
	spawn_sink(fd);
	must(!pthread_create(&dropper, NULL, drop_pages, page));
	cue(s);
	for (int i = 0; i < 500; i++)
		must(write(fd[0], page, PAGE) == PAGE);
}

/* Another thread takes the page away all the time: each call is either captured or counted (bpf/preempt.bpf.h). */
static void test_dropped(void **state)
{
	struct stage *s = *state;
	size_t whole = 0, by_length = 0;

	stage_play(s, scene_dropped);
	for (size_t i = 0; i < s->n; i++) {
		const struct tks_data *d = (const struct tks_data *)s->records[i];

		if (d->h.kind != TKS_KIND_DATA)
			continue;
		whole += d->len == PAGE && !d->skip && !(d->h.flags & TKS_DATA_LENGTH);
		by_length += d->skip == PAGE && !d->len && d->h.flags & TKS_DATA_LENGTH;
	}
	assert_true(whole + by_length <= 500);
	assert_true(whole + by_length + stage_lost(s, "bpf_recursion") >= 500);
	assert_int_equal(by_length, stage_lost(s, "user_read"));
}

/* ------------------------------------------------------------------ many calls at once */

#define READERS 64
#define READS	2

static void *reader(void *arg)
{
	const int *fd = arg;
	char in[10];

	for (int i = 0; i < READS; i++)
		must(recv(*fd, in, sizeof(in), 0) == sizeof(in));
	must(recv(*fd, in, sizeof(in), MSG_DONTWAIT) ==
	     -1); /* what a missed return before shows by */
	return NULL;
}

static void scene_readers(struct stage *s)
{
	pthread_t threads[READERS];
	int fd[READERS][2];

	for (int i = 0; i < READERS; i++)
		connected_pair(AF_INET, fd[i]);
	cue(s);
	for (int i = 0; i < READERS; i++)
		must(!pthread_create(&threads[i], NULL, reader, &fd[i][1]));
	for (int round = 0; round < READS; round++) {
		usleep(200000); /* until all are in their call */
		for (int i = 0; i < READERS; i++)
			write_all(fd[i][0], round * 10, 10);
	}
	for (int i = 0; i < READERS; i++)
		must(!pthread_join(threads[i], NULL));
}

/* The kernel has few return probes (kretprobe maxactive, 10 or twice the CPUs): a return without one is counted. */
static void test_readers(void **state)
{
	struct stage *s = *state;
	uint64_t received = 0, seen;

	stage_play(s, scene_readers);
	for (size_t i = 0; i < s->n; i++) {
		const struct tks_data *d = (const struct tks_data *)s->records[i];

		received += d->h.kind == TKS_KIND_DATA && d->dir == TKS_RECV && d->len == 10;
	}
	seen = received + stage_lost(s, "return_missed");
	assert_true(seen <= READERS * READS);
	assert_true(seen + stage_lost(s, "bpf_recursion") >= READERS * READS);
	print_message("# %s: %d of %d receives seen\n",
		      socket_backend_name(loader_backend(s->loader)), (int)received,
		      READERS * READS);
}

/* ------------------------------------------------------------------ a full ring */

static void scene_overflow(struct stage *s)
{
	int fd[2];

	connected_pair(AF_INET, fd);
	spawn_sink(fd);
	cue(s);
	for (int i = 0; i < 2000; i++)
		write_all(fd[0], i * 4000, 4000);
	cue(s);
	write_all(fd[0], 2000 * 4000, 10);
}

/* Nobody reads while 8 MB go by: what did not fit is counted, and its size known from the next position. */
static void test_overflow(void **state)
{
	struct stage *s = *state;
	char jump[64];
	uint64_t lost;

	s->deaf = true;
	s->on_cue = stage_read;
	stage_play(s, scene_overflow);
	lost = stage_lost(s, "ring_full");
	assert_true(lost > 2000 - (4 << 20) / 4000 - 1 && lost < 2000);
	snprintf(jump, sizeof(jump), "4000 ~%llu 10", (unsigned long long)lost * 4000);
	assert_non_null(strstr(stage_only(s, TKS_SEND), jump));
}

static const struct test tests[] = {
	{ "large sends", test_large_sends },
	{ "large receives", test_large_receives },
	{ "bytes left by a reset", test_reset },
	{ "head and tail", test_head_and_tail },
	{ "pages not touched before", test_untouched },
	{ "a vector that its bytes overwrite", test_overwritten },
	{ "pages taken away by another thread", test_dropped },
	{ "more receives under way than return probes", test_readers },
	{ "a full ring", test_overflow },
};

int main(void)
{
	return stage_run_on_all(tests, sizeof(tests) / sizeof(tests[0]));
}
