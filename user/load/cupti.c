// SPDX-License-Identifier: Apache-2.0
/* The probes of libtokscope_cupti.so, with their semaphores: by uprobe_multi, else by perf events. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "load/internal.h"

static const struct {
	const char *name, *program;
} table[CUPTI_PROBES] = {
#define TKS_CUPTI_PROBE(id, name, program) { #name, #program },
#include "tks_cupti_probes.def"
#undef TKS_CUPTI_PROBE
};

/* Of each pair only one is used. */
struct cupti_links {
	struct loader *loader;
	size_t count;
	struct bpf_link *links[CUPTI_PROBES];
	int events[CUPTI_PROBES];
	bool multi;
};

const char *cupti_probe_name(enum cupti_probe p)
{
	return table[p].name;
}

static struct bpf_program *program_of(const struct loader *l, enum cupti_probe probe)
{
	return bpf_object__find_program_by_name(l->skel->obj, table[probe].program);
}

void cupti_select(struct loader *l)
{
	for (size_t i = 0; i < CUPTI_PROBES; i++) {
		struct bpf_program *p = program_of(l, i);

		bpf_program__set_autoload(p, l->cupti_supported);
		bpf_program__set_autoattach(p, false);
		if (l->probes.multi)
			bpf_program__set_expected_attach_type(p, BPF_TRACE_UPROBE_MULTI);
	}
}

bool cupti_wants(const struct loader *l, const char *program)
{
	return l->cupti_supported || strncmp(program, "cupti_", 6) != 0;
}

static int attach_multi(struct cupti_links *links, const struct bpf_program *program, pid_t pid,
			const char *file, const struct uprobe_place *place)
{
	const unsigned long offset = place->offset, semaphore = place->semaphore;
	LIBBPF_OPTS(bpf_uprobe_multi_opts, opts, .offsets = &offset, .ref_ctr_offsets = &semaphore,
		    .cnt = 1);
	struct bpf_link *link = bpf_program__attach_uprobe_multi(program, pid, file, NULL, &opts);

	if (!link)
		return -user_errno(errno);
	links->links[links->count++] = link;
	return 0;
}

/*
 * Between the two calls the semaphore is up and what is told is lost: some microseconds, while the library looks at its
 * semaphores twice a second, and tells names and devices again each minute.
 */
static int attach_event(struct cupti_links *links, const struct bpf_program *program, pid_t pid,
			const char *file, const struct uprobe_place *place)
{
	int event = uprobe_event_open(pid, file, place), err;

	if (event < 0)
		return event;
	if (ioctl(event, PERF_EVENT_IOC_SET_BPF, bpf_program__fd(program))) {
		err = -errno;
		close(event);
		return err;
	}
	links->events[links->count++] = event;
	return 0;
}

static int attach_all(const struct loader *l, struct cupti_links *links, pid_t pid,
		      const char *path, const struct uprobe_place *places, unsigned int wanted)
{
	char file[UPROBE_FILE_NAME];
	_cleanup_close_ int fd = uprobe_file_open(path, file);
	int err = fd < 0 ? fd : 0;

	for (size_t i = 0; !err && i < CUPTI_PROBES; i++)
		if (wanted & 1u << i)
			err = (links->multi ? attach_multi : attach_event)(links, program_of(l, i),
									   pid, file, &places[i]);
	return err;
}

struct cupti_links *loader_cupti_attach(struct loader *l, uint32_t pid, const char *path,
					const struct uprobe_place places[CUPTI_PROBES],
					unsigned int wanted)
{
	struct cupti_links *links = calloc(1, sizeof(*links));
	int err;

	if (!links)
		return NULL;
	links->loader = l;
	links->multi = l->probes.multi;
	err = l->cupti_supported ? attach_all(l, links, (pid_t)pid, path, places, wanted)
				 : -EOPNOTSUPP;
	if (!err)
		return links;
	loader_cupti_detach(links);
	errno = -err;
	return NULL;
}

/* The commands first: what the library then does not tell is not lost. */
static void detach_all(void *arg)
{
	struct cupti_links *links = arg;

	while (links->count--)
		if (links->multi)
			bpf_link__destroy(links->links[links->count]);
		else
			close(links->events[links->count]);
	free(links);
}

void loader_cupti_detach(struct cupti_links *links)
{
	if (links)
		background_run(&links->loader->background, detach_all, links);
}
