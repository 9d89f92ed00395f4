// SPDX-License-Identifier: Apache-2.0
/* Hooks in GPU drivers' ioctl: which, where they are placed, what they cost, what they have counted. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "load/internal.h"

static const char *const hook_names[] = {
	[GPU_HOOK_OFF] = "off",
	[GPU_HOOK_AUTO] = "auto",
	[GPU_HOOK_KPROBE] = "kprobe",
	[GPU_HOOK_TRACEPOINT] = "tracepoint",
};
#define HOOKS (sizeof(hook_names) / sizeof(hook_names[0]))

const char *gpu_hook_name(enum gpu_hook h)
{
	return (size_t)h < HOOKS ? hook_names[h] : "unknown";
}

int gpu_hook_parse(const char *name)
{
	for (size_t i = 0; i < HOOKS; i++)
		if (!strcmp(name, hook_names[i]))
			return i;
	return -EINVAL;
}

enum gpu_hook loader_gpu_hook(const struct loader *l)
{
	return l->gpu.hook;
}

static const struct {
	const char *program;
	enum gpu_hook hook;
} programs[] = {
	{ "gpu_ioctl", GPU_HOOK_KPROBE },	 { "gpu_ioctl_return", GPU_HOOK_KPROBE },
	{ "gpu_release", GPU_HOOK_KPROBE },	 { "gpu_sys_enter", GPU_HOOK_TRACEPOINT },
	{ "gpu_sys_exit", GPU_HOOK_TRACEPOINT },
};

#define PROGRAMS (sizeof(programs) / sizeof(programs[0]))

bool gpu_hook_wants(const char *program, enum gpu_hook hook)
{
	for (size_t i = 0; i < PROGRAMS; i++)
		if (!strcmp(program, programs[i].program))
			return programs[i].hook == hook;
	return true;
}

/*
 * A driver's file operations: unlocked_ioctl, and release where the end of an open file frees something. Names from
 * open-gpu-kernel-modules: nv.c since 545, nv-frontend.c before, uvm.c. They are the same in the proprietary driver, whose
 * other symbols are obfuscated. Kprobes, not fentry: modules built outside the kernel's tree mostly come without BTF.
 */
struct entry {
	const char *ioctl;
	const char *release;
};
static const struct entry nvidia = { "nvidia_unlocked_ioctl", "nvidia_close" };
static const struct entry nvidia_frontend = { "nvidia_frontend_unlocked_ioctl",
					      "nvidia_frontend_close" };
static const struct entry nvidia_uvm = { "uvm_unlocked_ioctl_entry", NULL };

/* Not by /dev/nvidiactl: libcuda makes that node itself, driver or not. */
static bool driver_loaded(void)
{
	return !access("/sys/module/nvidia", F_OK);
}

void gpu_hooks_choose(struct loader *l, const struct loader_config *config)
{
	l->gpu.hook = config->gpu_hook;
	if (config->gpu_hook != GPU_HOOK_AUTO)
		return;
	l->gpu.hook = driver_loaded() ? GPU_HOOK_KPROBE : GPU_HOOK_OFF;
	if (!driver_loaded())
		log_info("GPU driver calls are not traced: no nvidia driver is loaded here");
}

void gpu_hooks_select(struct loader *l, const struct loader_config *config)
{
	struct tokscope_bpf *skel = l->skel;
	struct bpf_map *maps[] = { skel->maps.gpu_calls, skel->maps.gpu_cells,
				   skel->maps.gpu_meanings, skel->maps.gpu_layouts };
	struct bpf_program *p;

	bpf_object__for_each_program(p, skel->obj)
		if (!gpu_hook_wants(bpf_program__name(p), l->gpu.hook))
			bpf_program__set_autoload(p, false);
	for (size_t i = 0; i < PROGRAMS; i++)
		bpf_program__set_autoattach(
			bpf_object__find_program_by_name(skel->obj, programs[i].program), false);
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		bpf_map__set_autocreate(maps[i], l->gpu.hook != GPU_HOOK_OFF);
	memcpy((void *)skel->rodata->gpu_majors, config->gpu_majors,
	       sizeof(skel->rodata->gpu_majors));
}

/* The tables of tks_gpu.h become maps (gpu.bpf.h says why). Returns 0 or negative errno. */
static int fill_tables(struct loader *l)
{
	int meanings = bpf_map__fd(l->skel->maps.gpu_meanings);
	int layouts = bpf_map__fd(l->skel->maps.gpu_layouts), err = 0;

	for (size_t i = 0; !err && i < TKS_GPU_MEANINGS; i++)
		err = bpf_map_update_elem(meanings, &tks_gpu_meanings[i].number,
					  &tks_gpu_meanings[i].meaning, BPF_NOEXIST);
	for (size_t i = 0; !err && i < TKS_GPU_LAYOUTS; i++)
		err = bpf_map_update_elem(layouts, &tks_gpu_layouts[i].version, &tks_gpu_layouts[i],
					  BPF_NOEXIST);
	return err;
}

static int attach(struct loader *l, const struct bpf_program *p, bool at_return, const char *name)
{
	struct bpf_link *link = bpf_program__attach_kprobe(p, at_return, name);

	if (!link)
		return -errno;
	l->gpu.links[l->gpu.link_count++] = link;
	return 0;
}

/* The kernel has kprobes, and perf events to attach to them by. */
static bool kprobes_here(void)
{
	return !access("/sys/bus/event_source/devices/kprobe", F_OK);
}

/* What attach() found absent: ENODEV, the driver or its function; ENOENT, kprobes altogether. */
static int why_absent(int err)
{
	return err == -ENOENT && (!driver_loaded() || kprobes_here()) ? -ENODEV : err;
}

static const char *reason(enum gpu_hook hook, int err)
{
	if (err == -ENOENT && hook == GPU_HOOK_KPROBE)
		return "this kernel has no kprobes";
	if (err != -ENODEV)
		return strerror(-err);
	return driver_loaded()
		       ? "the nvidia driver loaded here has no ioctl function of a known name"
		       : "no nvidia driver is loaded here";
}

/* The return first: an entry without one would be left behind. */
static int attach_entry(struct loader *l, const struct entry *e)
{
	int err = attach(l, l->skel->progs.gpu_ioctl_return, true, e->ioctl);

	if (!err)
		err = attach(l, l->skel->progs.gpu_ioctl, false, e->ioctl);
	if (!err && e->release && attach(l, l->skel->progs.gpu_release, false, e->release))
		log_warn("kprobe on %s: %s; memory counts until freed or its process ends",
			 e->release, strerror(errno));
	return err;
}

/* Best of some tries, so that what else the machine does is not in it. */
static uint64_t syscall_ns(void)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 10; i++) {
		uint64_t start = clock_monotonic_ns(), ns;

		for (int k = 0; k < 1000; k++)
			syscall(SYS_getppid);
		ns = (clock_monotonic_ns() - start) / 1000;
		best = ns < best ? ns : best;
	}
	return best;
}

static int attach_tracepoints(struct loader *l)
{
	uint64_t before = syscall_ns(), with;

	l->gpu.links[0] = bpf_program__attach(l->skel->progs.gpu_sys_exit);
	l->gpu.links[1] = bpf_program__attach(l->skel->progs.gpu_sys_enter);
	l->gpu.link_count = 2;
	if (!l->gpu.links[0] || !l->gpu.links[1])
		return -errno;
	with = syscall_ns();
	log_warn(
		"--gpu-ioctl tracepoint makes every system call of this machine slower: %llu ns more on %llu ns, "
		"measured here with getppid",
		(unsigned long long)(with > before ? with - before : 0),
		(unsigned long long)before);
	return 0;
}

/* nvidia-uvm may be loaded later, or never. */
static int attach_kprobes(struct loader *l)
{
	int err = attach_entry(l, &nvidia), uvm;

	if (err == -ENOENT)
		err = attach_entry(l, &nvidia_frontend);
	if (err)
		return why_absent(err);
	uvm = attach_entry(l, &nvidia_uvm);
	if (uvm)
		log_info(
			"calls of nvidia-uvm are not traced: kprobe on %s: %s; if that driver was loaded after "
			"tokscope, start tokscope again",
			nvidia_uvm.ioctl, strerror(-uvm));
	return 0;
}

void gpu_hooks_detach(struct loader *l)
{
	for (size_t i = 0; i < l->gpu.link_count; i++)
		bpf_link__destroy(l->gpu.links[i]);
	l->gpu.link_count = 0;
}

bool gpu_hooks_give_up(struct loader *l, const struct loader_config *config)
{
	if (config->gpu_hook != GPU_HOOK_AUTO || l->gpu.hook == GPU_HOOK_OFF)
		return false;
	log_warn(
		"GPU driver calls are not traced: a driver is loaded, but %s hooks cannot be had here, see "
		"`tokscope feature probe`",
		gpu_hook_name(l->gpu.hook));
	l->gpu.hook = GPU_HOOK_OFF;
	return true;
}

int gpu_hooks_attach(struct loader *l)
{
	int err;

	if (l->gpu.hook == GPU_HOOK_OFF)
		return 0;
	err = fill_tables(l);
	if (!err)
		err = l->gpu.hook == GPU_HOOK_KPROBE ? attach_kprobes(l) : attach_tracepoints(l);
	if (!err)
		return 0;
	gpu_hooks_detach(l);
	log_warn(
		"GPU driver calls cannot be traced by %s: %s; see `tokscope feature probe`, or choose another "
		"--gpu-ioctl",
		gpu_hook_name(l->gpu.hook), reason(l->gpu.hook, err));
	return err;
}

/* ------------------------------------------------------------------ counted in the kernel */

static struct tks_gpu_cell sum_of(const struct tks_gpu_cell *values, int cpus)
{
	struct tks_gpu_cell sum = { 0 };

	for (int i = 0; i < cpus; i++) {
		sum.count += values[i].count;
		sum.sum_ns += values[i].sum_ns;
		sum.failed += values[i].failed;
	}
	return sum;
}

void loader_gpu_cells(const struct loader *l, gpu_cell_fn fn, void *ctx)
{
	int cpus = libbpf_num_possible_cpus(), fd = bpf_map__fd(l->skel->maps.gpu_cells);
	_cleanup_free_ struct tks_gpu_cell *values =
		cpus > 0 ? calloc(cpus, sizeof(*values)) : NULL;
	struct tks_gpu_cell_key key;
	bool first = true;

	if (!values || l->gpu.hook == GPU_HOOK_OFF)
		return;
	while (!bpf_map_get_next_key(fd, first ? NULL : &key, &key)) {
		struct tks_gpu_cell sum;

		first = false;
		if (bpf_map_lookup_elem(fd, &key, values))
			continue;
		sum = sum_of(values, cpus);
		fn(ctx, &key, &sum);
	}
}
