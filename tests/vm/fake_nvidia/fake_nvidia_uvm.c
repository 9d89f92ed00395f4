// SPDX-License-Identifier: GPL-2.0-only
/*
 * A FAKE of NVIDIA's nvidia-uvm, for tests in a virtual machine: it moves no memory. It has what tracers of ioctls look for,
 * the name in /proc/devices and a function uvm_unlocked_ioctl_entry. Like the real one it makes no node in /dev (that is
 * nvidia-modprobe's work).
 *
 * Numbers and offsets: uvm_linux_ioctl.h and uvm_ioctl.h of open-gpu-kernel-modules 535 and 550.
 */
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#define UVM_INITIALIZE		  0x30000001
#define UVM_MIGRATE		  51
#define UVM_CREATE_EXTERNAL_RANGE 73
#define ERR_INVALID_ADDRESS	  0x1e

static int major;

static int set_status(unsigned long arg, unsigned int offset, u32 status)
{
	return put_user(status, (u32 __user *)(arg + offset));
}

/* The name is the real driver's: tracers attach to it. Nothing is ever mapped, so nothing can migrate. */
static noinline long uvm_unlocked_ioctl_entry(struct file *file, unsigned int cmd,
					      unsigned long arg)
{
	switch (cmd) {
	case UVM_INITIALIZE:
		return set_status(arg, 8, 0);
	case UVM_CREATE_EXTERNAL_RANGE:
		return set_status(arg, 16, 0);
	case UVM_MIGRATE:
		return set_status(arg, 72, ERR_INVALID_ADDRESS);
	}
	return -EINVAL;
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = uvm_unlocked_ioctl_entry,
};

static int __init fake_uvm_init(void)
{
	major = register_chrdev(0, "nvidia-uvm", &operations);
	return major < 0 ? major : 0;
}

static void __exit fake_uvm_exit(void)
{
	unregister_chrdev(major, "nvidia-uvm");
}

module_init(fake_uvm_init);
module_exit(fake_uvm_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("FAKE of NVIDIA's nvidia-uvm, for tests");
