// SPDX-License-Identifier: Apache-2.0
#include "attach/probes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attach/budget.h"
#include "attach/placing.h"
#include "base/clock.h"
#include "base/log.h"

/* Libraries are loaded late (dlopen, imports): a process is looked at again after 1, 2, 4, ... seconds, then every minute. */
#define AGAIN_NS     NSEC_PER_SEC
#define AGAIN_MAX_NS (60 * NSEC_PER_SEC)
/* A timer whose end did not come by then was given up (a client left the queue, an exception passed). */
#define FORGET_NS (600 * NSEC_PER_SEC)

struct process {
	uint32_t pid;
	uint32_t group;	       /* id of its server; 0: not known yet */
	struct file_ids files; /* that were surveyed */
	struct attachment *attachments;
	uint64_t again_ns; /* when to look; 0: a survey is under way */
	uint64_t pause_ns;
	UT_hash_handle hh;
};

struct probes {
	const struct probes_ops *ops;
	void *ctx;
	struct surveyor *surveyor;
	struct placer placer;
	struct budget budget;
	uint64_t kept_ns; /* last housekeeping */
	struct process *processes;
};

int probe_set_parse(const char *name)
{
	static const char *const names[] = { "default", "full", "off" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i]))
			return i;
	return -EINVAL;
}

static void tell_left_out(const struct packs *packs)
{
	for (size_t i = 0; i < packs->count; i++)
		if (packs->items[i].many)
			log_info(
				"pack %s is left out: it has too many probes for a kernel without uprobe_multi_pid",
				packs->items[i].name);
}

struct probes *probes_new(const struct probes_config *config, struct loader *l,
			  const struct probes_ops *ops, void *ctx)
{
	struct probes *p;

	if (!loader_probes_supported(l)) {
		errno = EOPNOTSUPP;
		return NULL;
	}
	if (!loader_probes_many(l))
		tell_left_out(config->packs);
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->placer.loader = l;
	budget_init(&p->budget, config->budget);
	p->ops = ops;
	p->ctx = ctx;
	p->surveyor = surveyor_new(config->packs, config->full, loader_probes_many(l));
	if (p->surveyor)
		return p;
	free(p);
	return NULL;
}

/* ------------------------------------------------------------------ what becomes of the probes */

/* The kernel side takes no more of its hits already. */
static void look_at_off(struct probes *p, struct row *r)
{
	struct tks_probe_off off;

	loader_probe_off(p->placer.loader, r->number, &off);
	if (r->off || !off.off)
		return;
	r->off = true;
	tally_of(&p->placer.tallies, r->pack, r->key.probe)->implausible = true;
	log_warn(
		"probe %s:%s switched itself off: value '%s' is not what the pack expects, so the layout is another one",
		r->pack->name, r->key.probe->name,
		r->key.probe->value_name[off.read % TKS_PROBE_READS]);
}

static void look_at_rows(struct probes *p)
{
	struct row *r, *next;

	HASH_ITER(hh, p->placer.rows.by_key, r, next) {
		row_look(&p->placer, r);
		look_at_off(p, r);
	}
}

void probes_status(struct probes *p, probe_status_fn fn, void *ctx)
{
	struct tally *t, *next;

	look_at_rows(p);
	HASH_ITER(hh, p->placer.tallies, t, next)
		fn(ctx, &t->status);
}

static void shed(struct probes *p, struct row *r)
{
	struct process *process, *next;

	log_warn(
		"probe %s:%s is taken off: the probes cost more than %g %% of a core for each process, and this one most (%s "
		"instruction, %s); see --probe-budget",
		r->pack->name, r->key.probe->name, p->budget.share * 100, r->insn,
		site_cost_name(r->cost));
	r->uses++; /* it is looked for by its address */
	HASH_ITER(hh, p->processes, process, next)
		for (struct attachment *a = process->attachments; a; a = a->next)
			attachment_shed(&p->placer, a, r);
	rows_put(&p->placer.rows, r);
}

static unsigned int processes_with_probes(const struct probes *p)
{
	const struct process *process;
	unsigned int n = 0;

	for (process = p->processes; process; process = process->hh.next)
		n += process->attachments != NULL;
	return n;
}

static void keep_house(struct probes *p, uint64_t now_ns)
{
	struct row *worst = NULL;

	if (now_ns < p->kept_ns + NSEC_PER_SEC)
		return;
	p->kept_ns = now_ns;
	loader_probe_forget_timers(p->placer.loader, now_ns > FORGET_NS ? now_ns - FORGET_NS : 0);
	look_at_rows(p);
	if (p->budget.share > 0)
		worst = budget_look(&p->budget, &p->placer.rows, processes_with_probes(p), now_ns);
	if (worst)
		shed(p, worst);
}

/* ------------------------------------------------------------------ surveys */

static void take_survey(struct probes *p, const struct survey *s)
{
	struct process *process;

	HASH_FIND_INT(p->processes, &s->pid, process);
	if (!process || process->again_ns)
		return; /* gone, or another image by now */
	process->again_ns = clock_monotonic_ns() + process->pause_ns;
	process->pause_ns *= 2;
	if (process->pause_ns > AGAIN_MAX_NS)
		process->pause_ns = AGAIN_MAX_NS;
	if (s->err)
		log_debug("files of process %u: %s", s->pid, strerror(-s->err));
	for (size_t i = 0; i < s->files.count; i++)
		file_ids_add(&process->files, s->files.items[i]);
	for (size_t i = 0; i < s->count;) {
		struct attachment *a =
			attachment_new(&p->placer, process->pid, process->group, s, &i);

		if (!a)
			continue;
		a->next = process->attachments;
		process->attachments = a;
	}
}

/* ------------------------------------------------------------------ processes */

static void look_from_the_start(struct process *process)
{
	file_ids_free(&process->files);
	process->again_ns = 1;
	process->pause_ns = AGAIN_NS;
}

void probes_add_process(struct probes *p, uint32_t pid)
{
	struct process *process;

	HASH_FIND_INT(p->processes, &pid, process);
	if (process)
		return;
	process = calloc(1, sizeof(*process));
	if (!process)
		return;
	process->pid = pid;
	look_from_the_start(process);
	HASH_ADD_INT(p->processes, pid, process);
	if (!process->hh.tbl)
		free(process);
}

static void detach_all(struct probes *p, struct process *process)
{
	while (process->attachments) {
		struct attachment *a = process->attachments;

		process->attachments = a->next;
		attachment_free(&p->placer, a);
	}
}

static void drop(struct probes *p, struct process *process)
{
	HASH_DEL(p->processes, process);
	detach_all(p, process);
	file_ids_free(&process->files);
	free(process);
}

void probes_drop_process(struct probes *p, uint32_t pid)
{
	struct process *process;

	HASH_FIND_INT(p->processes, &pid, process);
	if (process)
		drop(p, process);
}

void probes_exec_process(struct probes *p, uint32_t pid)
{
	struct process *process;

	HASH_FIND_INT(p->processes, &pid, process);
	if (!process)
		return;
	detach_all(p, process);
	look_from_the_start(process);
}

static void ask(struct probes *p, struct process *process, uint64_t now_ns)
{
	const char *engine = "";
	uint32_t group = p->ops->server(p->ctx, process->pid, &engine);

	if (!group) {
		process->again_ns = now_ns + AGAIN_NS / 10;
		return;
	}
	process->group = group;
	if (surveyor_ask(p->surveyor, process->pid, engine, &process->files))
		process->again_ns = now_ns + AGAIN_NS;
	else
		process->again_ns = 0;
}

void probes_tick(struct probes *p, uint64_t now_ns)
{
	struct process *process, *next;
	struct survey *s;

	while ((s = surveyor_take(p->surveyor))) {
		take_survey(p, s);
		survey_free(s);
	}
	HASH_ITER(hh, p->processes, process, next)
		if (process->again_ns && now_ns >= process->again_ns)
			ask(p, process, now_ns);
	keep_house(p, now_ns);
}

static uint64_t value_of(const struct tks_probe_event *e, uint8_t read)
{
	return read < TKS_PROBE_READS ? e->value[read] : 0;
}

bool probes_event(const struct probes *p, const struct tks_probe_event *e, struct engine_event *out)
{
	const struct row *r = e->site < TKS_PROBE_SITES ? p->placer.rows.by_number[e->site] : NULL;
	const struct pack_probe *probe = r ? r->key.probe : NULL;

	if (!probe || probe->event == EVENT_NONE)
		return false;
	*out = (struct engine_event){ .kind = probe->event,
				      .tgid = e->h.tgid,
				      .tid = e->h.tid,
				      .time_ns = e->h.time_ns,
				      .id = value_of(e, probe->event_id),
				      .slot = value_of(e, probe->event_slot),
				      .duration_ns = e->duration_ns };
	return true;
}

void probes_free(struct probes *p)
{
	struct process *process, *next;

	if (!p)
		return;
	surveyor_free(p->surveyor);
	HASH_ITER(hh, p->processes, process, next)
		drop(p, process);
	tallies_free(&p->placer.tallies);
	rows_free(&p->placer.rows);
	free(p);
}
