// SPDX-License-Identifier: Apache-2.0
/*
 * Calls whose registers do not tell where the bytes are, though they look as if they did: io_uring's work that is
 * done on the way out of some other call on the same socket, and calls of the 32-bit kind.
 */
#include <linux/io_uring.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "scene.h"
#include "stage.h"

/* Starts to receive and returns at once. */
static void uring_start_recv(int fd, void *data, unsigned int len)
{
	struct io_uring_params p = { 0 };
	int ring = syscall(SYS_io_uring_setup, 1, &p);
	struct io_uring_sqe *sqe;
	char *queue;

	if (ring < 0)
		scene_skip("no io_uring");
	queue = mmap(NULL, p.sq_off.array + p.sq_entries * sizeof(__u32), PROT_READ | PROT_WRITE,
		     MAP_SHARED, ring, IORING_OFF_SQ_RING);
	sqe = mmap(NULL, sizeof(*sqe), PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
	must(queue != MAP_FAILED && sqe != MAP_FAILED);
	*sqe = (struct io_uring_sqe){
		.opcode = IORING_OP_RECV, .fd = fd, .addr = (uintptr_t)data, .len = len
	};
	*(__u32 *)(queue + p.sq_off.array) = 0;
	*(__u32 *)(queue + p.sq_off.tail) = 1;
	must(syscall(SYS_io_uring_enter, ring, 1, 0, 0, NULL, 0) == 1);
}

static void scene_deferred(struct stage *s)
{
	uint8_t *out = bytes(0, 20), deferred[10], direct[10];
	int fd[2];

	connected_pair(AF_INET, fd);
	if (!fork()) {
		usleep(20000);
		must(write(fd[1], out, 20) == 20);
		_exit(0);
	}
	memset(direct, 0xee, sizeof(direct));
	uring_start_recv(fd[0], deferred, 10);
	cue(s);
	must(read(fd[0], direct, 10) == 10);
}

/* Which of the two comes first is the kernel's choice. The syscall backend sees nothing of io_uring. */
static void test_deferred(void **state)
{
	struct stage *s = *state;
	const char *received;

	stage_play(s, scene_deferred);
	received = stage_only(s, TKS_RECV);
	if (stage_in_functions(s))
		assert_string_equal(received, "10 10");
	else if (stage_is(s, SOCKET_BACKEND_SYSCALL))
		assert_true(!strcmp(received, "10") || !strcmp(received, "10 ~10"));
	else if (strcmp(received, "10 L10"))
		assert_string_equal(received, "L10 10");
}

static void no_compat(int sig)
{
	(void)sig;
	scene_skip("no 32-bit system calls");
}

/* Number 4 of arch/x86/entry/syscalls/syscall_32.tbl */
static long write_compat(int fd, const void *data, size_t len)
{
	int ret = -ENOSYS;

#ifdef __x86_64__
	__asm__ volatile("int $0x80"
			 : "=a"(ret)
			 : "a"(4), "b"(fd), "c"(data), "d"(len)
			 : "memory", "r8", "r9", "r10", "r11");
#else
	(void)fd, (void)data, (void)len;
	no_compat(0);
#endif
	return ret;
}

static void scene_compat(struct stage *s)
{
	uint8_t *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	int fd[2];

	signal(SIGSEGV, no_compat);
	connected_pair(AF_INET, fd);
	memcpy(low, bytes(100, 50), 50);
	cue(s);
	write_all(fd[0], 0, 100);
	must(write_compat(fd[0], low, 50) == 50);
	write_all(fd[0], 150, 10);
}

static void test_compat(void **state)
{
	struct stage *s = *state;

	stage_play(s, scene_compat);
	assert_string_equal(stage_only(s, TKS_SEND),
			    stage_in_functions(s) ? "100 50 10" : "100 L50 10");
	assert_int_equal(stage_lost(s, "compat"), !stage_in_functions(s));
}

static const struct test tests[] = {
	{ "io_uring on the way out of another call", test_deferred },
	{ "a 32-bit call", test_compat },
};

int main(void)
{
	return stage_run_on_all(tests, sizeof(tests) / sizeof(tests[0]));
}
