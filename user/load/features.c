// SPDX-License-Identifier: Apache-2.0
/* `feature probe`: each feature is tried by loading and attaching one small program, never guessed from a version. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "features.skel.h"
#include "load/internal.h"

enum try {
	TRY_BTF,
	TRY_KFUNC,
	TRY_ATTACH,
	TRY_UPROBE,
	TRY_UPROBE_MULTI,
	TRY_UPROBE_MULTI_PID,
	TRY_URETPROBE,
	TRY_PERF_EVENT,
};

static const struct row {
	const char *name;
	enum try try;
	const char *needed;
} table[] = {
#define FEATURE(name_, try_, needed_) { #name_, try_, needed_ },
#include "load/features.def"
#undef FEATURE
};

#define COOKIE 1

/* What the probes are placed on. */
__attribute__((noinline)) static void probe_target(void)
{
	__asm__ volatile("");
}

/* Where probe_target lies in the file it was mapped from; 0 when that cannot be told. */
static size_t probe_target_offset(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/maps", "re");
	uintptr_t target = (uintptr_t)probe_target, from, to, offset;
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*s %" SCNxPTR, &from, &to, &offset) ==
			    3 &&
		    from <= target && target < to)
			return target - from + offset;
	return 0;
}

static struct bpf_link *attach_uprobe(const struct bpf_program *p, bool cookie)
{
	LIBBPF_OPTS(bpf_uprobe_opts, opts, .bpf_cookie = cookie ? COOKIE : 0);

	return bpf_program__attach_uprobe_opts(p, getpid(), "/proc/self/exe", probe_target_offset(),
					       &opts);
}

static struct bpf_link *attach_uprobe_multi(const struct bpf_program *p)
{
	const unsigned long offset = probe_target_offset();
	const __u64 cookie = COOKIE;
	LIBBPF_OPTS(bpf_uprobe_multi_opts, opts, .offsets = &offset, .cookies = &cookie, .cnt = 1);

	return bpf_program__attach_uprobe_multi(p, getpid(), "/proc/self/exe", NULL, &opts);
}

/* The link owns the event only when attaching succeeds. */
static struct bpf_link *attach_perf_event(const struct bpf_program *p)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.size = sizeof(attr),
		.freq = 1,
		.sample_freq = 1,
	};
	int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	struct bpf_link *link;

	if (fd < 0)
		return NULL;
	link = bpf_program__attach_perf_event(p, fd);
	if (!link) {
		int err = errno;

		close(fd);
		errno = err;
	}
	return link;
}

static struct bpf_link *attach(const struct bpf_program *p, enum try try)
{
	switch (try) {
	case TRY_UPROBE:
		return attach_uprobe(p, strstr(bpf_program__name(p), "cookie"));
	case TRY_UPROBE_MULTI:
	case TRY_UPROBE_MULTI_PID:
		return attach_uprobe_multi(p);
	case TRY_PERF_EVENT:
		return attach_perf_event(p);
	default:
		return bpf_program__attach(p);
	}
}

/* <name>, <name>_2, <name>_3 */
static bool program_of(const struct bpf_program *p, const char *name)
{
	const char *program = bpf_program__name(p);
	size_t len = strlen(name);

	return !strncmp(program, name, len) &&
	       (!program[len] || (program[len] == '_' && strlen(program + len) == 2));
}

static void *call_probe_target(void *unused)
{
	probe_target();
	return unused;
}

/* 6.6 to 6.9 see the thread whose id was given and no other one of the process (46ba0e49b642). */
static bool hit_from_thread(const struct features_bpf *skel, struct feature *out)
{
	pthread_t thread;
	int err = pthread_create(&thread, NULL, call_probe_target, NULL);

	if (err) {
		snprintf(out->detail, sizeof(out->detail), "cannot be tried: %s", strerror(err));
		return false;
	}
	pthread_join(thread, NULL);
	if (skel->bss->probe_hits == COOKIE)
		return true;
	snprintf(out->detail, sizeof(out->detail),
		 "sees one thread of a process only (Linux 6.6 to 6.9)");
	return false;
}

static bool try_links(const struct features_bpf *skel, const struct row *row, struct feature *out)
{
	struct bpf_program *p;
	bool seen = true;

	bpf_object__for_each_program(p, skel->obj) {
		struct bpf_link *link;

		if (!program_of(p, row->name))
			continue;
		link = attach(p, row->try);
		if (!link) {
			snprintf(out->detail, sizeof(out->detail), "cannot be attached: %s",
				 strerror(errno));
			return false;
		}
		if (row->try == TRY_UPROBE_MULTI_PID)
			seen = hit_from_thread(skel, out);
		bpf_link__destroy(link);
	}
	return seen;
}

static bool try_attach(const struct features_bpf *skel, const struct row *row, struct feature *out)
{
	if (row->try != TRY_URETPROBE)
		return try_links(skel, row, out);
	return return_probe_try(skel, probe_target, probe_target_offset(), out);
}

/* Loads the programs of one feature and no others, with the maps that it needs. */
static bool try_programs(const struct row *row, struct feature *out)
{
	struct features_bpf *skel = features_bpf__open();
	struct bpf_program *p;
	bool ok = false;
	int err;

	if (!skel) {
		snprintf(out->detail, sizeof(out->detail), "cannot be opened: %s", strerror(errno));
		return false;
	}
	bpf_map__set_autocreate(skel->maps.feature_ring, !strcmp(row->name, "ringbuf"));
	bpf_object__for_each_program(p, skel->obj)
		bpf_program__set_autoload(p, program_of(p, row->name));
	err = features_bpf__load(skel);
	if (err)
		snprintf(out->detail, sizeof(out->detail), "cannot be loaded: %s", strerror(-err));
	else
		ok = try_attach(skel, row, out);
	features_bpf__destroy(skel);
	return ok;
}

/* The kernel's own type information, or for a kfunc one function in it. */
static bool try_btf(const char *kfunc, struct feature *out)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int id;

	if (!btf) {
		snprintf(out->detail, sizeof(out->detail), "no BTF of the kernel: %s",
			 strerror(errno));
		return false;
	}
	id = kfunc ? btf__find_by_name_kind(btf, kfunc, BTF_KIND_FUNC) : 1;
	btf__free(btf);
	if (id < 0)
		snprintf(out->detail, sizeof(out->detail),
			 "%s is not in this kernel (comes with 6.10)", kfunc);
	return id > 0;
}

static void probe_one(const struct row *row, struct feature *out)
{
	*out = (struct feature){ .name = row->name, .needed = row->needed };
	switch (row->try) {
	case TRY_BTF:
		out->available = try_btf(NULL, out);
		break;
	case TRY_KFUNC:
		out->available = try_btf("bpf_preempt_disable", out);
		break;
	default:
		out->available = try_programs(row, out);
	}
}

bool feature_available(const char *name)
{
	struct feature out = { 0 };

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (!strcmp(table[i].name, name))
			probe_one(&table[i], &out);
	return out.available;
}

int feature_probe(struct feature *rows, size_t max)
{
	size_t n = 0;

	diagnose_route_libbpf_log();
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]) && n < max; i++)
		probe_one(&table[i], &rows[n++]);
	return n + backend_probe(rows + n, max - n);
}
