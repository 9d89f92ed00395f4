// SPDX-License-Identifier: Apache-2.0
/* Probes in servers: by which kernel feature, attaching places of a file, detaching. */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "load/internal.h"

struct probe_links {
	struct loader *loader;
	struct bpf_link **links;
	size_t count;
	/* One a link where probes are perf events: those outlive their links, see events_stop(). */
	int *events;
	size_t event_count;
};

/* ------------------------------------------------------------------ which way */

/* Of the kernel, and it takes a child to find out: once in a process. */
static bool returns_are_safe(void)
{
	static int safe = -1;

	if (safe < 0)
		safe = feature_available("uretprobe");
	return safe;
}

void probes_choose(struct loader *l, const struct loader_config *config)
{
	/* bpf_get_attach_cookie() came to uprobes with 7adfc6c9b315 (5.15). */
	l->probes.supported = libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE,
						      BPF_FUNC_get_attach_cookie, NULL) == 1;
	l->probes.multi = l->probes.supported && !config->probe_events &&
			  feature_available("uprobe_multi_pid");
	l->probes.returns = l->probes.supported && returns_are_safe();
	if (l->probes.supported && !l->probes.returns)
		log_warn(
			"durations of libraries' calls are left out: return probes would harm processes on this kernel; see "
			"`tokscope feature probe`");
}

bool probes_want(const struct loader *l, const char *program)
{
	if (!strcmp(program, "probe_multi"))
		return l->probes.supported && l->probes.multi;
	if (!strcmp(program, "probe_single"))
		return l->probes.supported && !l->probes.multi;
	return true;
}

void probes_select(struct loader *l)
{
	struct tokscope_bpf *skel = l->skel;
	struct bpf_program *programs[] = { skel->progs.probe_single, skel->progs.probe_multi };
	struct bpf_map *maps[] = { skel->maps.probe_sites,  skel->maps.probe_offs,
				   skel->maps.probe_hits,   skel->maps.probe_cells,
				   skel->maps.probe_gauges, skel->maps.probe_timers };

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		bpf_program__set_autoload(programs[i],
					  probes_want(l, bpf_program__name(programs[i])));
		bpf_program__set_autoattach(programs[i], false);
	}
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		bpf_map__set_autocreate(maps[i], l->probes.supported);
}

bool loader_probes_supported(const struct loader *l)
{
	return l->probes.supported;
}

bool loader_probes_many(const struct loader *l)
{
	return l->probes.multi;
}

/* ------------------------------------------------------------------ one attachment */

/* What is attached together. Arrays of `count`, in the order of `index`: entries first, then returns. */
struct batch {
	struct loader *loader;
	struct probe_links *links;
	pid_t pid;
	char file[UPROBE_FILE_NAME];
	const struct probe_place *places;
	int *attached;
	size_t *index;
	unsigned long *offsets, *semaphores;
	__u64 *cookies;
	size_t count, entries;
	int failures; /* so far */
};

/*
 * Each failing try costs the kernel a registration of all that is before the bad place. A file of which so many places
 * are bad is not what the caller thinks.
 */
#define FAILURES_MAX 64

static void batch_free(struct batch *b)
{
	free(b->index);
	free(b->offsets);
	free(b->semaphores);
	free(b->cookies);
}

static bool batch_alloc(struct batch *b, size_t n)
{
	b->index = calloc(n, sizeof(*b->index));
	b->offsets = calloc(n, sizeof(*b->offsets));
	b->semaphores = calloc(n, sizeof(*b->semaphores));
	b->cookies = calloc(n, sizeof(*b->cookies));
	return b->index && b->offsets && b->semaphores && b->cookies;
}

static void batch_add(struct batch *b, uint32_t group, size_t place)
{
	const struct probe_place *p = &b->places[place];
	size_t i = b->count++;

	b->index[i] = place;
	b->offsets[i] = p->offset;
	b->semaphores[i] = p->semaphore;
	b->cookies[i] = TKS_PROBE_COOKIE(group, p->site);
}

static void batch_fill(struct batch *b, uint32_t group, size_t n)
{
	for (int at_return = 0; at_return < 2; at_return++) {
		for (size_t i = 0; i < n; i++) {
			if (b->places[i].site >= TKS_PROBE_SITES)
				b->attached[i] = -EINVAL;
			else if (b->places[i].at_return && !b->loader->probes.returns)
				b->attached[i] = -EOPNOTSUPP;
			else if (b->places[i].at_return == at_return)
				batch_add(b, group, i);
		}
		if (!at_return)
			b->entries = b->count;
	}
}

static void batch_result(struct batch *b, size_t from, size_t n, int err)
{
	for (size_t i = from; i < from + n; i++)
		b->attached[b->index[i]] = err;
}

static bool links_keep(struct probe_links *links, struct bpf_link *link)
{
	struct bpf_link **grown = reallocarray(links->links, links->count + 1, sizeof(*grown));

	if (!grown) {
		bpf_link__destroy(link);
		errno = ENOMEM;
		return false;
	}
	grown[links->count++] = link;
	links->links = grown;
	return true;
}

/* ------------------------------------------------------------------ uprobe_multi: all of a link or nothing */

static int multi_attach(struct batch *b, size_t from, size_t n)
{
	LIBBPF_OPTS(bpf_uprobe_multi_opts, opts, .offsets = b->offsets + from,
		    .ref_ctr_offsets = b->semaphores + from, .cookies = b->cookies + from, .cnt = n,
		    .retprobe = from >= b->entries);
	struct bpf_link *link = bpf_program__attach_uprobe_multi(b->loader->skel->progs.probe_multi,
								 b->pid, b->file, NULL, &opts);

	return link && links_keep(b->links, link) ? 0 : -user_errno(errno);
}

/* No other place would do better. */
static bool hopeless(int err)
{
	return err == -ESRCH || err == -EPERM || err == -ENOMEM;
}

/* A place that the kernel refuses must not cost the others: halves, until it is alone. */
static void multi_attach_each(struct batch *b, size_t from, size_t n)
{
	int err = n ? multi_attach(b, from, n) : 0;

	if (!err || n == 1 || hopeless(err) || ++b->failures > FAILURES_MAX) {
		batch_result(b, from, n, err);
		return;
	}
	multi_attach_each(b, from, n / 2);
	multi_attach_each(b, from + n / 2, n - n / 2);
}

/* ------------------------------------------------------------------ perf events: one a place */

/* The link owns one descriptor of the event and closes it; the other one keeps the event until uprobe_events_close(). */
static int event_attach(struct batch *b, size_t i)
{
	LIBBPF_OPTS(bpf_perf_event_opts, opts, .bpf_cookie = b->cookies[i]);
	const struct uprobe_place place = { b->offsets[i], b->semaphores[i], i >= b->entries };
	struct probe_links *links = b->links;
	int fd = uprobe_event_open(b->pid, b->file, &place), kept, err;
	struct bpf_link *link;

	if (fd < 0)
		return fd;
	kept = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	link = kept < 0 ? NULL
			: bpf_program__attach_perf_event_opts(b->loader->skel->progs.probe_single,
							      fd, &opts);
	err = -user_errno(errno);
	if (!link)
		close(fd);
	if (link && links_keep(links, link)) {
		links->events[links->event_count++] = kept;
		b->loader->probes.events++;
		return 0;
	}
	if (kept >= 0)
		close(kept);
	return link ? -ENOMEM : err;
}

static void warn_no_room(struct loader *l, size_t left_out)
{
	if (l->probes.told)
		return;
	l->probes.told = true;
	log_warn(
		"probes in servers: %zu places are left out, because without uprobe_multi (Linux 6.10) %d are placed "
		"at most: each takes 0.1 s to remove; see `tokscope feature probe`",
		left_out, PROBE_PLACES_PERF);
}

static void events_attach(struct batch *b)
{
	size_t left_out = 0;

	b->links->events = calloc(PROBE_PLACES_PERF, sizeof(*b->links->events));
	for (size_t i = 0; i < b->count; i++) {
		int err = b->links->events ? 0 : -ENOMEM;

		if (!err && b->loader->probes.events >= PROBE_PLACES_PERF) {
			err = -ENOSPC;
			left_out++;
		}
		batch_result(b, i, 1, err ? err : event_attach(b, i));
	}
	if (left_out)
		warn_no_room(b->loader, left_out);
}

/* ------------------------------------------------------------------ attach and detach */

static void batch_attach(struct batch *b)
{
	if (!b->loader->probes.multi) {
		events_attach(b);
		return;
	}
	multi_attach_each(b, 0, b->entries);
	multi_attach_each(b, b->entries, b->count - b->entries);
}

static int attach_places(struct batch *b, uint32_t group, const char *path, size_t count)
{
	_cleanup_close_ int fd = -1;

	if (!b->loader->probes.supported)
		return -EOPNOTSUPP;
	fd = uprobe_file_open(path, b->file);
	if (fd < 0)
		return fd;
	if (!batch_alloc(b, count))
		return -ENOMEM;
	batch_fill(b, group, count);
	batch_attach(b);
	return 0;
}

/* Why nothing is attached: the first place's reason. */
static int first_error(const int *attached, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (attached[i])
			return attached[i];
	return -EINVAL;
}

struct probe_links *loader_probes_attach(struct loader *l, uint32_t pid, uint32_t group,
					 const char *path, const struct probe_place *places,
					 size_t count, int *attached)
{
	struct probe_links *links = calloc(1, sizeof(*links));
	struct batch b = {
		.loader = l, .links = links, .pid = pid, .places = places, .attached = attached
	};
	int err;

	if (!links)
		return NULL;
	links->loader = l;
	err = attach_places(&b, group, path, count);
	for (size_t i = 0; err && i < count; i++)
		attached[i] = err;
	batch_free(&b);
	if (links->count)
		return links;
	err = first_error(attached, count);
	loader_probes_detach(links);
	errno = -err;
	return NULL;
}

static void *destroy_link(void *link)
{
	bpf_link__destroy(link);
	return NULL;
}

/*
 * Closing the link of an event stops its program at once, then waits for a grace period (40 ms were measured on 6.18): those
 * of several links pass at the same time.
 */
static void events_stop(struct probe_links *links)
{
	pthread_t threads[PROBE_PLACES_PERF];
	size_t n = 0;

	for (size_t i = 0; i < links->count; i++)
		if (n < PROBE_PLACES_PERF &&
		    !pthread_create(&threads[n], NULL, destroy_link, links->links[i]))
			n++;
		else
			destroy_link(links->links[i]);
	while (n)
		pthread_join(threads[--n], NULL);
}

void loader_probes_detach(struct probe_links *links)
{
	if (!links)
		return;
	for (size_t i = 0; i < links->count && !links->event_count; i++)
		bpf_link__destroy(links->links[i]);
	if (links->event_count) {
		events_stop(links);
		uprobe_events_close(&links->loader->background, links->events, links->event_count);
	}
	links->loader->probes.events -= links->event_count;
	free(links->links);
	free(links->events);
	free(links);
}
