/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One ioctl of a GPU driver, from entry to return: the same code behind every hook. Everything is read at return, when
 * the driver has written its answer into the caller's struct.
 */
#ifndef GPU_BPF_H
#define GPU_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"
#include "tks_gpu.h"
#include "tks_hist.h"

/* Set before load: the major number of each family's nodes, 0 where the driver is not there. */
const volatile __u32 gpu_majors[TKS_GPU_FAMILIES] = {};

/* A call under way. Zero but for the first part until it returns. */
struct gpu_call {
	__u64 start_ns;
	__u64 arg; /* address of the struct, in user memory */
	__u32 nr;
	__u32 size;  /* of the struct; 0: the command does not tell */
	__u32 minor; /* of the node */
	__u32 family;
	/* at return */
	__u32 command; /* enum tks_gpu_command */
	__u32 failed;
	struct tks_gpu told;
};

/* By thread. An entry that is left behind (a return that was not seen) serves the thread's next call. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct gpu_call);
} gpu_calls SEC(".maps");

/* Sparse: some 40 commands are in use and 30 cells of each, of 58 000 that could be. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct tks_gpu_cell_key);
	__type(value, struct tks_gpu_cell);
} gpu_cells SEC(".maps");

/* BPF_F_RDONLY_PROG of include/uapi/linux/bpf.h: programs do not write. */
#define READ_ONLY (1 << 7)

/*
 * The tables of tks_gpu.h, filled by the loader. Maps, because what a look-up returns is the same to the verifier for all
 * rows: compared one by one, each row would be a path of its own through all that follows (432 000 instructions on 6.1).
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TKS_GPU_MEANINGS);
	__uint(map_flags, READ_ONLY);
	__type(key, struct tks_gpu_number);
	__type(value, struct tks_gpu_meaning);
} gpu_meanings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TKS_GPU_LAYOUTS);
	__uint(map_flags, READ_ONLY);
	__type(key, struct tks_gpu_version);
	__type(value, struct tks_gpu_layout);
} gpu_layouts SEC(".maps");

/* include/linux/kdev_t.h: the kernel's own dev_t */
#define MINOR_BITS 20

static __always_inline __u32 gpu_family_of(__u32 major)
{
	__u32 family;

	for (family = 0; family < TKS_GPU_FAMILIES; family++)
		if (major && major == gpu_majors[family])
			break;
	return family;
}

/* TKS_GPU_FAMILIES: not a node of a GPU driver. */
static __always_inline __u32 gpu_file_family(struct file *file, __u32 *minor)
{
	__u32 device = BPF_CORE_READ(file, f_inode, i_rdev);

	*minor = device & ((1 << MINOR_BITS) - 1);
	return gpu_family_of(device >> MINOR_BITS);
}

/* ------------------------------------------------------------------ counting */

static __always_inline void gpu_count(const struct gpu_call *call)
{
	struct tks_gpu_cell_key key = { .command = call->command };
	__u64 duration = call->told.h.time_ns - call->start_ns;
	struct tks_gpu_cell *cell, first = {};

	key.device = tks_gpu_device_of(call->family, call->minor);
	key.cell = tks_hist_cell(duration, &tks_hist_ns);
	cell = bpf_map_lookup_elem(&gpu_cells, &key);
	if (!cell) {
		/* BPF_NOEXIST: another CPU may have made it in between. */
		bpf_map_update_elem(&gpu_cells, &key, &first, BPF_NOEXIST);
		cell = bpf_map_lookup_elem(&gpu_cells, &key);
	}
	if (!cell) {
		count_failure(TKS_FAILURE_GPU_CELLS);
		return;
	}
	/* Atomic although it is this CPU's own: a tracepoint's program can be preempted since 7.0 (preempt.bpf.h). */
	__sync_fetch_and_add(&cell->count, 1);
	__sync_fetch_and_add(&cell->sum_ns, duration);
	if (call->failed)
		__sync_fetch_and_add(&cell->failed, 1);
}

/* ------------------------------------------------------------------ decoding */

static __always_inline struct tks_gpu_meaning gpu_meaning(__u32 space, __u32 number,
							  __u16 otherwise)
{
	struct tks_gpu_number key = { space, number };
	struct tks_gpu_meaning none = { .command = otherwise }, *found;

	found = bpf_map_lookup_elem(&gpu_meanings, &key);
	return found ? *found : none;
}

static __always_inline long gpu_read(void *to, __u32 size, __u64 base, __u32 offset)
{
	return offset ? bpf_probe_read_user(to, size, (void *)(base + offset)) : 0;
}

#define GPU_READ(to, base, offset) gpu_read(&(to), sizeof(to), base, offset)

/* IOCTL_XFER_CMD carries another command, for structs larger than _IOC can say: { u32 nr, u32 size, u64 address }. */
static __always_inline long gpu_unwrap(struct gpu_call *call)
{
	struct {
		__u32 nr;
		__u32 size;
		__u64 arg;
	} inner;

	if (bpf_probe_read_user(&inner, sizeof(inner), (void *)call->arg)) {
		count_failure(TKS_FAILURE_GPU_READ);
		return -1;
	}
	call->nr = inner.nr;
	call->size = inner.size;
	call->arg = inner.arg;
	return 0;
}

/* What the call is, after unwrapping. */
static __always_inline struct tks_gpu_meaning gpu_meaning_of(struct gpu_call *call)
{
	struct tks_gpu_meaning m = gpu_meaning(call->family, call->nr, TKS_GPU_OTHER);

	if (m.command == TKS_GPU_IOCTL_XFER_CMD && !gpu_unwrap(call))
		m = gpu_meaning(call->family, call->nr, TKS_GPU_OTHER);
	return m;
}

/* What memory an allocation is about, as the driver granted it. */
static __always_inline long gpu_read_memory(const struct gpu_call *call,
					    const struct tks_gpu_layout *l, __u64 params,
					    struct tks_gpu *r)
{
	__u32 flags = 0, attr = 0;
	long err = 0;

	if (params) {
		err |= GPU_READ(flags, params, TKS_GPU_PARAMS_MEMORY_FLAGS);
		err |= GPU_READ(attr, params, TKS_GPU_PARAMS_MEMORY_ATTR);
		err |= GPU_READ(r->bytes, params, TKS_GPU_PARAMS_MEMORY_SIZE);
	} else if (l->limit) {
		err |= GPU_READ(r->bytes, call->arg, l->limit);
		r->bytes++;
	} else {
		err |= GPU_READ(flags, call->arg, l->flags);
		err |= GPU_READ(attr, call->arg, l->attr);
		err |= GPU_READ(r->bytes, call->arg, l->bytes);
	}
	if (flags & TKS_GPU_MEMORY_VIRTUAL)
		r->kind = TKS_GPU_KIND_OTHER;
	else if (TKS_GPU_MEMORY_LOCATION(attr))
		r->kind = TKS_GPU_KIND_SYSMEM;
	return err;
}

static __always_inline long gpu_read_alloc(const struct gpu_call *call,
					   const struct tks_gpu_layout *l, struct tks_gpu *r)
{
	__u64 params = 0;
	long err = GPU_READ(params, call->arg, l->params);

	r->event = TKS_GPU_ALLOC;
	r->kind = gpu_meaning(TKS_GPU_SPACE_CLASS, r->class_number, TKS_GPU_OTHER).kind;
	r->gpu = tks_gpu_device_of(call->family, call->minor) == TKS_GPU_DEVICE_GPU
			 ? call->minor
			 : TKS_GPU_UNKNOWN;
	switch (r->kind) {
	case TKS_GPU_KIND_CLIENT:
		r->client = r->object;
		break;
	case TKS_GPU_KIND_DEVICE:
		if (params)
			err |= bpf_probe_read_user(
				&r->gpu, sizeof(r->gpu),
				(void *)(params + TKS_GPU_PARAMS_DEVICE_INSTANCE));
		break;
	case TKS_GPU_KIND_VIDMEM:
		err |= gpu_read_memory(call, l, params, r);
		break;
	}
	return err;
}

/* Functions that make memory are told like an allocation of its class. */
static __always_inline long gpu_read_heap(const struct gpu_call *call,
					  const struct tks_gpu_layout *l, __u32 function,
					  struct tks_gpu *r)
{
	r->class_number = 0;
	switch (function) {
	case TKS_GPU_HEAP_ALLOC_SIZE:
	case TKS_GPU_HEAP_ALLOC_SIZE_RANGE:
		r->class_number = TKS_GPU_HEAP_CLASS;
		return gpu_read_alloc(call, l, r);
	case TKS_GPU_HEAP_FREE:
		r->event = TKS_GPU_FREE;
	}
	return 0;
}

/* What the driver says of a GPU, if that was asked. The control's number is told by its name. */
static __always_inline long gpu_read_identity(const struct gpu_call *call,
					      const struct tks_gpu_layout *l, __u32 control,
					      struct tks_gpu *r)
{
	__u16 name = gpu_meaning(TKS_GPU_SPACE_CONTROL, control, TKS_GPU_OTHER).command;
	__u64 params = 0;
	long err;

	if (name != TKS_GPU_CONTROL_GPU_GET_ID_INFO && name != TKS_GPU_CONTROL_GPU_GET_ID_INFO_V2)
		return 0;
	err = GPU_READ(params, call->arg, l->params);
	if (!params)
		return err;
	r->event = TKS_GPU_IDENTITY;
	err |= bpf_probe_read_user(&r->object, sizeof(r->object),
				   (void *)(params + TKS_GPU_PARAMS_ID));
	return err | GPU_READ(r->gpu, params, TKS_GPU_PARAMS_ID_INSTANCE);
}

/* Fills r by the layout; r->event stays 0 for what is only counted. Not 0: some of it could not be read. */
static __always_inline long gpu_decode(const struct gpu_call *call, const struct tks_gpu_layout *l,
				       __u32 action, struct tks_gpu *r)
{
	long err = GPU_READ(r->status, call->arg, l->status);
	__u32 selector = 0;

	err |= GPU_READ(selector, call->arg, l->selector);
	if (l->object)
		err |= bpf_probe_read_user(&r->client, sizeof(r->client), (void *)call->arg);
	err |= GPU_READ(r->parent, call->arg, l->parent);
	err |= GPU_READ(r->object, call->arg, l->object);
	err |= GPU_READ(r->source_client, call->arg, l->source_client);
	err |= GPU_READ(r->source_object, call->arg, l->source_object);
	r->class_number = selector;
	switch (action) {
	case TKS_GPU_ACTION_ALLOC:
		return err | gpu_read_alloc(call, l, r);
	case TKS_GPU_ACTION_HEAP:
		return err | gpu_read_heap(call, l, selector, r);
	case TKS_GPU_ACTION_CONTROL:
		return err | gpu_read_identity(call, l, selector, r);
	case TKS_GPU_ACTION_FREE:
		r->event = TKS_GPU_FREE;
		break;
	case TKS_GPU_ACTION_DUP:
		r->event = TKS_GPU_DUP;
		break;
	}
	return err;
}

/* Events that change what is allocated, and memory that was refused. */
static __always_inline bool gpu_event_matters(const struct gpu_call *call)
{
	const struct tks_gpu *r = &call->told;

	if (r->event != TKS_GPU_ALLOC)
		return r->event;
	if (r->kind == TKS_GPU_KIND_SYSMEM)
		return call->failed;
	return r->kind != TKS_GPU_KIND_OTHER;
}

static __always_inline __u32 gpu_finer_name(__u32 command, __u32 action, __u32 selector)
{
	if (action == TKS_GPU_ACTION_CONTROL)
		return gpu_meaning(TKS_GPU_SPACE_CONTROL, selector, command).command;
	if (command == TKS_GPU_RM_ALLOC)
		return gpu_meaning(TKS_GPU_SPACE_CLASS, selector, command).command;
	return command;
}

/* ------------------------------------------------------------------ entry and return */

/* A selected process called the driver. cmd and arg as ioctl(2) has them. */
static __always_inline void gpu_enter(struct file *file, __u32 cmd, __u64 arg)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct gpu_call call = { .arg = arg, .nr = cmd, .told.file = (__u64)file };

	call.family = gpu_file_family(file, &call.minor);
	if (call.family >= TKS_GPU_FAMILIES)
		return;
	/* _IOC_NR and _IOC_SIZE; the driver does not look at the type. nvidia-uvm's commands are plain numbers. */
	if (call.family == TKS_GPU_FAMILY_NVIDIA) {
		call.nr = cmd & 0xff;
		call.size = cmd >> 16 & 0x3fff;
	}
	if (bpf_map_lookup_elem(&gpu_calls, &thread))
		count_failure(TKS_FAILURE_RETURN_MISSED);
	call.start_ns = bpf_ktime_get_ns();
	if (bpf_map_update_elem(&gpu_calls, &thread, &call, BPF_ANY))
		count_failure(TKS_FAILURE_PENDING_MAP);
}

/* Fills what gpu_finish() reads. */
static __always_inline void gpu_explain(struct gpu_call *call)
{
	struct tks_gpu_meaning m = gpu_meaning_of(call);
	struct tks_gpu_version version = { m.command, call->size };
	const struct tks_gpu_layout *layout;
	struct tks_gpu *r = &call->told;

	call->command = m.command;
	if (m.action == TKS_GPU_ACTION_COUNT)
		return;
	layout = bpf_map_lookup_elem(&gpu_layouts, &version);
	if (!layout) {
		count_failure(TKS_FAILURE_GPU_LAYOUT);
		return;
	}
	if (gpu_decode(call, layout, m.action, r)) {
		count_failure(TKS_FAILURE_GPU_READ);
		r->event = 0;
	}
	call->command = gpu_finer_name(m.command, m.action, r->class_number);
}

/* After a barrier nothing is in registers: to the verifier all the ways through the decoding are one again. */
static __always_inline void gpu_finish(struct gpu_call *call)
{
	gpu_explain(call);
	/* The system call returns 0 also where the driver's status, in the struct, says no. */
	call->failed = call->told.ret < 0 || call->told.status;
	barrier();
	gpu_count(call);
	barrier();
	if (gpu_event_matters(call))
		emit(&call->told, sizeof(call->told));
}

/* The thread's call has returned. */
static __always_inline void gpu_return(__s32 ret)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct gpu_call *call = bpf_map_lookup_elem(&gpu_calls, &thread);

	if (!call)
		return;
	header_init(&call->told.h, TKS_KIND_GPU, sizeof(call->told));
	call->told.ret = ret;
	gpu_finish(call);
	bpf_map_delete_elem(&gpu_calls, &thread);
}

static __always_inline void gpu_closed(struct file *file)
{
	struct tks_gpu r = {};

	header_init(&r.h, TKS_KIND_GPU, sizeof(r));
	r.event = TKS_GPU_CLOSE;
	r.file = (__u64)file;
	emit(&r, sizeof(r));
}

#endif
