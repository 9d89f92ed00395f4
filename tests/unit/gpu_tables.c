// SPDX-License-Identifier: Apache-2.0
/* The tables of include/tks_gpu_*.def: names, sizes and offsets, and the majors that the command line names. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "gpu/majors.h"
#include "gpu/names.h"

static struct tks_gpu_meaning ioctl_of(enum tks_gpu_family family, uint32_t nr)
{
	return tks_gpu_meaning_of(family, nr);
}

static enum tks_gpu_kind kind_of(uint32_t class_number)
{
	return tks_gpu_meaning_of(TKS_GPU_SPACE_CLASS, class_number).kind;
}

static void test_commands(void **state)
{
	(void)state;
	assert_int_equal(ioctl_of(TKS_GPU_FAMILY_NVIDIA, 0x2b).command, TKS_GPU_RM_ALLOC);
	assert_int_equal(ioctl_of(TKS_GPU_FAMILY_NVIDIA, 0x2b).action, TKS_GPU_ACTION_ALLOC);
	assert_int_equal(ioctl_of(TKS_GPU_FAMILY_NVIDIA, 34).command, TKS_GPU_OTHER);
	assert_int_equal(ioctl_of(TKS_GPU_FAMILY_NVIDIA, 34).action, TKS_GPU_ACTION_COUNT);
	assert_int_equal(ioctl_of(TKS_GPU_FAMILY_NVIDIA_UVM, 34).command, TKS_GPU_UVM_FREE);
	assert_int_equal(ioctl_of(TKS_GPU_FAMILY_NVIDIA_UVM, 0x30000001).command,
			 TKS_GPU_UVM_INITIALIZE);
	assert_int_equal(tks_gpu_meaning_of(TKS_GPU_SPACE_CONTROL, 0x20801303).command,
			 TKS_GPU_CONTROL_FB_GET_INFO_V2);
	assert_int_equal(kind_of(0x40), TKS_GPU_KIND_VIDMEM);
	assert_int_equal(kind_of(0x3e), TKS_GPU_KIND_SYSMEM);
	assert_int_equal(kind_of(0x70), TKS_GPU_KIND_OTHER); /* address space */
	assert_int_equal(kind_of(0xffff), TKS_GPU_KIND_OTHER);
}

/* The kernel's map of them takes each number once. */
static void test_numbers_are_unique(void **state)
{
	(void)state;
	assert_int_equal(TKS_GPU_MEANINGS, TKS_GPU_COMMANDS - 1);
	for (size_t i = 0; i < TKS_GPU_MEANINGS; i++) {
		const struct tks_gpu_number n = tks_gpu_meanings[i].number;

		assert_int_equal(tks_gpu_meaning_of(n.space, n.number).command, i + 1);
	}
}

/* Of the command that the layout is about. */
static enum tks_gpu_action action_of(uint32_t command)
{
	return command == TKS_GPU_OTHER ? TKS_GPU_ACTION_COUNT
					: tks_gpu_meanings[command - 1].meaning.action;
}

static const char *control_name(uint32_t control)
{
	return gpu_command_name(tks_gpu_meaning_of(TKS_GPU_SPACE_CONTROL, control).command);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(gpu_command_name(TKS_GPU_OTHER), "OTHER");
	assert_string_equal(gpu_command_name(TKS_GPU_RM_VID_HEAP_CONTROL), "RM_VID_HEAP_CONTROL");
	assert_string_equal(gpu_command_name(TKS_GPU_CLASS_HOPPER_CHANNEL_GPFIFO_A),
			    "RM_ALLOC.HOPPER_CHANNEL_GPFIFO_A");
	assert_string_equal(gpu_command_name(TKS_GPU_CONTROL_FB_GET_INFO_V2),
			    "RM_CONTROL.FB_GET_INFO_V2");
	/* What libcuda asks for in cuInit. */
	assert_string_equal(gpu_class_name(0xcb33), "CONFIDENTIAL_COMPUTE");
	assert_string_equal(control_name(0x101), "RM_CONTROL.SYSTEM_GET_BUILD_VERSION");
	assert_string_equal(control_name(0xd04), "RM_CONTROL.CLIENT_SET_INHERITED_SHARE_POLICY");
	assert_string_equal(control_name(0x1f0), "RM_CONTROL.SYSTEM_GET_FEATURES");
	assert_string_equal(gpu_command_name(TKS_GPU_COMMANDS), "OTHER");
	for (uint32_t i = 0; i < TKS_GPU_COMMANDS; i++)
		assert_non_null(gpu_command_name(i));
	assert_string_equal(gpu_device_name(TKS_GPU_DEVICE_UVM), "uvm");
	assert_string_equal(gpu_device_name(TKS_GPU_DEVICES), "unknown");
	assert_string_equal(gpu_class_name(0x40), "MEMORY_LOCAL_USER");
	assert_string_equal(gpu_class_name(0x12345), "_OTHER");
	assert_string_equal(gpu_error_type(0, 0x51), "NV_ERR_NO_MEMORY");
	assert_string_equal(gpu_error_type(0, 0x1a), "NV_ERR_INSUFFICIENT_RESOURCES");
	assert_string_equal(gpu_error_type(0, 0xffff), "NV_ERR_GENERIC");
	assert_string_equal(gpu_error_type(0, 0x7777), "_OTHER");
	assert_string_equal(gpu_error_type(-ENODEV, 0x51), "ENODEV");
	assert_string_equal(gpu_error_type(-9999, 0), "_OTHER");
}

static void test_device_of(void **state)
{
	(void)state;
	assert_int_equal(tks_gpu_device_of(TKS_GPU_FAMILY_NVIDIA, 255), TKS_GPU_DEVICE_CTL);
	assert_int_equal(tks_gpu_device_of(TKS_GPU_FAMILY_NVIDIA, 0), TKS_GPU_DEVICE_GPU);
	assert_int_equal(tks_gpu_device_of(TKS_GPU_FAMILY_NVIDIA_UVM, 0), TKS_GPU_DEVICE_UVM);
}

/* A 32-bit field of a struct of that size, or absent. */
static void check_field(const struct tks_gpu_layout *l, uint8_t offset)
{
	assert_int_equal(offset % 4, 0);
	assert_true(!l->version.size || (__u32)offset + 4 <= l->version.size);
}

static void test_layouts(void **state)
{
	(void)state;
	assert_int_equal(TKS_GPU_LAYOUTS, 15);
	for (size_t i = 0; i < TKS_GPU_LAYOUTS; i++) {
		const struct tks_gpu_layout *l = &tks_gpu_layouts[i];

		assert_int_not_equal(action_of(l->version.command), TKS_GPU_ACTION_COUNT);
		assert_true(l->status);
		check_field(l, l->parent);
		check_field(l, l->object);
		check_field(l, l->selector);
		check_field(l, l->params);
		check_field(l, l->bytes);
		check_field(l, l->source_object);
		check_field(l, l->status);
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(&tks_gpu_layouts[k].version, &l->version,
						sizeof(l->version));
	}
	/* Every command that is decoded has a layout. */
	for (uint32_t c = 0; c < TKS_GPU_COMMANDS; c++) {
		size_t n = 0;

		for (size_t i = 0; i < TKS_GPU_LAYOUTS; i++)
			n += tks_gpu_layouts[i].version.command == c;
		assert_int_equal(n > 0, action_of(c) != TKS_GPU_ACTION_COUNT);
	}
}

static void test_majors(void **state)
{
	static const char *const wrong[] = {
		"",	     "nvidia",	     "nvidia=",	       "nvidia=0",	"nvidia=4096",
		"nvidia=x",  "=195",	     "amd=1",	       "nvidia=195,",	"nvidia=195x",
		"nvidia=-1", "nvidia=19512", "nvidia=1;amd=2", "nvidia-uvmx=1", ","
	};
	uint32_t m[TKS_GPU_FAMILIES];

	(void)state;
	assert_int_equal(gpu_majors_parse("nvidia=1", NULL, m), 0);
	assert_int_equal(m[TKS_GPU_FAMILY_NVIDIA], 1);
	assert_int_equal(m[TKS_GPU_FAMILY_NVIDIA_UVM], 0);
	assert_int_equal(gpu_majors_parse("nvidia-uvm=511,nvidia=195", NULL, m), 0);
	assert_int_equal(m[TKS_GPU_FAMILY_NVIDIA], 195);
	assert_int_equal(m[TKS_GPU_FAMILY_NVIDIA_UVM], 511);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (gpu_majors_parse(wrong[i], NULL, m) != -EINVAL)
			fail_msg("'%s' was taken", wrong[i]);
}

static void test_proc_devices(void **state)
{
	static const char text[] =
		"Character devices:\n  1 mem\n195 nvidia-frontend\n"
		"511 nvidia-uvm\n512 nvidia-uvm-tools\n\nBlock devices:\n259 blkext\n";
	char path[] = "/tmp/tokscope-devices-XXXXXX";
	uint32_t m[TKS_GPU_FAMILIES];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	assert_int_equal(gpu_majors_parse(NULL, path, m), 0);
	unlink(path);
	assert_int_equal(m[TKS_GPU_FAMILY_NVIDIA], 195);
	assert_int_equal(m[TKS_GPU_FAMILY_NVIDIA_UVM], 511);
	assert_int_equal(gpu_majors_parse(NULL, path, m), 0); /* no such file */
	assert_int_equal(m[TKS_GPU_FAMILY_NVIDIA], 195);
	assert_int_equal(m[TKS_GPU_FAMILY_NVIDIA_UVM], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),     cmocka_unit_test(test_numbers_are_unique),
		cmocka_unit_test(test_names),	     cmocka_unit_test(test_device_of),
		cmocka_unit_test(test_layouts),	     cmocka_unit_test(test_majors),
		cmocka_unit_test(test_proc_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
