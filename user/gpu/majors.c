// SPDX-License-Identifier: Apache-2.0
#include "gpu/majors.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

/* MINORBITS of include/linux/kdev_t.h leaves 12 bits. */
#define MAJOR_MAX 4095

static const struct {
	const char *name;
	uint32_t major;
} families[] = {
#define TKS_GPU_FAMILY(id, name, major) [TKS_GPU_FAMILY_##id] = { name, major },
#include "tks_gpu_devices.def"
#undef TKS_GPU_FAMILY
};

static int family_of(const char *name, size_t len)
{
	for (int i = 0; i < TKS_GPU_FAMILIES; i++)
		if (strlen(families[i].name) == len && !memcmp(families[i].name, name, len))
			return i;
	return -EINVAL;
}

/* One "name=major"; *text then points behind it. */
static int parse_one(const char **text, uint32_t majors[TKS_GPU_FAMILIES])
{
	size_t name_len = strcspn(*text, "=");
	int family = family_of(*text, name_len), used = 0;
	const char *number = *text + name_len;
	unsigned int major;

	if (family < 0 || sscanf(number, "=%4u%n", &major, &used) != 1 || !major ||
	    major > MAJOR_MAX)
		return -EINVAL;
	majors[family] = major;
	*text = number + used;
	return 0;
}

static int parse_list(const char *text, uint32_t majors[TKS_GPU_FAMILIES])
{
	int err = parse_one(&text, majors);

	while (!err && *text == ',') {
		text++;
		err = parse_one(&text, majors);
	}
	return err || *text ? -EINVAL : 0;
}

/* Lines "511 nvidia-uvm"; block devices follow under a heading of their own, but no driver here has any. */
static void read_devices(const char *path, uint32_t majors[TKS_GPU_FAMILIES])
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	char line[128], name[64];
	unsigned int major;
	int family;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%u %63s", &major, name) != 2 || !major || major > MAJOR_MAX)
			continue;
		family = family_of(name, strlen(name));
		if (family >= 0)
			majors[family] = major;
	}
}

int gpu_majors_parse(const char *text, const char *devices, uint32_t majors[TKS_GPU_FAMILIES])
{
	memset(majors, 0, TKS_GPU_FAMILIES * sizeof(*majors));
	if (text)
		return parse_list(text, majors);
	for (int i = 0; i < TKS_GPU_FAMILIES; i++)
		majors[i] = families[i].major;
	read_devices(devices, majors);
	return 0;
}
