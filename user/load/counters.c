// SPDX-License-Identifier: Apache-2.0
/* What the kernel side counts about itself: losses, and run time per program. */
#include "load/internal.h"

#include <bpf/bpf.h>
#include <stdlib.h>

#include "base/cleanup.h"

static const struct loader_failure kernel_failures[] = {
#define TKS_FAILURE(name, stage_label, is_lost, text) { stage_label, text, is_lost, 0 },
#include "tks_failures.def"
#undef TKS_FAILURE
};
_Static_assert(sizeof(kernel_failures) / sizeof(kernel_failures[0]) == FAILURE_KINDS,
	       "one row a kind");

/* Sum over the CPUs. */
static uint64_t failure_count(const struct loader *l, uint32_t kind)
{
	int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ uint64_t *values = cpus > 0 ? calloc(cpus, sizeof(*values)) : NULL;
	uint64_t sum = 0;

	if (!values || bpf_map_lookup_elem(bpf_map__fd(l->skel->maps.failures), &kind, values))
		return 0;
	for (int i = 0; i < cpus; i++)
		sum += values[i];
	return sum;
}

static int program_info(const struct bpf_program *p, struct bpf_prog_info *info)
{
	uint32_t size = sizeof(*info);
	int fd = bpf_program__fd(p);

	*info = (struct bpf_prog_info){ 0 };
	return fd < 0 ? fd : bpf_prog_get_info_by_fd(fd, info, &size);
}

/* Runs the kernel left out because the program was running on that CPU already. */
static uint64_t recursion_misses(const struct loader *l)
{
	struct bpf_prog_info info;
	struct bpf_program *p;
	uint64_t sum = 0;

	bpf_object__for_each_program(p, l->skel->obj)
		if (!program_info(p, &info))
			sum += info.recursion_misses;
	return sum;
}

size_t loader_failures(const struct loader *l, struct loader_failure *rows, size_t max)
{
	const struct loader_failure own[] = {
		{ "bad_record", "record dropped: its size did not fit its kind", true,
		  l->bad_records },
		{ "bpf_recursion", "program left out: it was running on the same CPU", true,
		  recursion_misses(l) },
	};
	size_t n = 0;

	for (uint32_t i = 0; i < FAILURE_KINDS; i++, n++) {
		if (n >= max)
			continue;
		rows[n] = kernel_failures[i];
		rows[n].count = failure_count(l, i);
	}
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++, n++)
		if (n < max)
			rows[n] = own[i];
	return n;
}

size_t loader_programs(const struct loader *l, struct loader_program *rows, size_t max)
{
	struct bpf_program *p;
	size_t n = 0;

	bpf_object__for_each_program(p, l->skel->obj) {
		struct bpf_prog_info info;

		if (!backend_wants(bpf_program__name(p), l->backend, l->raw) ||
		    !gpu_hook_wants(bpf_program__name(p), l->gpu.hook) ||
		    !probes_want(l, bpf_program__name(p)) || !cupti_wants(l, bpf_program__name(p)))
			continue;
		if (n < max) {
			rows[n] = (struct loader_program){ .name = bpf_program__name(p) };
			if (!program_info(p, &info)) {
				rows[n].attached = true;
				rows[n].run_ns = info.run_time_ns;
				rows[n].run_count = info.run_cnt;
			}
		}
		n++;
	}
	return n;
}
