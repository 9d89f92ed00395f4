// SPDX-License-Identifier: Apache-2.0
/* The ring buffer: mapping, waiting, and the check of every record before anyone reads it as what it says it is. */
#include "load/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/log.h"

static bool cupti_valid(const struct tks_header *h)
{
	const struct tks_cupti_kernel_name *n = (const struct tks_cupti_kernel_name *)h;
	const struct tks_cupti_activity *a = (const struct tks_cupti_activity *)h;

	switch (h->kind) {
	case TKS_KIND_CUPTI_ACTIVITY:
		return h->size >= sizeof(*a) && a->count <= TKS_CUPTI_BATCH &&
		       h->size == sizeof(*a) + a->count * sizeof(*a->records);
	case TKS_KIND_CUPTI_NAME:
		return h->size >= sizeof(*n) && n->len <= TKS_CUPTI_NAME_MAX &&
		       h->size == sizeof(*n) + n->len;
	case TKS_KIND_CUPTI_DEVICE:
		return h->size == sizeof(struct tks_cupti_device_record);
	default:
		return h->size == sizeof(struct tks_cupti_status_record);
	}
}

static bool is_cupti(const struct tks_header *h)
{
	return h->kind >= TKS_KIND_CUPTI_ACTIVITY && h->kind <= TKS_KIND_CUPTI_STATUS;
}

/* Is the record as long as its kind and its own fields say? Only bpf/cupti.bpf.h takes more room than it then needs. */
static bool record_valid(const struct tks_header *h, size_t size)
{
	if (size < sizeof(*h) || h->size > size)
		return false;
	if (is_cupti(h))
		return cupti_valid(h);
	if (h->size != size)
		return false;
	switch (h->kind) {
	case TKS_KIND_DATA: {
		const struct tks_data *d = (const struct tks_data *)h;

		return size >= sizeof(*d) && d->len <= TKS_PIECE_MAX && size == sizeof(*d) + d->len;
	}
	case TKS_KIND_SOCK_STATE:
		return size == sizeof(struct tks_sock_state);
	case TKS_KIND_PROC:
		return size == sizeof(struct tks_proc);
	case TKS_KIND_GPU:
		return size == sizeof(struct tks_gpu);
	case TKS_KIND_PROBE:
		return size == sizeof(struct tks_probe_event);
	default:
		return false;
	}
}

static int on_record(void *ctx, void *data, size_t size)
{
	struct loader *l = ctx;

	if (record_valid(data, size))
		l->ops->record(l->ctx, data);
	else
		l->bad_records++;
	return 0;
}

/*
 * Keeps payload out of core dumps. libbpf does not tell where it mapped the ring, but /proc/self/maps does: marking
 * other BPF maps as well does no harm.
 */
static int exclude_from_core_dumps(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/maps", "re");
	char line[512];
	int err = 0;

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		uintptr_t from, to;

		if (!strstr(line, "anon_inode:bpf-map") ||
		    sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &from, &to) != 2)
			continue;
		if (madvise((void *)from, to - from, MADV_DONTDUMP))
			err = -errno;
	}
	return err;
}

/*
 * Edge-triggered, and not libbpf's own level-triggered descriptor: that one is readable whenever anything is unread,
 * while this one follows the wake-ups of the kernel side (64 KiB unread).
 */
static int wait_fd_open(int ring_fd)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (epoll_ctl(fd, EPOLL_CTL_ADD, ring_fd, &ev)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

int reader_open(struct loader *l)
{
	int ring_fd = bpf_map__fd(l->skel->maps.ring), err;

	l->ring = ring_buffer__new(ring_fd, on_record, l, NULL);
	if (!l->ring)
		return -errno;
	err = exclude_from_core_dumps();
	if (err)
		log_warn("ring buffer: cannot be kept out of core dumps: %s; set LimitCORE=0",
			 strerror(-err));
	l->epoll_fd = wait_fd_open(ring_fd);
	return l->epoll_fd < 0 ? l->epoll_fd : 0;
}

void reader_close(struct loader *l)
{
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	ring_buffer__free(l->ring);
}

int loader_poll_fd(const struct loader *l)
{
	return l->epoll_fd;
}

int loader_consume(struct loader *l)
{
	struct epoll_event ev;

	/* First take back the wake-up, then read: one that comes in between is kept for the next poll. */
	epoll_wait(l->epoll_fd, &ev, 1, 0);
	return ring_buffer__consume(l->ring);
}
