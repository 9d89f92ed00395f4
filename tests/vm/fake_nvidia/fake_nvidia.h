/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a test tells the fake NVIDIA driver: how to answer the next ioctl on the same open file.
 */
#ifndef FAKE_NVIDIA_H
#define FAKE_NVIDIA_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define FAKE_NVIDIA_WRITES 8

/* Stored while the call is under way, as the real driver stores a status, a handle or the size that it granted. */
struct fake_nvidia_write {
	__u64 address; /* in the caller's memory, 8 bytes at most */
	__u64 value;
	__u64 bytes;
};

struct fake_nvidia_answer {
	__s32 result;	/* of the ioctl: 0 or negative errno */
	__u32 delay_us; /* how long the call takes at least */
	__u64 count;	/* of writes */
	struct fake_nvidia_write writes[FAKE_NVIDIA_WRITES];
};

/* Type 'K' is the fake's own; the real driver's is 'F'. */
#define FAKE_NVIDIA_ANSWER _IOW('K', 0, struct fake_nvidia_answer)

#endif
