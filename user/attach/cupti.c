// SPDX-License-Identifier: Apache-2.0
#include "attach/cupti.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/clock.h"
#include "base/log.h"
#include "probe/resolve.h"

/*
 * After 1, 2, 4, ... seconds, then always after 16: a large server takes minutes to come to its GPU, and one look costs some
 * milliseconds where there are thousands of mappings.
 */
#define AGAIN_NS     NSEC_PER_SEC
#define AGAIN_MAX_NS (16 * NSEC_PER_SEC)

/* All but the command that ends it. */
#define AGENT_PROBES (((1u << CUPTI_PROBES) - 1) & ~(1u << CUPTI_PROBE_RELEASE))

/* ------------------------------------------------------------------ one process */

static int find_place(struct binary *b, enum cupti_probe probe, struct uprobe_place *place)
{
	char pattern[64];
	struct target t = { .kind = TARGET_USDT, .pattern = pattern };
	struct sites sites = { 0 };
	int err = -ENOEXEC;

	snprintf(pattern, sizeof(pattern), TKS_CUPTI_PROVIDER ":%s", cupti_probe_name(probe));
	if (resolve(b, &t, &sites) == 1 && !sites.items[0].refused && sites.items[0].semaphore) {
		place->offset = sites.items[0].offset;
		place->semaphore = sites.items[0].semaphore;
		err = 0;
	}
	sites_free(&sites);
	return err;
}

static int find_places(const char *path, unsigned int probes,
		       struct uprobe_place places[CUPTI_PROBES])
{
	struct binary *b = binary_open(path, NULL);
	int err = b ? 0 : -errno;

	for (size_t i = 0; !err && i < CUPTI_PROBES; i++)
		if (probes & 1u << i)
			err = find_place(b, i, &places[i]);
	binary_close(b);
	return err;
}

struct cupti_links *cupti_attach(struct loader *l, uint32_t pid, unsigned int probes)
{
	struct uprobe_place places[CUPTI_PROBES] = { 0 };
	struct mapped_files files;
	struct cupti_links *links = NULL;
	int err = mapped_files_find(&files, "/proc", pid, CUPTI_LIBRARY);

	if (!err && !files.count)
		err = -ENOENT;
	if (!err)
		err = find_places(files.items[0].path, probes, places);
	if (!err) {
		links = loader_cupti_attach(l, pid, files.items[0].path, places, probes);
		err = links ? 0 : -errno;
	}
	mapped_files_free(&files);
	errno = -err;
	return links;
}

/* ------------------------------------------------------------------ all of them */

struct process {
	uint32_t pid;
	struct cupti_links *links; /* NULL: it has not loaded the library (yet) */
	uint64_t again_ns, pause_ns;
	bool told; /* that its library cannot be used */
	UT_hash_handle hh;
};

struct cupti {
	struct loader *loader;
	struct process *processes;
};

struct cupti *cupti_new(struct loader *l)
{
	struct cupti *c = calloc(1, sizeof(*c));

	if (c)
		c->loader = l;
	return c;
}

static struct process *find(struct cupti *c, uint32_t pid)
{
	struct process *p = NULL;

	if (c)
		HASH_FIND_INT(c->processes, &pid, p);
	return p;
}

void cupti_add_process(struct cupti *c, uint32_t pid)
{
	struct process *p;

	if (!c || find(c, pid))
		return;
	p = calloc(1, sizeof(*p));
	if (!p)
		return;
	p->pid = pid;
	p->pause_ns = AGAIN_NS;
	HASH_ADD_INT(c->processes, pid, p);
	if (!p->hh.tbl)
		free(p);
}

static void drop(struct cupti *c, struct process *p)
{
	HASH_DEL(c->processes, p);
	loader_cupti_detach(p->links);
	free(p);
}

void cupti_drop_process(struct cupti *c, uint32_t pid)
{
	struct process *p = find(c, pid);

	if (p)
		drop(c, p);
}

void cupti_exec_process(struct cupti *c, uint32_t pid)
{
	struct process *p = find(c, pid);

	if (!p)
		return;
	/* By then the probes are off, which would else tell of the new image's work a second time. */
	p->again_ns = p->links ? clock_monotonic_ns() + AGAIN_NS : 0;
	p->pause_ns = AGAIN_NS;
	loader_cupti_detach(p->links);
	p->links = NULL;
}

static void look(struct cupti *c, struct process *p, uint64_t now_ns)
{
	p->links = cupti_attach(c->loader, p->pid, AGENT_PROBES);
	if (p->links) {
		log_info("GPU work of process %u is traced: it has loaded " CUPTI_LIBRARY, p->pid);
		return;
	}
	/* ESRCH: it has ended meanwhile. */
	if (errno != ENOENT && errno != ESRCH && !p->told) {
		p->told = true;
		log_warn("GPU work of process %u is not traced: " CUPTI_LIBRARY
			 ", which it has loaded, %s%s",
			 p->pid, errno == ENOEXEC ? "is of another version" : "cannot be probed: ",
			 errno == ENOEXEC ? "" : strerror(errno));
	}
	p->again_ns = now_ns + p->pause_ns;
	p->pause_ns *= 2;
	if (p->pause_ns > AGAIN_MAX_NS)
		p->pause_ns = AGAIN_MAX_NS;
}

void cupti_tick(struct cupti *c, uint64_t now_ns)
{
	struct process *p, *next;

	if (!c)
		return;
	HASH_ITER(hh, c->processes, p, next)
		if (!p->links && now_ns >= p->again_ns)
			look(c, p, now_ns);
}

void cupti_free(struct cupti *c)
{
	struct process *p, *next;

	if (!c)
		return;
	HASH_ITER(hh, c->processes, p, next)
		drop(c, p);
	free(c);
}
