// SPDX-License-Identifier: Apache-2.0
#include "gpu/names.h"

#include <string.h>

static const char *const devices[] = {
#define TKS_GPU_DEVICE(id, label) [TKS_GPU_DEVICE_##id] = label,
#include "tks_gpu_devices.def"
#undef TKS_GPU_DEVICE
};

static const char *const commands[] = {
	[TKS_GPU_OTHER] = "OTHER",
#define TKS_GPU_COMMAND(id, ...) [TKS_GPU_##id] = #id,
#include "tks_gpu_commands.def"
#undef TKS_GPU_COMMAND
#define TKS_GPU_CLASS(id, ...) [TKS_GPU_CLASS_##id] = "RM_ALLOC." #id,
#include "tks_gpu_classes.def"
#undef TKS_GPU_CLASS
#define TKS_GPU_CONTROL(id, ...) [TKS_GPU_CONTROL_##id] = "RM_CONTROL." #id,
#include "tks_gpu_controls.def"
#undef TKS_GPU_CONTROL
};

static const struct {
	const char *name;
	uint32_t number;
} statuses[] = {
#define TKS_GPU_STATUS(name_, number_) { #name_, number_ },
#include "tks_gpu_statuses.def"
#undef TKS_GPU_STATUS
};

/* OpenTelemetry's value of error.type for what has no name (semantic-conventions, attributes-registry/error.md). */
#define NAMELESS "_OTHER"

const char *gpu_device_name(uint32_t device)
{
	return device < TKS_GPU_DEVICES ? devices[device] : "unknown";
}

const char *gpu_command_name(uint32_t command)
{
	return commands[command < TKS_GPU_COMMANDS ? command : TKS_GPU_OTHER];
}

const char *gpu_class_name(uint32_t class_number)
{
	uint32_t command = tks_gpu_meaning_of(TKS_GPU_SPACE_CLASS, class_number).command;

	return command == TKS_GPU_OTHER ? NAMELESS : commands[command] + strlen("RM_ALLOC.");
}

const char *gpu_error_type(int ret, uint32_t status)
{
	const char *name = ret < 0 ? strerrorname_np(-ret) : NULL;

	if (ret < 0)
		return name ? name : NAMELESS;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (statuses[i].number == status)
			return statuses[i].name;
	return NAMELESS;
}
