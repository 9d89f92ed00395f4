// SPDX-License-Identifier: GPL-2.0-only
/*
 * A FAKE of NVIDIA's kernel driver, for tests in a virtual machine: no GPU is behind it. It has what tracers of ioctls
 * look for, the major number 195 and a function nvidia_unlocked_ioctl, and answers well enough for the real libcuda to
 * get as far in cuInit as its object of class 0xcb33 (confidential computing). A test says itself how its next call is answered: fake_nvidia.h.
 *
 * Numbers and offsets: nv-ioctl-numbers.h, nv-ioctl.h, nvos.h and ctrl0000system.h of open-gpu-kernel-modules 535 and 550.
 */
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/version.h>

#include "fake_nvidia.h"

#define MAJOR_NUMBER	       195
#define CONTROL_MINOR	       255

#define ESC_RM_FREE	       0x29
#define ESC_RM_CONTROL	       0x2a
#define ESC_RM_ALLOC	       0x2b
#define ESC_CARD_INFO	       200
#define ESC_CHECK_VERSION      210
#define ESC_XFER	       211
#define ESC_SYS_PARAMS	       214

#define CTRL_GET_BUILD_VERSION 0x101
#define CTRL_SET_SHARE_POLICY  0xd04
#define ERR_NOT_SUPPORTED      0x56

static char version[32] = "535.261.03";
module_param_string(version, version, sizeof(version), 0644);
MODULE_PARM_DESC(version, "what the driver says its version is: that of the libcuda that asks");

static bool log_calls;
module_param_named(log, log_calls, bool, 0644);
MODULE_PARM_DESC(log, "say each call in the kernel log: what a tracer must have seen");

static atomic_t next_handle = ATOMIC_INIT(0x5c000000);
static struct class *nodes;

/* nv_ioctl_xfer_t: a call whose struct is too large for the size in the command. */
struct xfer {
	__u32 nr;
	__u32 bytes;
	__u64 address;
};

static u32 field(unsigned long base, unsigned int offset)
{
	u32 value = 0;

	if (get_user(value, (u32 __user *)(base + offset)))
		pr_warn_once("fake_nvidia: a struct of a call cannot be read\n");
	return value;
}

static int set_field(unsigned long base, unsigned int offset, u32 value)
{
	return put_user(value, (u32 __user *)(base + offset));
}

/* A call of the resource manager: what a tracer must have decoded. */
static void say(const char *call, unsigned int bytes, unsigned long arg, u32 object, u32 selector,
		u32 status)
{
	if (log_calls)
		pr_info("fake_nvidia: %d %s %u client %#x object %#x selector %#x status %#x\n",
			current->tgid, call, bytes, field(arg, 0), object, selector, status);
}

/* NV0000_CTRL_SYSTEM_GET_BUILD_VERSION_PARAMS: the length of the caller's buffers, then their addresses. */
static int get_build_version(unsigned long params)
{
	u32 room = field(params, 0);
	size_t length = strlen(version) + 1;
	u64 address;
	int i;

	if (room < length)
		return -EINVAL;
	for (i = 0; i < 3; i++) {
		if (get_user(address, (u64 __user *)(params + 8 + 8 * i)))
			return -EFAULT;
		if (address && copy_to_user(u64_to_user_ptr(address), version, length))
			return -EFAULT;
	}
	return 0;
}

/* NVOS54 */
static int rm_control(unsigned int bytes, unsigned long arg)
{
	u32 command = field(arg, 8);
	u32 status = ERR_NOT_SUPPORTED;
	u64 params;

	if (get_user(params, (u64 __user *)(arg + 16)))
		return -EFAULT;
	if (command == CTRL_GET_BUILD_VERSION && !get_build_version(params))
		status = 0;
	else if (command == CTRL_SET_SHARE_POLICY)
		status = 0;
	say("RM_CONTROL", bytes, arg, field(arg, 4), command, status);
	return set_field(arg, 28, status);
}

/* NVOS21 (32 bytes) or NVOS64 (48). The caller may leave it to the driver to name the object; a client names itself. */
static int rm_alloc(unsigned int bytes, unsigned long arg)
{
	u32 handle = field(arg, 8);

	if (!handle) {
		handle = atomic_inc_return(&next_handle);
		if (set_field(arg, 8, handle))
			return -EFAULT;
	}
	say("RM_ALLOC", bytes, arg, handle, field(arg, 12), 0);
	return set_field(arg, bytes == 48 ? 40 : 28, 0);
}

/* NVOS00 */
static int rm_free(unsigned int bytes, unsigned long arg)
{
	say("RM_FREE", bytes, arg, field(arg, 8), 0, 0);
	return set_field(arg, 12, 0);
}

/* nv_ioctl_rm_api_version_t: command, reply, string. Reply 1: this version is recognised. */
static int check_version(unsigned long arg)
{
	return set_field(arg, 4, 1);
}

/* nv_ioctl_sys_params_t: the size of a memory block. */
static int sys_params(unsigned long arg)
{
	return put_user((u64)128 << 20, (u64 __user *)arg);
}

/* Table of nv_ioctl_card_info_t; no entry is valid: no GPU is there. */
static int card_info(unsigned int bytes, unsigned long arg)
{
	return clear_user((void __user *)arg, bytes) ? -EFAULT : 0;
}

static long answer_as_driver(unsigned int nr, unsigned int bytes, unsigned long arg)
{
	if (log_calls && (nr < ESC_RM_FREE || nr > ESC_RM_ALLOC))
		pr_info("fake_nvidia: %d %#x %u\n", current->tgid, nr, bytes);
	switch (nr) {
	case ESC_RM_FREE:
		return rm_free(bytes, arg);
	case ESC_RM_CONTROL:
		return rm_control(bytes, arg);
	case ESC_RM_ALLOC:
		return rm_alloc(bytes, arg);
	case ESC_CHECK_VERSION:
		return check_version(arg);
	case ESC_SYS_PARAMS:
		return sys_params(arg);
	case ESC_CARD_INFO:
		return card_info(bytes, arg);
	}
	return -EINVAL;
}

static long answer_as_told(const struct fake_nvidia_answer *answer)
{
	const struct fake_nvidia_write *w;

	if (answer->delay_us)
		usleep_range(answer->delay_us, answer->delay_us + 100);
	for (w = answer->writes; w < answer->writes + answer->count; w++)
		if (copy_to_user(u64_to_user_ptr(w->address), &w->value, w->bytes))
			return -EFAULT;
	return answer->result;
}

/* Keeps it for the next call on this file. */
static long take_answer(struct file *file, unsigned long arg)
{
	struct fake_nvidia_answer *answer = memdup_user((void __user *)arg, sizeof(*answer));
	u64 i;

	if (IS_ERR(answer))
		return PTR_ERR(answer);
	for (i = 0; i < answer->count && i < FAKE_NVIDIA_WRITES; i++)
		if (answer->writes[i].bytes > sizeof(answer->writes[i].value))
			break;
	if (i != answer->count) {
		kfree(answer);
		return -EINVAL;
	}
	kfree(xchg((struct fake_nvidia_answer **)&file->private_data, answer));
	return 0;
}

/* The name is the real driver's: tracers attach to it. */
static noinline long nvidia_unlocked_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct fake_nvidia_answer *answer;
	unsigned int nr = _IOC_NR(cmd), bytes = _IOC_SIZE(cmd);
	struct xfer xfer;
	long result;

	if (cmd == FAKE_NVIDIA_ANSWER)
		return take_answer(file, arg);
	answer = xchg((struct fake_nvidia_answer **)&file->private_data, NULL);
	if (answer) {
		result = answer_as_told(answer);
		kfree(answer);
		return result;
	}
	if (nr == ESC_XFER) {
		if (copy_from_user(&xfer, (void __user *)arg, sizeof(xfer)))
			return -EFAULT;
		return answer_as_driver(xfer.nr, xfer.bytes, xfer.address);
	}
	return answer_as_driver(nr, bytes, arg);
}

static int nvidia_close(struct inode *inode, struct file *file)
{
	kfree(file->private_data);
	return 0;
}

static int nvidia_open(struct inode *inode, struct file *file)
{
	file->private_data = NULL;
	return 0;
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.open = nvidia_open,
	.release = nvidia_close,
	.unlocked_ioctl = nvidia_unlocked_ioctl,
};

static int __init fake_nvidia_init(void)
{
	int err = register_chrdev(MAJOR_NUMBER, "nvidia", &operations);

	if (err < 0)
		return err;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0) /* commit 1aaba11da9aa */
	nodes = class_create("fake_nvidia");
#else
	nodes = class_create(THIS_MODULE, "fake_nvidia");
#endif
	if (IS_ERR(nodes)) {
		unregister_chrdev(MAJOR_NUMBER, "nvidia");
		return PTR_ERR(nodes);
	}
	device_create(nodes, NULL, MKDEV(MAJOR_NUMBER, 0), NULL, "nvidia0");
	device_create(nodes, NULL, MKDEV(MAJOR_NUMBER, CONTROL_MINOR), NULL, "nvidiactl");
	return 0;
}

static void __exit fake_nvidia_exit(void)
{
	device_destroy(nodes, MKDEV(MAJOR_NUMBER, 0));
	device_destroy(nodes, MKDEV(MAJOR_NUMBER, CONTROL_MINOR));
	class_destroy(nodes);
	unregister_chrdev(MAJOR_NUMBER, "nvidia");
}

module_init(fake_nvidia_init);
module_exit(fake_nvidia_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("FAKE of NVIDIA's driver, for tests");
