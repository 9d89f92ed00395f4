// SPDX-License-Identifier: Apache-2.0
/* Just enough io_uring, by the raw system calls, for one send at a time. */
#include "stream_server.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct uring {
	int fd;
	void *ring; /* IORING_FEAT_SINGLE_MMAP (5.4): both queues in one mapping */
	size_t ring_size;
	struct io_uring_sqe *sqes;
	size_t sqes_size;
	struct io_uring_params params;
};

static void *map(int fd, size_t size, off_t what)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);

	return p == MAP_FAILED ? NULL : p;
}

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

struct uring *uring_new(void)
{
	struct uring *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->fd = (int)syscall(SYS_io_uring_setup, 4, &u->params);
	if (u->fd < 0) {
		free(u);
		return NULL;
	}
	u->ring_size =
		larger(u->params.sq_off.array + u->params.sq_entries * sizeof(__u32),
		       u->params.cq_off.cqes + u->params.cq_entries * sizeof(struct io_uring_cqe));
	u->sqes_size = u->params.sq_entries * sizeof(*u->sqes);
	u->ring = map(u->fd, u->ring_size, IORING_OFF_SQ_RING);
	u->sqes = map(u->fd, u->sqes_size, IORING_OFF_SQES);
	if (!u->ring || !u->sqes) {
		uring_free(u);
		errno = ENOMEM;
		return NULL;
	}
	return u;
}

void uring_free(struct uring *u)
{
	if (!u)
		return;
	if (u->ring)
		munmap(u->ring, u->ring_size);
	if (u->sqes)
		munmap(u->sqes, u->sqes_size);
	close(u->fd);
	free(u);
}

static __u32 *field(const struct uring *u, __u32 offset)
{
	return (__u32 *)((char *)u->ring + offset);
}

long uring_send(struct uring *u, int fd, const void *data, size_t len)
{
	__u32 tail = *field(u, u->params.sq_off.tail),
	      slot = tail & *field(u, u->params.sq_off.ring_mask);
	__u32 head = *field(u, u->params.cq_off.head);
	const struct io_uring_cqe *cqes = (void *)field(u, u->params.cq_off.cqes);
	long result;

	u->sqes[slot] = (struct io_uring_sqe){
		.opcode = IORING_OP_SEND,
		.fd = fd,
		.addr = (__u64)(uintptr_t)data,
		.len = (__u32)len,
		.msg_flags = MSG_NOSIGNAL,
	};
	field(u, u->params.sq_off.array)[slot] = slot;
	__atomic_store_n(field(u, u->params.sq_off.tail), tail + 1, __ATOMIC_RELEASE);
	while (syscall(SYS_io_uring_enter, u->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (__atomic_load_n(field(u, u->params.cq_off.tail), __ATOMIC_ACQUIRE) == head)
		return -EIO;
	result = cqes[head & *field(u, u->params.cq_off.ring_mask)].res;
	__atomic_store_n(field(u, u->params.cq_off.head), head + 1, __ATOMIC_RELEASE);
	return result;
}
