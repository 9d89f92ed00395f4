/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Calls of GPU drivers through ioctl: the tables that bpf/gpu.bpf.c decodes by, and what it tells user space. Another
 * vendor's driver is rows in tks_gpu_devices.def, _commands.def and _layouts.def (and its minors in tks_gpu_device_of).
 */
#ifndef TKS_GPU_H
#define TKS_GPU_H

#include "tks_record.h"

#define TKS_INLINE static inline __attribute__((always_inline, unused))

enum tks_gpu_family {
#define TKS_GPU_FAMILY(id, ...) TKS_GPU_FAMILY_##id,
#include "tks_gpu_devices.def"
#undef TKS_GPU_FAMILY
	TKS_GPU_FAMILIES
};

enum tks_gpu_device {
#define TKS_GPU_DEVICE(id, ...) TKS_GPU_DEVICE_##id,
#include "tks_gpu_devices.def"
#undef TKS_GPU_DEVICE
	TKS_GPU_DEVICES
};

/* NV_MAX_DEVICES of NVIDIA's nvlimits.h: device instances and the minors of GPUs are below. */
#define TKS_GPU_MAX	32
#define TKS_GPU_UNKNOWN 0xffffffff

/* nvidiactl is the last minor, below it are nvidia-modeset and the GPUs (nv-chardev-numbers.h). */
TKS_INLINE enum tks_gpu_device tks_gpu_device_of(enum tks_gpu_family family, __u32 minor)
{
	if (family == TKS_GPU_FAMILY_NVIDIA_UVM)
		return TKS_GPU_DEVICE_UVM;
	return minor == 255 ? TKS_GPU_DEVICE_CTL : TKS_GPU_DEVICE_GPU;
}

/* What a call does, hence what is read of its struct. */
enum tks_gpu_action {
	TKS_GPU_ACTION_COUNT,	/* nothing that is followed: its duration counts */
	TKS_GPU_ACTION_STATUS,	/* the same, and whether it failed */
	TKS_GPU_ACTION_CONTROL, /* the same; the selector is a control command */
	TKS_GPU_ACTION_ALLOC,	/* makes an object; the selector is its class */
	TKS_GPU_ACTION_FREE,
	TKS_GPU_ACTION_DUP,
	TKS_GPU_ACTION_HEAP, /* the selector is a function: makes or frees memory */
};

/* An index into the table of names: of a command, or one of its classes or control commands. */
enum tks_gpu_command {
	TKS_GPU_OTHER,
#define TKS_GPU_COMMAND(id, ...) TKS_GPU_##id,
#include "tks_gpu_commands.def"
#undef TKS_GPU_COMMAND
#define TKS_GPU_CLASS(id, ...) TKS_GPU_CLASS_##id,
#include "tks_gpu_classes.def"
#undef TKS_GPU_CLASS
#define TKS_GPU_CONTROL(id, ...) TKS_GPU_CONTROL_##id,
#include "tks_gpu_controls.def"
#undef TKS_GPU_CONTROL
	TKS_GPU_COMMANDS
};

/* What an object is. */
enum tks_gpu_kind {
	TKS_GPU_KIND_OTHER,
	TKS_GPU_KIND_CLIENT, /* root of a tree of objects, ends with the open file it was made through */
	TKS_GPU_KIND_DEVICE,	/* a GPU, in the tree of one client */
	TKS_GPU_KIND_SUBDEVICE, /* below a device */
	TKS_GPU_KIND_VIDMEM,	/* memory of the GPU */
	TKS_GPU_KIND_SYSMEM,	/* memory of the host */
};

/* What a number can be one of: ioctls of a family, and what the struct of one selects. */
enum tks_gpu_space {
	TKS_GPU_SPACE_CLASS = TKS_GPU_FAMILIES,
	TKS_GPU_SPACE_CONTROL,
};

struct tks_gpu_number {
	__u32 space; /* enum tks_gpu_family or tks_gpu_space */
	__u32 number;
};

struct tks_gpu_meaning {
	__u16 command; /* enum tks_gpu_command */
	__u8 action;   /* of an ioctl: enum tks_gpu_action */
	__u8 kind;     /* of a class: enum tks_gpu_kind */
};

static const struct {
	struct tks_gpu_number number;
	struct tks_gpu_meaning meaning;
} tks_gpu_meanings[] __attribute__((unused)) = {
#define TKS_GPU_COMMAND(id, family, nr, action_) \
	{ { TKS_GPU_FAMILY_##family, nr },       \
	  { .command = TKS_GPU_##id, .action = TKS_GPU_ACTION_##action_ } },
#include "tks_gpu_commands.def"
#undef TKS_GPU_COMMAND
#define TKS_GPU_CLASS(id, number, kind_)   \
	{ { TKS_GPU_SPACE_CLASS, number }, \
	  { .command = TKS_GPU_CLASS_##id, .kind = TKS_GPU_KIND_##kind_ } },
#include "tks_gpu_classes.def"
#undef TKS_GPU_CLASS
#define TKS_GPU_CONTROL(id, number) \
	{ { TKS_GPU_SPACE_CONTROL, number }, { .command = TKS_GPU_CONTROL_##id } },
#include "tks_gpu_controls.def"
#undef TKS_GPU_CONTROL
};
#define TKS_GPU_MEANINGS (sizeof(tks_gpu_meanings) / sizeof(tks_gpu_meanings[0]))

/* For user space, row by row: OTHER where no row is about it. */
TKS_INLINE struct tks_gpu_meaning tks_gpu_meaning_of(__u32 space, __u32 number)
{
	struct tks_gpu_meaning none = { .command = TKS_GPU_OTHER };

	for (__u32 i = 0; i < TKS_GPU_MEANINGS; i++)
		if (tks_gpu_meanings[i].number.space == space &&
		    tks_gpu_meanings[i].number.number == number)
			return tks_gpu_meanings[i].meaning;
	return none;
}

/* Sizes of structs are 14 bits wide, but those in an IOCTL_XFER_CMD 32. */
struct tks_gpu_version {
	__u32 command; /* enum tks_gpu_command */
	__u32 size;    /* of the struct; 0: the command does not tell */
};

/* Where the fields of one version of a command's struct are; 0: it has no such field (0 is the client's place). */
struct tks_gpu_layout {
	struct tks_gpu_version version;
	__u8 parent;
	__u8 object;
	__u8 selector;
	__u8 params; /* address of the class's own parameters */
	__u8 bytes;
	__u8 limit; /* bytes - 1 */
	__u8 flags;
	__u8 attr;
	__u8 source_client;
	__u8 source_object;
	__u8 status;
	__u8 pad;
};

static const struct tks_gpu_layout tks_gpu_layouts[] __attribute__((unused)) = {
#define TKS_GPU_LAYOUT(command_, size_, ...) \
	{ .version = { TKS_GPU_##command_, size_ }, __VA_ARGS__ },
#include "tks_gpu_layouts.def"
#undef TKS_GPU_LAYOUT
};
#define TKS_GPU_LAYOUTS (sizeof(tks_gpu_layouts) / sizeof(tks_gpu_layouts[0]))

/*
 * Parameters of a class or control, at tks_gpu_layout.params: NV0080_ALLOC_PARAMETERS, NV_MEMORY_ALLOCATION_PARAMS (all
 * versions), NV0000_CTRL_GPU_GET_ID_INFO_PARAMS and _V2.
 */
enum tks_gpu_params {
	TKS_GPU_PARAMS_DEVICE_INSTANCE = 0,
	TKS_GPU_PARAMS_MEMORY_FLAGS = 8,
	TKS_GPU_PARAMS_MEMORY_ATTR = 24,
	TKS_GPU_PARAMS_MEMORY_SIZE = 64, /* granted, once the call has returned */
	TKS_GPU_PARAMS_ID = 0,
	TKS_GPU_PARAMS_ID_INSTANCE = 8,
};

/* NVOS32_FUNCTION_*, NVOS32_ALLOC_FLAGS_VIRTUAL, NVOS32_ATTR_LOCATION (bits 26:25, 0 is video memory) of nvos.h */
#define TKS_GPU_HEAP_ALLOC_SIZE	      2
#define TKS_GPU_HEAP_FREE	      3
#define TKS_GPU_HEAP_ALLOC_SIZE_RANGE 14
#define TKS_GPU_MEMORY_VIRTUAL	      0x00080000
#define TKS_GPU_MEMORY_LOCATION(attr) ((attr) >> 25 & 3)

/* NV01_MEMORY_LOCAL_USER: what the heap functions make */
#define TKS_GPU_HEAP_CLASS 0x40

enum tks_gpu_event {
	TKS_GPU_ALLOC =
		1, /* of a client, device, subdevice or video memory; failed ones also of host memory */
	TKS_GPU_FREE = 2,  /* of any object: what is below it goes too */
	TKS_GPU_DUP = 3,   /* `object` is one more reference to `source_object` */
	TKS_GPU_CLOSE = 4, /* nobody holds `file` open any more: its clients are gone */
	TKS_GPU_IDENTITY =
		5, /* asked, the driver has told which instance `gpu` the GPU of id `object` has */
};

/* TKS_KIND_GPU: one call that changed, or failed to change, what is allocated; stamped at return of the call. */
struct tks_gpu {
	struct tks_header h;
	__u64 file;	    /* names the open file while it is open */
	__u64 bytes;	    /* video memory granted */
	__u32 event;	    /* enum tks_gpu_event */
	__u32 kind;	    /* ALLOC: enum tks_gpu_kind */
	__u32 class_number; /* ALLOC: the driver's number */
	__u32 client;
	__u32 parent;
	__u32 object;
	__u32 source_client;
	__u32 source_object;
	__u32 gpu; /* ALLOC of a device: its instance, else the minor of a GPU's node or TKS_GPU_UNKNOWN */
	__u32 status; /* the driver's; says nothing where ret < 0 */
	__s32 ret;    /* of the system call: 0 or negative errno */
	__u32 pad;
};
TKS_STATIC_ASSERT(sizeof(struct tks_gpu) == 88, "tks_gpu is wire format");

/* One cell of one duration histogram (tks_hist.h, scale tks_hist_ns), kept for each CPU. */
struct tks_gpu_cell_key {
	__u16 device;  /* enum tks_gpu_device */
	__u16 command; /* enum tks_gpu_command */
	__u16 cell;
	__u16 pad;
};

struct tks_gpu_cell {
	__u64 count;
	__u64 sum_ns;
	__u64 failed; /* of count: the call or the driver's status says so */
};

#endif
