/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The GPUs of this machine, as the driver lists them in /proc/driver/nvidia/gpus, by the numbers that others call them by.
 *
 * What is shown is the index of nvidia-smi and DCGM: the place by PCI address. A node's minor is another number (on HGX
 * boards, and wherever the kernel probes devices in another order), and so is the driver's instance, which counts GPUs in the
 * order they were first opened in. An instance is known once a process has asked the driver about it.
 */
#ifndef GPU_INVENTORY_H
#define GPU_INVENTORY_H

#include <stdint.h>

#define GPU_PARENT_MAX 63

struct gpu_entry {
	uint32_t id; /* gpu_id() of its PCI address */
	uint32_t index;
	uint32_t minor;
	char uuid[GPU_PARENT_MAX + 1]; /* "": the driver does not tell */
};

/* The driver's own: gpuGenerate32BitId() of NVIDIA's open kernel modules, which takes the domain's lower half only. */
static inline uint32_t gpu_id(uint32_t domain, uint32_t bus, uint32_t device)
{
	return domain << 16 | (bus & 0xff) << 8 | (device & 0xff);
}

struct gpu_inventory;

/* proc: "/proc"; as long as it lives. NULL: out of memory. */
struct gpu_inventory *gpu_inventory_new(const char *proc);
void gpu_inventory_free(struct gpu_inventory *v);

/* NULL: no such GPU, or nobody has said which it is. Valid until the next call. */
const struct gpu_entry *gpu_inventory_by_id(struct gpu_inventory *v, uint32_t id);
const struct gpu_entry *gpu_inventory_by_minor(struct gpu_inventory *v, uint32_t minor);
const struct gpu_entry *gpu_inventory_by_instance(struct gpu_inventory *v, uint32_t instance);

/* A process says that the driver told it that this GPU has this instance: taken where there is such a GPU. */
void gpu_inventory_learn(struct gpu_inventory *v, uint32_t instance, uint32_t id);

#endif
